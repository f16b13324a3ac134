import { OptionError, show } from "../runtime/errors.js";
import { type Gpu, gpu as openGpu } from "../runtime/gpu.js";
import type { MemoryUse } from "../runtime/memory.js";
import type { TunedChoices } from "../runtime/variants.js";
import {
  checkEncoder,
  checkForward,
  decoderCore,
  type EncodeInputs,
  type ForwardInputs,
  readInputs,
  readRows,
} from "./arguments.js";
import { type Checkpoint, type CheckpointLike, type LoadHooks, openCheckpoint } from "./checkpoint/checkpoint.js";
import { loadWeights, WEIGHT_FORMATS, type WeightFormat, type Weights } from "./checkpoint/weights.js";
import type { Core, HostTensor } from "./core.js";
import { createDecoder, type Decoder, type DecoderOptions } from "./decode/decoder.js";
import { forward } from "./decode/forward.js";
import { type GenerateInputs, type GenerateResult, planCall, runCall } from "./decode/generate.js";
import type { GenerateOptions } from "./decode/options.js";
import { openPast, type PastKeyValues } from "./decode/past.js";
import { score } from "./decode/score.js";
import { streamed, type StreamEvent } from "./decode/stream.js";
import {
  checkEncoderOptions,
  type EncoderOptions,
  type EncoderOutput,
  encodeRows,
  ownOutputs,
} from "./encode/outputs.js";
import { describeCheckpoint } from "./families/index.js";
import type { Architecture } from "./graph/architecture.js";
import { createIdleCache } from "./idle.js";
import { checkRowCount, type ModelInputs, type TokenRows, unpack } from "./inputs.js";
import { createLifetime, type KeepAlive } from "./lifetime.js";
import { openTokenizer, type TextCodec } from "./text/tokenizer.js";
import { type TuneOptions, tuneModel } from "./tune.js";

/** How to load a model. */
export interface LoadOptions extends LoadHooks {
  /** Storage of the weight matrices: "auto" as the checkpoint has them, "f32", "f16", "int8" or "int4". Default "auto". */
  readonly dtype?: WeightFormat;
  /** A device of the caller's, or a Gpu opened before (shared by several models; not disposed with the model). */
  readonly device?: GPUDevice;
  readonly gpu?: Gpu;
}

type CallOptions = GenerateOptions & { readonly signal?: AbortSignal };

/** A model on the device. Release it with `dispose()`; calls in flight end well, the memory goes with the last. */
export interface Model extends AsyncDisposable {
  readonly checkpoint: Checkpoint;
  readonly architecture: Architecture;
  readonly weights: Weights;
  readonly gpu: Gpu;
  /** Level one, the Encoder: last_hidden_state f32[B,S,D], zeros at padding; hidden states and attentions on request. */
  encode(inputs: EncodeInputs, options?: EncoderOptions): Promise<EncoderOutput & { last_hidden_state: HostTensor }>;
  /**
   * All positions at once. With a decoder: logits f32[B,T,V], zeros at padding, of the targets `decoder_input_ids` where there is
   * an encoder too. Without one: the logits of its classifier, or last_hidden_state and pooler_output; `options` are for these.
   */
  forward(inputs: ForwardInputs, options?: EncoderOptions): Promise<ForwardOutput>;
  /** Level two, the Decoder: one step a call, the caller owns the loop. */
  decoder(inputs: ModelInputs, options: DecoderOptions): Promise<Decoder>;
  /** Level three, Decoding: the whole loop in one call. */
  generate(inputs: GenerateInputs, options?: CallOptions): Promise<GenerateResult>;
  /** The same, told as it goes: tokens that no later step can change (with beams: what all that are alive begin with). */
  stream(inputs: GenerateInputs, options?: CallOptions): AsyncGenerator<StreamEvent, GenerateResult>;
  /** Log-probability of each token of `targets`, after the prompts `input_ids` (with an encoder: of the targets of its sources). */
  score(inputs: ModelInputs, targets: TokenRows): Promise<number[][]>;
  /** Decoder-only: reads sequences once, to be continued by `generate({ past_key_values })` any number of times. */
  past(inputs: ModelInputs, options?: { readonly max_length?: number }): Promise<PastKeyValues>;
  /** Runs a call on the parts of the model, which stay on the device until it ends: for tasks and graphs of one's own. */
  run<T>(call: (core: Core) => Promise<T>): Promise<T>;
  /** Measures variants of the model's layers on this device; the fastest are used from then on, in this session and later ones. */
  tune(options?: TuneOptions): Promise<TunedChoices>;
  memory(): MemoryUse;
  dispose(): void;
}

/** What `forward()` gives: of an encoder-decoder, the logits of its targets and the states of its sources. */
export interface ForwardOutput extends EncoderOutput {
  readonly encoder_last_hidden_state?: HostTensor;
}

const IDLE_CALLS = 4; // whose memory is kept for the next call of the same shape

/**
 * Loads a Hugging Face checkpoint as it lies: a folder path (Node, Deno), a base URL, a list of Files, a function from file name to
 * content, or a checkpoint that is already open. Throws CheckpointError with every fault of the folder, DeviceError without WebGPU, the signal's reason
 * when aborted.
 */
