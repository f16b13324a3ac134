import { InputError, show } from "../../runtime/errors.js";
import type { DecoderCore, HostTensor } from "../core.js";
import { lengthOf, longest, type Source, type TokenLists } from "../inputs.js";
import type { Places } from "../results.js";
import type { Job } from "./job.js";
import { forward } from "./forward.js";

/** A head of the cross attention of a decoder layer. */
export interface HeadChoice {
  readonly layer: number;
  readonly head: number;
}

/** Whose attention to compute. */
export interface AttentionJob {
  /** What is fed to the decoder: the tokens that begin a target and those generated, but for the last. */
  readonly targets: TokenLists;
  readonly sources: readonly Source[];
  /** The source of each target. Default: that of its own number. */
  readonly sourceOf?: readonly number[];
  /** Default: all heads, layer by layer. */
  readonly heads?: readonly HeadChoice[];
  readonly signal?: AbortSignal;
}

const MOST = 2 ** 24; // numbers that a pass reads back: 64 MiB

/**
 * Weights of cross attention, f32[X,T,S] for each target: X the chosen heads in the order of their list, T its tokens, S
 * the rows of its source. Row t belongs to the query that was fed token t, and so predicts the next one. Decoders run
 * again over whole targets, as many at a time as 64 MiB of weights allow; the chosen heads alone are computed and read.
 * Throws InputError for heads that the model has not, and the signal's reason.
 */
export async function crossAttentions(
  core: DecoderCore,
  { targets, sources, sourceOf = [...targets.keys()], heads, signal }: AttentionJob,
): Promise<Float32Array[]> {
  const { depth, H } = core.architecture.decoder;
  const chosen = heads ?? Array.from({ length: depth * H }, (_, i) => ({ layer: Math.floor(i / H), head: i % H }));
  const odd = chosen.find(({ layer, head }) => !(layer >= 0 && layer < depth && head >= 0 && head < H));
  if (odd) throw new InputError(`heads: must be of layers below ${depth} and heads below ${H}, got ${show(odd)}`);
  const lists = Array.from({ length: depth }, (_, l) => [
    ...new Set(chosen.filter(({ layer }) => layer === l).map(({ head }) => head)),
  ]);
  const found: Float32Array[] = [];
  for (const pass of passesOf(
    targets,
    sourceOf.map((b) => lengthOf(sources[b])),
    chosen.length,
  )) {
    signal?.throwIfAborted();
    const own = [...new Set(pass.map((b) => sourceOf[b]))];
    const job = {
      targets: pass.map((b) => targets[b]),
      sources: own.map((b) => sources[b]),
      sourceOf: pass.map((b) => own.indexOf(sourceOf[b])),
    };
    const results = await forward(core, job, { heads: lists });
    results.targets.forEach((weights, i) => {
      const [T, S] = [job.targets[i].length, lengthOf(job.sources[job.sourceOf[i]])];
      const data = new Float32Array(chosen.length * T * S);
      chosen.forEach(({ layer, head }, x) => {
        const [packed, X, at] = [weights[`cross_attentions.${layer}`], lists[layer].length, lists[layer].indexOf(head)];
        const width = packed.length / T / X;
        for (let t = 0; t < T; t++) {
          const from = (t * X + at) * width;
          data.set(packed.subarray(from, from + S), (x * T + t) * S);
        }
      });
      found.push(data);
    });
  }
  return found;
}

/** The numbers of the targets in passes that read at most `MOST` weights, or a single target. */
function passesOf(targets: TokenLists, lengths: readonly number[], heads: number): number[][] {
  const passes: number[][] = [];
  let [tokens, S] = [0, 0];
  targets.forEach(({ length }, b) => {
    [tokens, S] = [tokens + length, Math.max(S, lengths[b])];
    if (b === 0 || tokens * S * heads > MOST) {
      passes.push([]);
      [tokens, S] = [length, lengths[b]];
    }
    passes[passes.length - 1].push(b);
  });
  return passes;
}

/** The tokens of a result after its prompt, and the number of its prompt. */
interface GeneratedRow {
  readonly ids: readonly number[];
  readonly prompt: number;
}

/**
 * The weights by which each generated token of each result was chosen, f32[rows,L,H,T,S]: T the most generated tokens, S
 * the width of the caller's sources; zeros after the end of a row and at padding.
 */
export async function generatedAttentions(
  core: DecoderCore,
  { prompts, sources = [] }: Job,
  rows: readonly GeneratedRow[],
  places: Places,
  signal: AbortSignal | undefined,
): Promise<HostTensor> {
  const { depth: L, H } = core.architecture.decoder;
  const [T, S] = [longest(rows.map(({ ids }) => ids)), places.width];
  const data = new Float32Array(rows.length * L * H * T * S);
  const filled = [...rows.keys()].filter((row) => rows[row].ids.length > 0);
  const targets = filled.map((row) => [...prompts[rows[row].prompt], ...rows[row].ids].slice(0, -1));
  const sourceOf = filled.map((row) => rows[row].prompt);
  const weights = await crossAttentions(core, { targets, sources, sourceOf, signal });
  weights.forEach((own, i) => {
    const [fed, count] = [targets[i].length, rows[filled[i]].ids.length];
    const columns = places.columns[sourceOf[i]];
    for (let x = 0; x < L * H; x++)
      for (let t = 0; t < count; t++) {
        const from = (x * fed + fed - count + t) * columns.length;
        const to = ((filled[i] * L * H + x) * T + t) * S;
        columns.forEach((column, s) => (data[to + column] = own[from + s]));
      }
  });
  return { dims: [rows.length, L, H, T, S], data };
}
