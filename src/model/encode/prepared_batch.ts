import { record } from "../../runtime/plan.js";
import { type Tensor, tensor } from "../../runtime/tensor.js";
import type { Core } from "../core.js";
import type { Architecture, DecoderArchitecture, GraphModel, Stack } from "../graph/architecture.js";
import { encoder, type PackedInput } from "../graph/encoder.js";
import { head, type PoolingChoice, sentenceVectors } from "../graph/heads.js";
import { type EncoderInput, lengthOf, packInputs, packPooled, pooledOf } from "../inputs.js";
import { type Output, type SequenceResults, sequencesOf } from "../results.js";
import { writeVectors } from "./features.js";

/** Which results of an encoder to read back; `EncoderOutput` has their shapes. */
export interface Wanted {
  readonly last_hidden_state?: boolean;
  readonly hidden_states?: boolean;
  readonly attentions?: boolean;
  readonly pooler_output?: boolean;
  readonly logits?: boolean;
  /** Logits f32[V] of each group of tokens that is pooled, by its first token: a masked one. */
  readonly mask_logits?: boolean;
  /** One vector f32[D] a sequence, or a group of its tokens that is pooled. */
  readonly embedding?: PoolingChoice;
}

/** The size of a batch: N tokens (or feature rows) in B sequences. */
export interface BatchSize {
  readonly N: number;
  readonly B: number;
  /** The longest sequence, where attentions are wanted or the decoder reads, else 0. */
  readonly T: number;
  /** Groups of tokens that are pooled, where these are not the sequences, else 0. */
  readonly X: number;
  readonly features: boolean;
}

/** An encoder with its head, prepared for batches of one size. */
export interface PreparedBatch {
  /** Returns results in the order of `inputs`. Throws InputError when these are of different kinds or widths. */
  run(inputs: readonly EncoderInput[]): Promise<SequenceResults[]>;
  /** Frees its memory. */
  dispose(): void;
}

/** Records and prepares the encoder for batches of this size. */
export async function prepareBatch(core: Core, size: BatchSize, wanted: Wanted): Promise<PreparedBatch> {
  const { gpu, architecture } = core;
  const { plan, packed, pooled, targets, outputs } = await batchPlan(core, size, wanted);
  const held = [...Object.values(packed), ...Object.values(targets ?? {}), ...(pooled ? [pooled] : [])] as Tensor[];
  const free = (): void => gpu.memory.free([...held, ...outputs.map(({ data }) => data)]);
  const prepared = await gpu.prepare(plan).catch((error: unknown) => {
    free();
    throw error;
  });
  const by = targets && (await import("./decoder_states.js"));
  return {
    async run(inputs) {
      await write(core, packed, inputs);
      if (targets) by?.writeDecoderInputs(gpu, architecture as DecoderArchitecture, targets, inputs, size.T);
      if (pooled) gpu.write(pooled, packPooled(inputs));
      const values = await prepared.run({ read: outputs.map(({ data }) => data) });
      const groups = inputs.map((input) => pooledOf(input).length);
      return sequencesOf(outputs, values as Float32Array[], inputs.map(lengthOf), groups);
    },
    dispose() {
      prepared.dispose();
      free();
    },
  };
}

/** The plan of a model with its head for batches of this size, what it reads, and its results. */
export async function batchPlan(model: GraphModel, size: BatchSize, wanted: Wanted) {
  const { architecture } = model;
  const { N, B, X, features } = size;
  const packed: PackedInput = {
    rows: tensor("rows", "u32", [N, 4]),
    spans: tensor("spans", "u32", [B, 2]),
    ...(features && { features: tensor("features", "f32", [N, architecture.D]) }),
  };
  const pooled = X ? tensor("pooled_spans", "u32", [X, 2]) : undefined;
  const decoding = model as GraphModel<DecoderArchitecture>;
  const by = readsByDecoder(architecture, wanted.logits) ? await import("./decoder_states.js") : undefined;
  const targets = by?.decoderInputs(decoding.architecture, size);
  const outputs = encoderOutputs(architecture, size, wanted);
  const { states, attentions, embedding } = outputs;
  const plan = record("encode", (run) => {
    const hidden =
      by && targets
        ? by.decoderStates(run, decoding, packed, targets, {
            states,
            attentions: attentions?.map((weights) => ({ weights })),
          })
        : encoder(run, model, packed, { states, attentions });
    const spans = pooled ?? packed.spans;
    head(run, model, hidden, spans, outputs);
    if (embedding && wanted.embedding) sentenceVectors(run, hidden, spans, wanted.embedding, embedding);
  });
  return { plan, packed, pooled, targets, outputs: outputs.all };
}

/** Whether results come from the states of the decoder: in models without an encoder, and in classifiers with both. */
export const readsByDecoder = ({ encoder: source, decoder, head: own }: Architecture, logits = false): boolean =>
  decoder !== undefined && (!source || (own !== undefined && logits));

/** The results of an encoder for a batch of this size. */
export function encoderOutputs(
  { D, V, encoder, decoder, head }: Architecture,
  { N, B, T, X = 0 }: Pick<BatchSize, "N" | "B" | "T"> & Partial<BatchSize>,
  wanted: Wanted,
) {
  const { H, depth: L } = (encoder ?? decoder) as Stack;
  const all: Output[] = [];
  const output = (name: string, per: Output["per"], ...columns: number[]): Tensor => {
    const data = tensor(name, "f32", [per === "token" ? N : X || B, ...columns]);
    all.push({ per, data });
    return data;
  };
  const state = (l: number): Tensor | undefined => {
    if (wanted.hidden_states) return output(`hidden_states.${l}`, "token", D);
    return wanted.last_hidden_state && l === L ? output("last_hidden_state", "token", D) : undefined;
  };
  const labelled = head?.classifier === "sentence" ? "sequence" : "token";
  return {
    all,
    states: Array.from({ length: L + 1 }, (_, l) => state(l)),
    attentions: wanted.attentions
      ? Array.from({ length: L }, (_, l) => output(`attentions.${l}`, "token", H, T))
      : undefined,
    pooled: wanted.pooler_output ? output("pooler_output", "sequence", D) : undefined,
    logits: wanted.logits ? output("logits", labelled, head?.labels.length ?? 0) : undefined,
    maskLogits: wanted.mask_logits ? output("mask_logits", "sequence", V) : undefined,
    embedding: wanted.embedding ? output("embedding", "sequence", D) : undefined,
  };
}

async function write(core: Core, to: PackedInput, inputs: readonly EncoderInput[]): Promise<void> {
  const packed = packInputs(inputs, core.architecture.D);
  core.gpu.write(to.rows, packed.rows);
  core.gpu.write(to.spans, packed.spans);
  if (to.features) await writeVectors(core, packed, to.features);
}