export async function load(source: CheckpointLike, options: LoadOptions = {}): Promise<Model> {
  const { dtype = "auto", progress, signal } = options;
  if (!WEIGHT_FORMATS.includes(dtype))
    throw new OptionError(`load: dtype must be one of ${WEIGHT_FORMATS.join(", ")}, got ${show(dtype)}`);
  signal?.throwIfAborted();
  const opened = await openCheckpoint(source, { signal });
  const { family, checkpoint, architecture } = describeCheckpoint(opened);
  const gpu = options.gpu ?? (await openGpu({ device: options.device }));
  const a = { ...architecture, normInLinear: gpu.class.adapter === "gpu" };
  const release = (): void => {
    if (!options.gpu) gpu.dispose();
  };
  try {
    const rows = family.rows(a, checkpoint.config);
    const w = await loadWeights(gpu, checkpoint, rows, {
      format: dtype,
      ignored: family.ignored(checkpoint.config),
      signal,
      progress,
    });
    const core: Core = { gpu, architecture: a, weights: w, idle: createIdleCache(IDLE_CALLS) };
    progress?.({ status: "ready", name: checkpoint.label });
    return createModel(core, checkpoint, release);
  } catch (error) {
    release();
    throw error;
  }
}

function createModel(core: Core, checkpoint: Checkpoint, release: () => void): Model {
  const { gpu, architecture, weights, idle } = core;
  const { keepAlive, dispose } = createLifetime(() => {
    idle.dispose();
    gpu.memory.free(weights.tensors);
    release();
  });
  return {
    checkpoint,
    architecture,
    weights,
    gpu,
    ...encoderCalls(core, keepAlive),
    ...decoderCalls(core, checkpoint, keepAlive),
    run: (call) => keepAlive(() => call(core)),
    tune: (options = {}) => keepAlive(() => tuneModel(core, options)),
    memory: () => gpu.use(),
    dispose,
    [Symbol.asyncDispose]: async () => dispose(),
  };
}

function encoderCalls(core: Core, keepAlive: KeepAlive): Pick<Model, "encode" | "forward"> {
  const { architecture: a } = core;
  return {
    encode: (inputs, options = {}) =>
      keepAlive(async () => {
        checkEncoder("encode", a);
        checkEncoderOptions("encode", options);
        const wanted = { last_hidden_state: true };
        const output = await encodeRows(core, readInputs(a, inputs), inputs.token_type_ids, wanted, options);
        return output as EncoderOutput & { last_hidden_state: HostTensor };
      }),
    forward: (inputs, options = {}) =>
      keepAlive(async () => {
        const rows = readInputs(a, inputs);
        checkForward(a, inputs, rows, options);
        if (!a.decoder) {
          checkEncoderOptions("forward", options);
          return encodeRows(core, rows, inputs.token_type_ids, ownOutputs(a), options);
        }
        const decoding = decoderCore("forward", core);
        if (!a.encoder) return { logits: unpack((await forward(decoding, rows.ids)).logits, rows, a.V) };
        const targets = readRows(a, "decoder_input_ids", inputs.decoder_input_ids);
        checkRowCount("decoder_input_ids", targets.ids, "input_ids", rows.ids.length);
        const sources = rows.ids.map((ids) => ({ ids }));
        const { logits, encoded = new Float32Array() } = await forward(decoding, targets.ids, sources);
        return { logits: unpack(logits, targets, a.V), encoder_last_hidden_state: unpack(encoded, rows, a.D) };
      }),
  };
}

function decoderCalls(
  core: Core,
  checkpoint: Checkpoint,
  keepAlive: KeepAlive,
): Pick<Model, "decoder" | "generate" | "stream" | "score" | "past"> {
  const { architecture: a } = core;
  const defaults = checkpoint.generationConfig;
  let opening: Promise<TextCodec> | undefined;
  const openCodec = (): Promise<TextCodec> => (opening ??= openTokenizer(checkpoint));
  return {
    decoder: (inputs, options) =>
      keepAlive(async () => {
        checkEncoder("decoder", a);
        const sources = readInputs(a, inputs).ids.map((ids) => ({ ids }));
        return createDecoder(decoderCore("decoder", core), sources, options, keepAlive);
      }),
    generate: (inputs, { signal, ...options } = {}) =>
      keepAlive(async () => {
        const decoding = decoderCore("generate", core);
        const call = planCall(decoding, defaults, inputs, options);
        const codec = call.g.stop_strings.length ? await openCodec() : undefined;
        return runCall(decoding, call, { codec, signal });
      }),
    async *stream(inputs, { signal, ...options } = {}) {
      const decoding = decoderCore("stream", core);
      const call = planCall(decoding, defaults, inputs, options);
      const codec = (await checkpoint.json("tokenizer.json")) === undefined ? undefined : await openCodec();
      return yield* streamed<StreamEvent, GenerateResult>(
        (emit, signal) => keepAlive(() => runCall(decoding, call, { codec, signal, emit })),
        signal,
      );
    },
    score: (inputs, targets) =>
      keepAlive(async () => {
        const decoding = decoderCore("score", core);
        return score(decoding, defaults, readInputs(a, inputs).ids, readRows(a, "targets", targets).ids);
      }),
    past: (inputs, options = {}) =>
      keepAlive(async () => openPast(decoderCore("past", core), inputs, options, keepAlive)),
  };
}
