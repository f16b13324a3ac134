import { InputError, OptionError } from "../runtime/errors.js";
import { type Gpu, gpu as openGpu } from "../runtime/gpu.js";
import type { MemoryUse } from "../runtime/memory.js";
import { record } from "../runtime/plan.js";
import { tensor } from "../runtime/tensor.js";
import type { Architecture } from "./architecture.js";
import { type Checkpoint, type Json, type LoadHooks, openCheckpoint } from "./checkpoint.js";
import { type Core, type HostTensor, unpack } from "./core.js";
import { decoderPrompt, sourceKeys } from "./decoder.js";
import { decode, type Launches } from "./decoding.js";
import { encoder } from "./encoder.js";
import { familyOf } from "./families/index.js";
import { type ModelInputs, packRows, packSpans, readSequences, type TokenRows } from "./inputs.js";
import { type GenerateOptions, settle } from "./options.js";
import { createPool } from "./pool.js";
import type { SourceLike } from "./source.js";
import { createStepper, type Stepper } from "./stepper.js";
import { loadWeights, type WeightFormat, type Weights } from "./weights.js";

export interface LoadOptions extends LoadHooks {
  /** Storage of the weight matrices: "auto" as the checkpoint has them, "f32" or "f16". Default "auto". */
  readonly dtype?: WeightFormat;
  /** A device of the caller's, or a Gpu opened before (shared by several models; not disposed with the model). */
  readonly device?: GPUDevice;
  readonly gpu?: Gpu;
}

export interface GenerateResult {
  /** A row for each result, those of one input together, best first; pad_token_id after a row's end. */
  readonly sequences: number[][];
  /** Log-probability / length ^ length_penalty of each row; beam search only. */
  readonly sequences_scores?: number[];
  /** Tokens of each row without the padding behind its end. */
  readonly lengths: number[];
  readonly stats: GenerateStats;
}

/** What a call did: steps, their launches, and milliseconds from the end of the first step (which compiles) to the end of the last. */
export interface GenerateStats {
  readonly steps: number;
  readonly launches: Launches;
  readonly ms: number;
}

/** An encoder-decoder on the device. Release it with `dispose()`. */
export interface Model extends AsyncDisposable {
  readonly checkpoint: Checkpoint;
  readonly architecture: Architecture;
  readonly weights: Weights;
  readonly gpu: Gpu;
  /** Level one, the Encoder: last_hidden_state f32[B,S,D], zeros at padding. */
  encode(inputs: ModelInputs): Promise<{ last_hidden_state: HostTensor }>;
  /** Encoder and decoder over given targets: logits f32[B,T,V]. */
  forward(inputs: ModelInputs & { readonly decoder_input_ids: TokenRows }): Promise<{ logits: HostTensor; encoder_last_hidden_state: HostTensor }>;
  /** Level two, the Decoder: one step a call, the caller owns the loop. */
  decoder(inputs: ModelInputs, options: { readonly max_length: number; readonly num_beams?: number }): Promise<Stepper>;
  /** Level three, Decoding: the whole loop in one call. */
  generate(inputs: ModelInputs, options?: GenerateOptions & { readonly signal?: AbortSignal }): Promise<GenerateResult>;
  memory(): MemoryUse;
  dispose(): void;
}

const IDLE_SESSIONS = 4;

/**
 * Loads a Hugging Face checkpoint as it lies: a folder path (Node, Deno), a base URL, a list of Files or a function from
 * file name to content. Throws CheckpointError with every fault of the folder, DeviceError without WebGPU, the signal's reason
 * when aborted.
 */
export async function load(source: SourceLike, options: LoadOptions = {}): Promise<Model> {
  const { dtype = "auto", progress, signal } = options;
  if (!["auto", "f32", "f16"].includes(dtype)) throw new OptionError(`load: dtype must be auto, f32 or f16, got ${JSON.stringify(dtype)}`);
  signal?.throwIfAborted();
  const checkpoint = await openCheckpoint(source, { signal });
  const family = familyOf(checkpoint.label, checkpoint.config);
  const a = family.architecture(checkpoint.config);
  const gpu = options.gpu ?? (await openGpu({ device: options.device }));
  const release = (): void => { if (!options.gpu) gpu.dispose(); };
  try {
    const rows = family.rows(a, checkpoint.config);
    const w = await loadWeights(gpu, checkpoint, rows, family.ignored(checkpoint.config), dtype, { signal, progress });
    const core: Core = { gpu, a, w, pool: createPool(IDLE_SESSIONS) };
    progress?.({ status: "ready", name: checkpoint.label });
    return createModel(core, checkpoint, release);
  } catch (error) {
    release();
    throw error;
  }
}

