import { type Plan, record } from "../../runtime/plan.js";
import { type Tensor, tensor, type TypedArray } from "../../runtime/tensor.js";
import type { DecoderCore } from "../core.js";
import { writeVectors } from "../encode/features.js";
import { encoderOutputs } from "../encode/prepared_batch.js";
import { checkFinite } from "../finite.js";
import { memoryWidth } from "../graph/architecture.js";
import { decoderPrompt, lmHead, type ObservedDecoder, sourceKeys } from "../graph/decoder.js";
import { encodeSource, type Observed, type PackedSource } from "../graph/encoder.js";
import { rotaryTable } from "../graph/positions.js";
import {
  lengthOf,
  longest,
  packInputs,
  packRows,
  packSpans,
  type Source,
  type TokenLists,
  totalLength,
} from "../inputs.js";
import { type Output, type SequenceResults, sequencesOf } from "../results.js";

/** What one pass reads. */
export interface ForwardJob {
  /** What the decoder is fed. */
  readonly targets: TokenLists;
  /** What it attends to, in models with an encoder. */
  readonly sources?: readonly Source[];
  /** The source of each target. Default: that of its own number. */
  readonly sourceOf?: readonly number[];
  /** f32[N,D]: what ids of the targets from V on stand for. */
  readonly vectors?: Float32Array<ArrayBuffer>;
}

/** Which results of a pass to read. */
export interface ForwardWanted {
  /** `logits` of the targets. */
  readonly logits?: boolean;
  /** `last_hidden_state` of the encoder. */
  readonly last_hidden_state?: boolean;
  /** `hidden_states.0` after the embeddings, and others after each layer, in both stacks. */
  readonly hidden_states?: boolean;
  /** Weights of self attention, `attentions.0` and so on, in both stacks. */
  readonly attentions?: boolean;
  /** Weights of cross attention, `cross_attentions.0` and so on: in each layer those of the heads in its list. */
  readonly heads?: readonly (readonly number[])[];
}

/** Results of one pass for each target and each source. */
export interface Forward {
  readonly targets: readonly SequenceResults[];
  readonly sources: readonly SequenceResults[];
}

/**
 * Runs the encoder over `sources`, in models that have one and unless they are its output, and the decoder over
 * `targets`, in one plan over packed rows. Throws InputError when a result is not finite.
 */
export async function forward(core: DecoderCore, job: ForwardJob, wanted: ForwardWanted): Promise<Forward> {
  const { gpu } = core;
  const { targets, sources = [] } = job;
  const held: Tensor[] = [];
  const put: Put = (name, shape, data) => {
    const made = tensor(name, data instanceof Uint32Array ? "u32" : "f32", shape);
    held.push(made);
    gpu.write(made, data);
    return made;
  };
  const [source, target] = [sourceOutputs(core, sources, wanted), targetOutputs(core, job, wanted)];
  const outputs = [...target.all, ...source.all].map(({ data }) => data);
  try {
    const heads = wanted.heads?.map((own, l) =>
      own.length ? put(`heads.${l}`, [own.length], Uint32Array.from(own)) : undefined,
    );
    const inputs = { source: await putSources(core, sources, put, held), target: putTargets(core, job, put), heads };
    const prepared = await gpu.prepare(forwardPlan(core, inputs, { source, target }));
    try {
      const values = (await prepared.run({ read: outputs })) as Float32Array[];
      const count = target.all.length;
      const results = {
        targets: sequencesOf(target.all, values.slice(0, count), targets.map(lengthOf)),
        sources: sequencesOf(source.all, values.slice(count), sources.map(lengthOf)),
      };
      results.targets.forEach((own, row) => checkResults("", own, row));
      results.sources.forEach((own, row) => checkResults("encoder_", own, row));
      return results;
    } finally {
      prepared.dispose();
    }
  } finally {
    gpu.memory.free([...held, ...outputs]);
  }
}

function checkResults(side: string, results: SequenceResults, row: number): void {
  for (const [name, values] of Object.entries(results)) checkFinite(side + name, values, row);
}

/** Results, and where the graph writes them. */
type Outputs<O> = O & { readonly all: readonly Output[] };

function sourceOutputs(
  { architecture }: DecoderCore,
  sources: readonly Source[],
  wanted: ForwardWanted,
): Outputs<Observed> {
  if (!architecture.encoder || sources.some((source) => "states" in source)) return { all: [] };
  const { last_hidden_state, hidden_states, attentions } = wanted;
  const [N, B, T] = [totalLength(sources), sources.length, longestOf(sources)];
  return encoderOutputs(architecture, { N, B, T }, { last_hidden_state, hidden_states, attentions });
}

const longestOf = (sequences: TokenLists | readonly Source[]): number =>
  sequences.reduce((most, sequence) => Math.max(most, lengthOf(sequence)), 0);

