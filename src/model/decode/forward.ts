import { type Plan, record } from "../../runtime/plan.js";
import { type Tensor, tensor, type TypedArray } from "../../runtime/tensor.js";
import type { DecoderCore } from "../core.js";
import { writeVectors } from "../encode/features.js";
import { checkFinite } from "../finite.js";
import { memoryWidth } from "../graph/architecture.js";
import { decoderPrompt, lmHead, sourceKeys } from "../graph/decoder.js";
import { encodeSource, type Observed, type PackedSource } from "../graph/encoder.js";
import { rotaryTable } from "../graph/positions.js";
import { lengthOf, longest, packInputs, packRows, packSpans, type Source, totalLength } from "../inputs.js";
import { type SequenceResults, sequencesOf } from "../results.js";
import {
  type ForwardJob,
  type ForwardWanted,
  sourceOutputs,
  type TargetOutputs,
  targetOutputs,
} from "./forward_outputs.js";

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

/** The rows of the targets, their spans, and those of their sources. */
interface TargetInput {
  readonly rows: Tensor;
  readonly spans: Tensor;
  readonly crossSpans: Tensor;
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
  const own = packSpans(sources);
  const cross = targets.flatMap((_, b) => [...own.subarray(2 * (sourceOf?.[b] ?? b), 2 * (sourceOf?.[b] ?? b) + 2)]);
  return {
    rows: put("target_rows", [totalLength(targets), 4], packRows(targets)),
    spans: put("target_spans", [targets.length, 2], packSpans(targets)),
    crossSpans: put("cross_spans", [targets.length, 2], Uint32Array.from(cross)),
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
  const { rows, spans, crossSpans, rotary, vectors } = target;
  const { logits, states, attentions, crossAttentions } = outputs.target;
  return record("forward", (run) => {
    const hidden = source && encodeSource(run, core, source, outputs.source);
    const cross = hidden && { kv: sourceKeys(run, core, hidden), spans: crossSpans };
    const prompt = { rows, spans, past: { rotary }, rowsPerPrompt: 1, cross, vectors };
    const decoded = decoderPrompt(run, core, prompt, {
      states,
      attentions: attentions.map((weights) => ({ weights })),
      crossAttentions: crossAttentions.map((weights, l) => weights && { weights, heads: heads?.[l] }),
    });
    if (logits) lmHead(run, core, decoded, logits);
  });
}
