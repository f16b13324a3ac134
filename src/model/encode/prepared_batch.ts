import { record } from "../../runtime/plan.js";
import { type Tensor, tensor } from "../../runtime/tensor.js";
import type { Core } from "../core.js";
import type { Architecture, GraphModel, Stack } from "../graph/architecture.js";
import { encoder, type PackedInput } from "../graph/encoder.js";
import { head, type PoolingChoice, sentenceVectors } from "../graph/heads.js";
import { type EncoderInput, lengthOf, packInputs } from "../inputs.js";
import { type Output, type SequenceResults, sequencesOf } from "../results.js";
import { writeVectors } from "./features.js";

/** Which results of an encoder to read back; `EncoderOutput` has their shapes. */
export interface Wanted {
  readonly last_hidden_state?: boolean;
  readonly hidden_states?: boolean;
  readonly attentions?: boolean;
  readonly pooler_output?: boolean;
  readonly logits?: boolean;
  /** One vector f32[D] a sequence. */
  readonly embedding?: PoolingChoice;
}

/**
 * The size of a batch: N tokens (or feature rows) in B sequences; T the longest one, where attentions are wanted, else
 * 0.
 */
export interface BatchSize {
  readonly N: number;
  readonly B: number;
  readonly T: number;
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
  const { gpu } = core;
  const { plan, packed, outputs } = batchPlan(core, size, wanted);
  const free = (): void => gpu.memory.free([...Object.values(packed), ...outputs.map(({ data }) => data)]);
  const prepared = await gpu.prepare(plan).catch((error: unknown) => {
    free();
    throw error;
  });
  return {
    async run(inputs) {
      await write(core, packed, inputs);
      const values = await prepared.run({ read: outputs.map(({ data }) => data) });
      return sequencesOf(outputs, values as Float32Array[], inputs.map(lengthOf));
    },
    dispose() {
      prepared.dispose();
      free();
    },
  };
}

/** The plan of an encoder with its head for batches of this size, what it reads, and its results. */
export function batchPlan(model: GraphModel, size: BatchSize, wanted: Wanted) {
  const { architecture } = model;
  const { N, B, features } = size;
  const packed: PackedInput = {
    rows: tensor("rows", "u32", [N, 4]),
    spans: tensor("spans", "u32", [B, 2]),
    ...(features && { features: tensor("features", "f32", [N, architecture.D]) }),
  };
  const outputs = encoderOutputs(architecture, size, wanted);
  const { states, attentions, pooled, logits, embedding } = outputs;
  const plan = record("encode", (run) => {
    const hidden = encoder(run, model, packed, { states, attentions });
    if (pooled || logits) head(run, model, hidden, packed.spans, { pooled, logits });
    if (embedding && wanted.embedding) sentenceVectors(run, hidden, packed.spans, wanted.embedding, embedding);
  });
  return { plan, packed, outputs: outputs.all };
}

/** The results of an encoder for a batch of this size. */
export function encoderOutputs(
  { D, encoder, head }: Architecture,
  { N, B, T }: Pick<BatchSize, "N" | "B" | "T">,
  wanted: Wanted,
) {
  const { H, depth: L } = encoder as Stack;
  const all: Output[] = [];
  const output = (name: string, per: Output["per"], ...columns: number[]): Tensor => {
    const data = tensor(name, "f32", [per === "token" ? N : B, ...columns]);
    all.push({ per, data });
    return data;
  };
  const state = (l: number): Tensor | undefined => {
    if (wanted.hidden_states) return output(`hidden_states.${l}`, "token", D);
    return wanted.last_hidden_state && l === L ? output("last_hidden_state", "token", D) : undefined;
  };
  const labelled = head?.classifier === "tokens" ? "token" : "sequence";
  return {
    all,
    states: Array.from({ length: L + 1 }, (_, l) => state(l)),
    attentions: wanted.attentions
      ? Array.from({ length: L }, (_, l) => output(`attentions.${l}`, "token", H, T))
      : undefined,
    pooled: wanted.pooler_output ? output("pooler_output", "sequence", D) : undefined,
    logits: wanted.logits ? output("logits", labelled, head?.labels.length ?? 0) : undefined,
    embedding: wanted.embedding ? output("embedding", "sequence", D) : undefined,
  };
}

async function write(core: Core, to: PackedInput, inputs: readonly EncoderInput[]): Promise<void> {
  const packed = packInputs(inputs, core.architecture.D);
  core.gpu.write(to.rows, packed.rows);
  core.gpu.write(to.spans, packed.spans);
  if (to.features) await writeVectors(core, packed, to.features);
}
