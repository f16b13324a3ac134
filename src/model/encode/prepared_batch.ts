import { record } from "../../runtime/plan.js";
import { type Tensor, tensor } from "../../runtime/tensor.js";
import type { Core } from "../core.js";
import type { Architecture, Stack } from "../graph/architecture.js";
import { encoder, type PackedInput } from "../graph/encoder.js";
import { head, type PoolingChoice, sentenceVectors } from "../graph/heads.js";
import { type EncoderInput, lengthOf, packInputs } from "../inputs.js";

/** What to bring back of an encoder's run. */
export interface Wanted {
  readonly last_hidden_state?: boolean;
  /** After the embeddings and after each layer. */
  readonly hidden_states?: boolean;
  readonly attentions?: boolean;
  readonly pooler_output?: boolean;
  readonly logits?: boolean;
  readonly embedding?: PoolingChoice;
}

/** Results of one sequence by name (`hidden_states.3`, `attentions.0`): a row for each of its tokens, or one row for all of it. */
export type Encoded = Readonly<Record<string, Float32Array>>;

/** Sizes of a batch: N tokens (or rows of features) in B sequences, none longer than T where that matters. */
export interface BatchSize {
  readonly N: number;
  readonly B: number;
  readonly T: number;
  readonly features: boolean;
}

/** An encoder with its head, recorded and prepared for batches of one size. */
export interface PreparedBatch {
  /** Results in the order of `inputs`. Throws InputError when their kinds or widths differ. */
  run(inputs: readonly EncoderInput[]): Promise<Encoded[]>;
  dispose(): void;
}

export async function prepareBatch(core: Core, size: BatchSize, wanted: Wanted): Promise<PreparedBatch> {
  const { gpu, architecture } = core;
  const { N, B, features } = size;
  const packed: PackedInput = {
    rows: tensor("rows", "u32", [N, 4]),
    spans: tensor("spans", "u32", [B, 2]),
    ...(features && { features: tensor("features", "f32", [N, architecture.D]) }),
  };
  const outputs = createOutputs(architecture, size, wanted);
  const { states, attentions, pooled, logits, embedding } = outputs;
  const plan = record("encode", (run) => {
    const hidden = encoder(run, core, packed, { states, attentions });
    if (pooled || logits) head(run, core, hidden, packed.spans, { pooled, logits });
    if (embedding && wanted.embedding) sentenceVectors(run, hidden, packed.spans, wanted.embedding, embedding);
  });
  const prepared = await gpu.prepare(plan);
  return {
    async run(inputs) {
      write(core, packed, inputs);
      const values = await prepared.run({ read: outputs.all.map(({ data }) => data) });
      return sequencesOf(outputs.all, values as Float32Array[], inputs.map(lengthOf));
    },
    dispose() {
      prepared.dispose();
      gpu.memory.free([...Object.values(packed), ...outputs.all.map(({ data }) => data)]);
    },
  };
}

/** A result: f32[N,...columns] with a row a token, or f32[B,...columns] with a row a sequence. */
interface Output {
  readonly per: "token" | "sequence";
  readonly data: Tensor;
}

function createOutputs({ D, encoder, head }: Architecture, { N, B, T }: BatchSize, wanted: Wanted) {
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

function write({ gpu, architecture: { D } }: Core, packed: PackedInput, inputs: readonly EncoderInput[]): void {
  const { rows, spans, features } = packInputs(inputs, D);
  gpu.write(packed.rows, rows);
  gpu.write(packed.spans, spans);
  if (packed.features && features) gpu.write(packed.features, features);
}

/** The rows of each sequence, of every output. */
function sequencesOf(
  outputs: readonly Output[],
  values: readonly Float32Array[],
  lengths: readonly number[],
): Encoded[] {
  let first = 0; // of the sequence's tokens
  return lengths.map((length, b) => {
    const own = outputs.map(({ per, data }, index) => {
      const columns = values[index].length / data.shape[0];
      const [from, count] = per === "token" ? [first, length] : [b, 1];
      return [data.name, values[index].slice(from * columns, (from + count) * columns)] as const;
    });
    first += length;
    return Object.fromEntries(own);
  });
}