interface TargetOutputs extends Outputs<Pick<ObservedDecoder, "states">> {
  readonly logits: Tensor | undefined;
  readonly attentions: readonly Tensor[];
  readonly crossAttentions: readonly (Tensor | undefined)[];
}

function targetOutputs(
  { architecture: { D, V, decoder } }: DecoderCore,
  { targets, sources = [] }: ForwardJob,
  { logits, hidden_states, attentions, heads = [] }: ForwardWanted,
): TargetOutputs {
  const { depth, H } = decoder;
  const all: Output[] = [];
  const add = (name: string, ...columns: number[]): Tensor => {
    const data = tensor(name, "f32", [totalLength(targets), ...columns]);
    all.push({ per: "token", data });
    return data;
  };
  const layers = <T>(count: number, build: (l: number) => T): T[] => Array.from({ length: count }, (_, l) => build(l));
  const [T, S] = [longest(targets), longestOf(sources)];
  return {
    all,
    logits: logits ? add("logits", V) : undefined,
    states: hidden_states ? layers(depth + 1, (l) => add(`hidden_states.${l}`, D)) : [],
    attentions: attentions ? layers(depth, (l) => add(`attentions.${l}`, H, T)) : [],
    crossAttentions: heads.map((own, l) => (own.length ? add(`cross_attentions.${l}`, own.length, S) : undefined)),
  };
}

/** Declares an input of the plan and writes its values. */
type Put = (name: string, shape: readonly number[], data: TypedArray) => Tensor;

async function putSources(
  core: DecoderCore,
  sources: readonly Source[],
  put: Put,
  held: Tensor[],
): Promise<PackedSource | undefined> {
  const { architecture } = core;
  if (!architecture.encoder) return undefined;
  const packed = packInputs(sources, architecture.D, memoryWidth(architecture));
  const N = packed.rows.length / 4;
  const read = {
    rows: put("source_rows", [N, 4], packed.rows),
    spans: put("source_spans", [sources.length, 2], packed.spans),
  };
  if (packed.kind === "ids") return read;
  const vectors = tensor("source_vectors", "f32", [N, packed.width]);
  held.push(vectors);
  await writeVectors(core, packed, vectors);
  return { ...read, ...(packed.kind === "states" ? { states: vectors } : { features: vectors }) };
}

/** The rows of the targets, and where their tokens are in caches of M slots a target. */
interface TargetInput {
  readonly rows: Tensor;
  readonly spans: Tensor;
  /** The spans of their sources. */
  readonly crossSpans: Tensor;
  readonly M: number;
  readonly rotary: Tensor | undefined;
  readonly vectors: Tensor | undefined;
}

function putTargets(
  { architecture: { D, decoder } }: DecoderCore,
  { targets, sources = [], sourceOf, vectors }: ForwardJob,
  put: Put,
): TargetInput {
  const { E, rotary } = decoder;
  const M = longest(targets);
  const spans = Uint32Array.from(targets.flatMap(({ length }, b) => [b * M, length]));
  const own = packSpans(sources);
  const cross = targets.flatMap((_, b) => [...own.subarray(2 * (sourceOf?.[b] ?? b), 2 * (sourceOf?.[b] ?? b) + 2)]);
  return {
    rows: put("target_rows", [totalLength(targets), 4], packRows(targets)),
    spans: put("target_spans", [targets.length, 2], spans),
    crossSpans: put("cross_spans", [targets.length, 2], Uint32Array.from(cross)),
    M,
    rotary: rotary && put("rotary", [M, E], rotaryTable(rotary, M, E)),
    vectors: vectors && put("vectors", [vectors.length / D, D], vectors),
  };
}

interface ForwardInputs {
  readonly source: PackedSource | undefined;
  readonly target: TargetInput;
  /** In each layer. */
  readonly heads: readonly (Tensor | undefined)[] | undefined;
}

function forwardPlan(
  core: DecoderCore,
  { source, target, heads }: ForwardInputs,
  outputs: { readonly source: Observed; readonly target: TargetOutputs },
): Plan {
  const { depth, K, E } = core.architecture.decoder;
  const { rows, spans, crossSpans, M, rotary, vectors } = target;
  const { logits, states, attentions, crossAttentions } = outputs.target;
  return record("forward", (run) => {
    const hidden = source && encodeSource(run, core, source, outputs.source);
    const caches = Array.from({ length: depth }, (_, l) =>
      tensor(`decoder.layers.${l}.cache`, "f32", [spans.shape[0], M, 2 * K * E], "activation"),
    );
    const cross = hidden && { kv: sourceKeys(run, core, hidden), spans: crossSpans };
    const prompt = { rows, spans, past: { caches, rotary }, rowsPerPrompt: 1, cross, vectors };
    const decoded = decoderPrompt(run, core, prompt, {
      states,
      attentions: attentions.map((weights) => ({ weights })),
      crossAttentions: crossAttentions.map((weights, l) => weights && { weights, heads: heads?.[l] }),
    });
    if (logits) lmHead(run, core, decoded, logits);
  });
}
