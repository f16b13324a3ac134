import { InputError, OptionError, show } from "../runtime/errors.js";
import type { TunedChoices } from "../runtime/variants.js";
import { type Gpu, gpu as openGpu } from "../runtime/gpu.js";
import type { MemoryUse } from "../runtime/memory.js";
import type { Architecture, Stack } from "./graph/architecture.js";
import { type Checkpoint, type CheckpointLike, type LoadHooks, openCheckpoint } from "./checkpoint/checkpoint.js";
import type { Core, DecoderCore, During, HostTensor } from "./core.js";
import { describeCheckpoint } from "./families/index.js";
import { forward } from "./decode/forward.js";
import { type GenerateInputs, type GenerateResult, planTask, runTask } from "./decode/generate.js";
import { checkPositions, type ModelInputs, readSequences, type Sequences, type TokenRows } from "./inputs.js";
import type { GenerateOptions } from "./decode/options.js";
import {
  checkEncoderOptions,
  type EncoderOptions,
  type EncoderOutput,
  encodeRows,
  ownOutputs,
} from "./encode/outputs.js";
import { createIdleCache } from "./idle.js";
import { score } from "./decode/score.js";
import { createState, type State } from "./decode/past.js";
import { createStepper, type Stepper } from "./decode/decoder.js";
import type { StreamEvent } from "./decode/stream.js";
import { openTokenizer, type TextCodec } from "./text/tokenizer.js";
import { type TuneOptions, tuneModel } from "./tune.js";
import { loadWeights, WEIGHT_FORMATS, type WeightFormat, type Weights } from "./checkpoint/weights.js";

export interface LoadOptions extends LoadHooks {
  /** Storage of the weight matrices: "auto" as the checkpoint has them, "f32", "f16", "int8" or "int4". Default "auto". */
  readonly dtype?: WeightFormat;
  /** A device of the caller's, or a Gpu opened before (shared by several models; not disposed with the model). */
  readonly device?: GPUDevice;
  readonly gpu?: Gpu;
}

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
  decoder(inputs: ModelInputs, options: { readonly max_length: number; readonly num_beams?: number }): Promise<Stepper>;
  /** Level three, Decoding: the whole loop in one call. */
  generate(
    inputs: GenerateInputs,
    options?: GenerateOptions & { readonly signal?: AbortSignal },
  ): Promise<GenerateResult>;
  /** The same, told as it goes: tokens that no later step can change (with beams: what all that are alive begin with). */
  stream(
    inputs: GenerateInputs,
    options?: GenerateOptions & { readonly signal?: AbortSignal },
  ): AsyncGenerator<StreamEvent, GenerateResult>;
  /** Log-probability of each token of `targets`, after the prompts `input_ids` (with an encoder: of the targets of its sources). */
  score(inputs: ModelInputs, targets: TokenRows): Promise<number[][]>;
  /** Decoder-only: reads sequences once, to be continued by `generate({ state })` any number of times. */
  state(inputs: ModelInputs, options?: { readonly max_length?: number }): Promise<State>;
  /** Runs a call on the parts of the model, which stay on the device until it ends: for tasks and graphs of one's own. */
  run<T>(call: (core: Core) => Promise<T>): Promise<T>;
  /** Measures variants of the model's layers on this device; the fastest are used from then on, in this session and later ones. */
  tune(options?: TuneOptions): Promise<TunedChoices>;
  memory(): MemoryUse;
  dispose(): void;
}

export interface EncodeInputs extends ModelInputs {
  /** Segment of each token, for models with segments; 0 when absent. */
  readonly token_type_ids?: TokenRows;
}

export interface ForwardOutput extends EncoderOutput {
  readonly encoder_last_hidden_state?: HostTensor;
}

export interface ForwardInputs extends EncodeInputs {
  readonly decoder_input_ids?: TokenRows;
  /** Accepted where they are what the mask says: positions count a row's own tokens from 0. */
  readonly position_ids?: TokenRows;
}

const IDLE_SESSIONS = 4;

/**
 * Loads a Hugging Face checkpoint as it lies: a folder path (Node, Deno), a base URL, a list of Files or a function from
 * file name to content; or one that is already open. Throws CheckpointError with every fault of the folder, DeviceError without WebGPU, the signal's reason
 * when aborted.
 */
export async function load(source: CheckpointLike, options: LoadOptions = {}): Promise<Model> {
  const { dtype = "auto", progress, signal } = options;
  if (!WEIGHT_FORMATS.includes(dtype))
    throw new OptionError(`load: dtype must be one of ${WEIGHT_FORMATS.join(", ")}, got ${show(dtype)}`);
  signal?.throwIfAborted();
  const { family, checkpoint, architecture } = describeCheckpoint(await openCheckpoint(source, { signal }));
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
    const core: Core = { gpu, architecture: a, weights: w, idle: createIdleCache(IDLE_SESSIONS) };
    progress?.({ status: "ready", name: checkpoint.label });
    return createModel(core, checkpoint, release);
  } catch (error) {
    release();
    throw error;
  }
}

