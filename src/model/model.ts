import { InputError, show } from "../runtime/errors.js";
import type { Gpu } from "../runtime/gpu.js";
import type { MemoryUse } from "../runtime/memory.js";
import type { TunedChoices } from "../runtime/variants.js";
import type { EncodeInputs, ForwardInputs } from "./arguments.js";
import { encoderCalls, encoderOnlyCalls } from "./calls.js";
import type { Checkpoint } from "./checkpoint/checkpoint.js";
import type { Weights } from "./checkpoint/weights.js";
import type { Core, DecoderCore, HostTensor } from "./core.js";
import type { decoderCalls } from "./decode/calls.js";
import type { Decoder, DecoderOptions } from "./decode/decoder.js";
import type { GenerationDefaults } from "./decode/defaults.js";
import type { Engine } from "./loop/engine.js";
import type { EngineOptions } from "./loop/engine_sizes.js";
import type { ForwardOutput } from "./decode/forward_rows.js";
import type { GenerateResult } from "./decode/generate.js";
import type { GenerateInputs } from "./decode/job.js";
import type { PastKeyValues, PastOptions } from "./decode/past.js";
import type { RowOptions } from "./decode/row_options.js";
import type { StepHook } from "./decode/search_step.js";
import type { StreamEvent } from "./decode/stream.js";
import type { EncoderOptions, EncoderOutput } from "./encode/outputs.js";
import type { Architecture } from "./graph/architecture.js";
import type { ModelInputs, SourceInputs, TokenRows } from "./inputs.js";
import { createLifetime } from "./lifetime.js";
import type { Tokenizer } from "./text/tokenizer.js";
import type { TuneOptions } from "./tune.js";

/** Options of `generate` and `stream`. */
export type CallOptions = RowOptions & {
  readonly signal?: AbortSignal;
  /** Called with what each step of the search did: its beams, candidates and hypotheses. Costs no launch. */
  readonly onStep?: StepHook;
};

/**
 * A model on the device. Release it with `dispose()`: calls in flight still finish, and the memory is freed after the
 * last.
 */
export interface Model extends AsyncDisposable {
  /** The open checkpoint. */
  readonly checkpoint: Checkpoint;
  /** Sizes and choices of the model. */
  readonly architecture: Architecture;
  /** The weights on the device, by their names in the graph. */
  readonly weights: Weights;
  /** The device. */
  readonly gpu: Gpu;
  /** The checkpoint's own options of `generate()`, and which of its fields were set aside or must be overridden. */
  readonly generationDefaults: GenerationDefaults;
  /**
   * Turns texts into token ids and back; undefined when the checkpoint has no tokenizer.json. It is read when it is first
   * asked for. Rejects with CheckpointError when it is broken.
   */
  readonly tokenizer: Promise<Tokenizer | undefined>;
  /**
   * Level one, the Encoder: last_hidden_state f32[B,S,D], zeros at padding; hidden states and attentions on request.
   * Throws InputError for bad inputs or a model without an encoder, and OptionError.
   */
  encode(inputs: EncodeInputs, options?: EncoderOptions): Promise<EncoderOutput & { last_hidden_state: HostTensor }>;
  /**
   * One pass over all positions. A model with a decoder gives logits f32[B,T,V], zeros at padding; if it has an encoder
   * too, those of the targets `decoder_input_ids`. A classifier gives the logits of its labels, of whatever it is made; any
   * other model gives last_hidden_state, and pooler_output where it has a pooler. Hidden states and attentions on request. Throws InputError and OptionError.
   */
  forward(inputs: ForwardInputs, options?: EncoderOptions): Promise<ForwardOutput>;
  /**
   * Level two, the Decoder of an encoder-decoder: one step a call, in a loop of the caller's. Throws InputError and
   * OptionError.
   */
  decoder(inputs: SourceInputs, options: DecoderOptions): Promise<Decoder>;
  /**
   * Level three, Decoding: the whole loop in one call. Throws InputError, OptionError, and the signal's reason when
   * aborted.
   */
  generate(inputs: GenerateInputs, options?: CallOptions): Promise<GenerateResult>;
  /**
   * Like `generate`, but yields tokens as soon as no later step can change them (with beams: the prefix that all
   * share).
   */
  stream(inputs: GenerateInputs, options?: CallOptions): AsyncGenerator<StreamEvent, GenerateResult>;
  /**
   * Opens an engine, which decodes many requests together that come and go. Throws OptionError, and DeviceError for what
   * the device cannot hold.
   */
  engine(options?: EngineOptions): Promise<Engine>;
  /**
   * Log-probability of each token of `targets`, given those before it and the prompts (in a model with an encoder, the
   * sources). Throws InputError.
   */
  score(inputs: SourceInputs, targets: TokenRows): Promise<number[][]>;
  /**
   * Decoder-only models: reads sequences once, which `generate({ past_key_values })` can then continue any number of
   * times. Throws InputError and OptionError.
   */
  past(inputs: ModelInputs, options?: PastOptions): Promise<PastKeyValues>;
  /**
   * Runs a function on the parts of the model, which stay on the device until it ends: for tasks and graphs of your
   * own.
   */
  run<T>(call: (core: Core) => Promise<T>): Promise<T>;
  /** Measures the kernel variants on this device at the model's sizes. The fastest are used and stored from then on. */
  tune(options?: TuneOptions): Promise<TunedChoices>;
  /** Bytes that the model's device holds, by role. */
  memory(): MemoryUse;
  /** Ends the model: later calls throw InputError. */
  dispose(): void;
}

/** What a model answers to in one way with a decoder, in another without. */
export type DecoderCalls = Pick<
  Model,
  "generationDefaults" | "forward" | "decoder" | "generate" | "stream" | "engine" | "score" | "past"
>;

/** How a model and its device are held together. */
export interface DeviceHooks {
  /** Brings the weights to the device in use before a call; undefined when they are there. */
  readonly ready: () => Promise<void> | undefined;
  /** Gives the device back when the model is disposed. */
  readonly release: () => void;
}

/** A model of these parts; `decoding` are the calls of those that have a decoder. */
export function createModel(
  core: Core,
  checkpoint: Checkpoint,
  { ready, release }: DeviceHooks,
  decoding: typeof decoderCalls | undefined,
): Model {
  const { gpu, architecture, idle } = core;
  let reading: Promise<Tokenizer | undefined> | undefined;
  const tokenizer = (): Promise<Tokenizer | undefined> =>
    (reading ??= import("./text/tokenizer.js").then(({ readTokenizer }) => readTokenizer(checkpoint)));
  const free = (): void => {
    idle.dispose();
    gpu.memory.free(core.weights.tensors);
    release();
  };
  const { keepAlive, dispose } = createLifetime("model", "load it again", free, ready);
  return {
    checkpoint,
    architecture,
    get weights() {
      return core.weights;
    },
    gpu,
    get tokenizer() {
      return tokenizer();
    },
    ...encoderCalls(core, keepAlive),
    ...(decoding?.(core as DecoderCore, checkpoint, tokenizer, keepAlive) ?? encoderOnlyCalls(core, keepAlive)),
    run: (call) =>
      keepAlive(async () => {
        if (typeof call !== "function") throw new InputError(`run: must be given a function, got ${show(call)}`);
        return call(core);
      }),
    tune: (options = {}) => keepAlive(async () => (await import("./tune.js")).tuneModel(core, options)),
    memory: () => gpu.use(),
    dispose,
    [Symbol.asyncDispose]: async () => dispose(),
  };
}