function createModel(core: Core, checkpoint: Checkpoint, release: () => void): Model {
  const { gpu, a, w } = core;
  let disposed = false;
  const sources = ({ input_ids, attention_mask }: ModelInputs) => {
    if (disposed) throw new InputError("model: must not be used after dispose()");
    return readSequences("input_ids", input_ids, attention_mask, a.V, a.P);
  };

  const run = async (inputs: ModelInputs, decoderIds?: TokenRows) => {
    const from = sources(inputs);
    const to = decoderIds === undefined ? undefined : readSequences("decoder_input_ids", decoderIds, undefined, a.V, a.P);
    if (to && to.ids.length !== from.ids.length) throw new InputError(`decoder_input_ids: must have the ${from.ids.length} rows of input_ids, got ${to.ids.length}`);
    const packed = (name: string, ids: readonly (readonly number[])[]) => ({
      rows: tensor(`${name}_rows`, "u32", [ids.reduce((sum, { length }) => sum + length, 0), 4]),
      spans: tensor(`${name}_spans`, "u32", [ids.length, 2]),
    });
    const [source, target] = [packed("source", from.ids), to && packed("target", to.ids)];
    const hidden = tensor("encoder_last_hidden_state", "f32", [source.rows.shape[0], a.D]);
    const logits = target && tensor("logits", "f32", [target.rows.shape[0], a.V]);
    const plan = record("forward", (run) => {
      const encoded = encoder(run, a, w, source.rows, source.spans, hidden);
      if (!target) return;
      decoderPrompt(run, a, w, { rows: target.rows, spans: source.spans, sourceKeys: sourceKeys(run, a, w, encoded) }, target.spans, logits);
    });
    const prepared = await gpu.prepare(plan);
    try {
      for (const [side, ids] of [[source, from.ids], [target, to?.ids]] as const) {
        if (!side || !ids) continue;
        gpu.write(side.rows, packRows(ids));
        gpu.write(side.spans, packSpans(ids));
      }
      const [states, scores] = (await prepared.run({ read: logits ? [hidden, logits] : [hidden] })) as Float32Array[];
      return {
        hidden: unpack(states, from.ids, from.offsets, from.width, a.D),
        logits: to && unpack(scores, to.ids, to.offsets, to.width, a.V),
      };
    } finally {
      prepared.dispose();
      gpu.memory.free([hidden, source.rows, source.spans, ...(target && logits ? [logits, target.rows, target.spans] : [])]);
    }
  };

  const model: Model = {
    checkpoint,
    architecture: a,
    weights: w,
    gpu,
    async encode(inputs) {
      return { last_hidden_state: (await run(inputs)).hidden };
    },
    async forward(inputs) {
      if (inputs.decoder_input_ids === undefined) throw new InputError("forward: decoder_input_ids must be given for an encoder-decoder");
      const { hidden, logits } = await run(inputs, inputs.decoder_input_ids);
      return { logits: logits as HostTensor, encoder_last_hidden_state: hidden };
    },
    decoder: async (inputs, options) => createStepper(core, sources(inputs).ids, options),
    async generate(inputs, { signal, ...options } = {}) {
      const { ids } = sources(inputs);
      const g = settle(options as Json, checkpoint.generationConfig, a.V, a.P, 1);
      const { hypotheses, ...stats } = await decode(core, ids, g, signal);
      const rows = hypotheses.flat();
      const width = Math.max(...rows.map((row) => row.ids.length));
      return {
        sequences: rows.map((row) => [...row.ids, ...Array<number>(width - row.ids.length).fill(g.pad)]),
        ...(g.W > 1 && { sequences_scores: rows.map(({ score }) => score) }),
        lengths: rows.map(({ ids }) => ids.length),
        stats,
      };
    },
    memory: () => gpu.use(),
    dispose() {
      if (disposed) return;
      disposed = true;
      core.pool.dispose();
      gpu.memory.free(w.tensors);
      release();
    },
    async [Symbol.asyncDispose]() {
      model.dispose();
    },
  };
  return model;
}