function createModel(core: Core, checkpoint: Checkpoint, release: () => void): Model {
  const { gpu, architecture: a, weights: w } = core;
  let disposed = false;
  let calls = 0;
  const free = (): void => {
    core.idle.dispose();
    gpu.memory.free(w.tensors);
    release();
  };
  const during: During = async (call) => {
    if (disposed) throw new InputError("model: must not be used after dispose(); load it again");
    calls++;
    try {
      return await call();
    } finally {
      if (--calls === 0 && disposed) free();
    }
  };
  const sequences = (name: string, ids: unknown, mask?: unknown): Sequences => {
    const side = name === "input_ids" ? (a.encoder ?? a.decoder) : a.decoder;
    return readSequences(name, ids, mask, a.V, (side as Stack).P);
  };
  const given = (inputs: ModelInputs | undefined): Sequences =>
    sequences("input_ids", inputs?.input_ids, inputs?.attention_mask);
  let opening: Promise<TextCodec> | undefined;
  const codec = (): Promise<TextCodec> => (opening ??= openTokenizer(checkpoint));
  const hasTokenizer = async (): Promise<boolean> => (await checkpoint.json("tokenizer.json")) !== undefined;
  const needsEncoder = (call: string): void => {
    if (!a.encoder)
      throw new InputError(
        `${call}: must be called on a model with an encoder, ${a.family} has none; use forward() or generate()`,
      );
  };
  const generative = (call: string): DecoderCore => {
    if (a.decoder) return core as DecoderCore;
    throw new InputError(
      `${call}: must be called on a model with a decoder, ${a.family} has none; use forward() or encode()`,
    );
  };

  const model: Model = {
    checkpoint,
    architecture: a,
    weights: w,
    gpu,
    encode: (inputs, options = {}) =>
      during(async () => {
        needsEncoder("encode");
        checkEncoderOptions("encode", options);
        const output = await encodeRows(
          core,
          given(inputs),
          inputs.token_type_ids,
          { last_hidden_state: true },
          options,
        );
        return output as EncoderOutput & { last_hidden_state: HostTensor };
      }),
    forward: (inputs, options = {}) =>
      during(async () => {
        const rows = given(inputs);
        checkPositions(inputs.position_ids, rows);
        const { token_type_ids, decoder_input_ids } = inputs;
        if (!(a.encoder && a.decoder) && decoder_input_ids !== undefined)
          throw new InputError(
            `forward: decoder_input_ids must be absent, ${a.family} is no encoder-decoder; give input_ids`,
          );
        if (!a.decoder) {
          checkEncoderOptions("forward", options);
          return encodeRows(core, rows, token_type_ids, ownOutputs(a), options);
        }
        const stray = [...Object.keys(options), ...(token_type_ids === undefined ? [] : ["token_type_ids"])];
        if (stray.length)
          throw new OptionError(`forward: ${stray[0]} must be absent, ${a.family} has a decoder; encode() takes it`);
        if (!a.encoder) return forward(generative("forward"), rows);
        if (decoder_input_ids === undefined)
          throw new InputError("forward: decoder_input_ids must be given for an encoder-decoder");
        const targets = sequences("decoder_input_ids", decoder_input_ids);
        const { encoded, logits } = await forward(generative("forward"), targets, rows);
        return { logits, encoder_last_hidden_state: encoded };
      }),
    decoder: (inputs, options) =>
      during(async () => {
        needsEncoder("decoder");
        return createStepper(generative("decoder"), given(inputs).ids, options, during);
      }),
    generate: (inputs, { signal, ...options } = {}) =>
      during(async () => {
        const decoding = generative("generate");
        const task = planTask(decoding, checkpoint.generationConfig, inputs, options);
        return runTask(decoding, task, task.g.stop_strings.length ? await codec() : undefined, signal);
      }),
    async *stream(inputs, { signal, ...options } = {}) {
      const left = new AbortController(); // a caller who leaves the loop ends the decoding
      const decoding = generative("stream");
      const task = planTask(decoding, checkpoint.generationConfig, inputs, options);
      const text = (await hasTokenizer()) ? await codec() : undefined;
      const events: StreamEvent[] = [];
      let wake = (): void => {};
      let ended = false;
      const aborted = signal ? AbortSignal.any([signal, left.signal]) : left.signal;
      const running = during(() =>
        runTask(decoding, task, text, aborted, (more) => {
          events.push(...more);
          wake();
        }),
      ).finally(() => {
        ended = true;
        wake();
      });
      running.catch(() => {}); // awaited below, unless the caller leaves
      try {
        while (!ended || events.length) {
          if (events.length) yield events.shift() as StreamEvent;
          else await new Promise<void>((resolve) => (wake = resolve));
        }
        return await running;
      } finally {
        left.abort();
      }
    },
    score: (inputs, targets) =>
      during(async () =>
        score(generative("score"), checkpoint.generationConfig, given(inputs), sequences("targets", targets)),
      ),
    state: (inputs, { max_length = Math.min(a.decoder?.P ?? 0, 2048) } = {}) =>
      during(async () => {
        const decoding = generative("state");
        if (a.encoder)
          throw new InputError(
            `state: must be called on a decoder-only model, ${a.family} has an encoder; use decoder()`,
          );
        const { ids } = given(inputs);
        const state = await createState(decoding, ids.length, max_length, during);
        await state.append(ids).catch((error) => {
          state.dispose();
          throw error;
        });
        return state;
      }),
    run: (call) => during(() => call(core)),
    tune: (options = {}) => during(() => tuneModel(core, options)),
    memory: () => gpu.use(),
    dispose() {
      if (disposed) return;
      disposed = true;
      if (calls === 0) free();
    },
    async [Symbol.asyncDispose]() {
      model.dispose();
    },
  };
  return model;
}
