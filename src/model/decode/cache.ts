import type { Copy, Gpu } from "../../runtime/gpu.js";
import type { Plan } from "../../runtime/plan.js";
import type { Tensor } from "../../runtime/tensor.js";
import type { DecoderCore } from "../core.js";
import { memoryWidth } from "../graph/architecture.js";
import type { CrossKeys, PastKeys } from "../graph/decoder.js";
import { writeVectors } from "../encode/features.js";
import { rotaryTable } from "../graph/positions.js";
import { createIdleCache } from "../idle.js";
import { packInputs, packRows, type Source, type TokenLists } from "../inputs.js";
import { cacheTensors, type Capacity, CHUNK, encodePlan, promptPlan } from "./cache_plans.js";

/**
 * Device memory for B prompts that are continued in R = B*n*W rows: keys and values of their sources and of their past.
 */
export interface DecoderCache {
  readonly capacity: Capacity;
  /** u32[R,4]: the token that each row feeds next. */
  readonly rows: Tensor;
  /** Keys and values of the past. */
  readonly past: PastKeys;
  /** Keys and values of the sources; absent without an encoder. */
  readonly cross: CrossKeys | undefined;
  /** f32[N,D]: what ids of the prompts from V on stand for; absent where prompts are tokens. */
  readonly vectors: Tensor | undefined;
  /** u32[2,R,M]: the row that holds each token of a row's past, in the two tables of `tableAt`. */
  readonly indirection: Tensor;
  /** First row and number of rows of each source that was last encoded. */
  readonly sourceSpans: Uint32Array<ArrayBuffer>;
  /**
   * Runs the encoder, unless the sources are its output, and stores keys and values for each decoder layer; of a source
   * that several prompts share, once. Returns the plan that it ran; undefined without an encoder.
   */
  encode(sources: readonly Source[]): Promise<Plan | undefined>;
  /** Writes what ids from V on stand for. */
  writeVectors(values: Float32Array<ArrayBuffer>): void;
  /**
   * Runs the decoder over the next tokens of each prompt, which has `lengths` tokens so far; their keys go to its first
   * row.
   */
  prompt(tokens: TokenLists, lengths: readonly number[]): Promise<void>;
  /** Copies prompts of one sentence from another cache, which differs in B alone: prompt i from place `from[i]`. */
  adopt(other: DecoderCache, from: readonly number[]): Promise<void>;
  /** Frees its memory. */
  dispose(): void;
}

const PLANS = 16; // shapes of sources and prompts whose plans stay prepared

/** A cache of this capacity. */
export function createDecoderCache(core: DecoderCore, capacity: Capacity): DecoderCache {
  const { gpu, architecture } = core;
  const { B, n, W, M, S } = capacity;
  const held = cacheTensors(architecture, capacity);
  const { rows, indirection, past, cross, source, prompt, vectors } = held;
  const { E, rotary } = architecture.decoder;
  if (rotary && past.rotary) gpu.write(past.rotary, rotaryTable(rotary, M, E));
  const plans = createPlanRunner(gpu);
  let sourceSpans = new Uint32Array(2 * B);
  const writeSpans = (spans: Uint32Array<ArrayBuffer>): void => {
    if (!cross) return;
    sourceSpans = spans;
    gpu.write(source.spans, spans);
    gpu.write(cross.spans, repeatPairs(spans, n));
  };
  const self: DecoderCache = {
    capacity,
    rows,
    indirection,
    past,
    cross,
    vectors,
    get sourceSpans() {
      return sourceSpans;
    },
    async encode(sources) {
      if (!cross) return undefined;
      const own = [...new Set(sources)];
      const packed = packInputs(own, architecture.D, memoryWidth(architecture));
      const { kind, rows, spans } = packed;
      const build = (): Plan => encodePlan(core, held, packed);
      const plan = await plans.run(`encode ${rows.length} ${kind}`, build, async () => {
        gpu.write(source.rows, rows);
        gpu.write(
          source.spans,
          new Uint32Array(2 * B).map((_, i) => spans[i]),
        );
        await writeVectors(core, packed, source.vectors);
      });
      const at = new Map(own.map((one, b) => [one, 2 * b]));
      const spanOf = (one: Source): number[] => {
        const first = at.get(one) as number;
        return [spans[first], spans[first + 1]];
      };
      writeSpans(Uint32Array.from(sources.flatMap(spanOf)));
      return plan;
    },
    writeVectors(values) {
      if (vectors) gpu.write(vectors, values);
    },
    async prompt(tokens, lengths) {
      const packed = packRows(tokens, lengths);
      const spans = tokens.flatMap(({ length }, b) => [b * n * W * M, lengths[b] + length]);
      for (let first = 0; first < packed.length / 4; first += CHUNK) {
        const N = Math.min(CHUNK, packed.length / 4 - first);
        const build = (): Plan => promptPlan(core, held, N, n * W);
        await plans.run(`prompt ${N}`, build, async () => {
          gpu.write(prompt.spans, Uint32Array.from(spans));
          gpu.write(prompt.rows, packed.subarray(4 * first, 4 * (first + N)));
        });
      }
    },
    async adopt(other, from) {
      const slots = from.map(() => n * W * M);
      const sources = (cross?.kv ?? []).flatMap((to, l) =>
        other.cross ? [{ from: other.cross.kv[l], fromAt: 0, to, toAt: 0, count: S * to.shape[1] }] : [],
      );
      await gpu.copy([...pastCopies(other, self, from, slots), ...sources]);
      writeSpans(Uint32Array.from(from.flatMap((b) => [...other.sourceSpans.subarray(2 * b, 2 * b + 2)])));
    },
    dispose() {
      plans.dispose();
      gpu.memory.free(held.all);
    },
  };
  return self;
}

/** Repeats each pair of values n times. */
const repeatPairs = (pairs: Uint32Array<ArrayBuffer>, n: number): Uint32Array<ArrayBuffer> =>
  Uint32Array.from({ length: pairs.length * n }, (_, i) => pairs[2 * Math.floor(i / 2 / n) + (i % 2)]);

/** Runs plans, which stay prepared for later runs of the same key; `write` writes their inputs. */
function createPlanRunner(gpu: Gpu) {
  const idle = createIdleCache(PLANS);
  return {
    async run(key: string, build: () => Plan, write: () => Promise<void>): Promise<Plan> {
      const prepared = await idle.acquire(key, () => gpu.prepare(build()));
      try {
        await write();
        await prepared.run();
        return prepared.plan;
      } finally {
        idle.release(key, prepared);
      }
    },
    dispose: () => idle.dispose(),
  };
}

/**
 * The copies of keys and values that take the first `slots[i]` slots of prompt `prompts[i]` to prompt i of another
 * cache.
 */
export function pastCopies(
  from: DecoderCache,
  to: DecoderCache,
  prompts: readonly number[],
  slots: readonly number[],
): Copy[] {
  const slotsOf = ({ capacity: { n, W, M } }: DecoderCache): number => n * W * M;
  return from.past.caches.flatMap((cache, l) => {
    const width = cache.shape[2];
    return prompts.flatMap((b, i) =>
      slots[i] === 0
        ? []
        : {
            from: cache,
            fromAt: b * slotsOf(from) * width,
            to: to.past.caches[l],
            toAt: i * slotsOf(to) * width,
            count: slots[i] * width,
          },
    );
  });
}
