import { REPORT, type SearchReport } from "../../kernels/search_state.js";
import type { Prepared } from "../../runtime/prepare.js";
import type { Tensor } from "../../runtime/tensor.js";
import type { DecoderCore } from "../core.js";
import { createDecoderCache, type DecoderCache } from "./cache.js";
import type { Generation } from "./resolve.js";
import { type LedStart, type SearchSize, searchTensors, writeStart } from "./search_tensors.js";
import { stepPlan } from "./step_plan.js";

/** The decoding loop on the device: a cache, and a prepared step that continues all its sentences. */
export interface Search {
  readonly cache: DecoderCache;
  /** How many ids the lead of a sentence may have. */
  readonly lead: number;
  readonly step: Prepared;
  /** The index of the launch that chooses tokens by their scores. */
  readonly chooses: number;
  /** Scores f32[R,V], if a logits_processor changes them on the host before tokens are chosen. */
  readonly logits: Tensor | undefined;
  /**
   * The tensors that the host reads after each step, in the order of `REPORT`; then the lists of candidates that are
   * shown.
   */
  readonly report: readonly Tensor[];
  /** The state that was written before the first step. */
  readonly started: SearchReport;
  /** Writes the state of the sentences before a step, and the seed for sampling. */
  start(sentences: readonly LedStart[], seed?: number): void;
  /** Makes the search idle, for calls of the same shape. */
  release(): void;
  /** Frees its memory. */
  dispose(): void;
}

/**
 * A started search, an idle one of the same shape if there is one. `fill` fills its cache and returns its sentences;
 * when it throws, the search leaves nothing on the device. The caller releases it.
 */
export async function acquireSearch(
  core: DecoderCore,
  size: SearchSize,
  g: Generation,
  fill: (cache: DecoderCache) => Promise<readonly LedStart[]>,
): Promise<Search> {
  // All that the plan of a step depends on; other settings, such as the seed, may differ between calls.
  const { beams, C, shown, search: kind, beamStep, rules, lists, renormalize, logits_processor } = g;
  const sampling = g.sampling && { ...g.sampling, seed: 0 };
  const recorded = { size, beams, C, shown, kind, beamStep, rules, lists, renormalize, sampling };
  const key = JSON.stringify([recorded, Boolean(logits_processor)]);
  const create = (): Promise<Search> => createSearch(core, size, g, () => core.idle.release(key, search));
  const search: Search = await core.idle.acquire(key, create);
  try {
    search.start(await fill(search.cache), g.sampling?.seed);
    return search;
  } catch (error) {
    search.dispose();
    throw error;
  }
}

async function createSearch(core: DecoderCore, size: SearchSize, g: Generation, release: () => void): Promise<Search> {
  const cache = createDecoderCache(core, size.capacity);
  const state = searchTensors(core.architecture, cache.rows, size, g);
  const free = (): void => {
    cache.dispose();
    core.gpu.memory.free(Object.values(state).filter((t) => t !== undefined));
  };
  try {
    const { plan, shown } = stepPlan(core, cache, state, g, core.gpu.class.adapter);
    const step = await core.gpu.prepare(plan);
    const chooses = plan.launches.findIndex(({ label }) => ["topk", "sample_parts", "sample"].includes(label));
    let started: SearchReport;
    return {
      cache,
      lead: size.lead,
      step,
      chooses,
      logits: state.logits,
      report: [...REPORT.map((name) => state[name]), ...shown],
      get started() {
        return started;
      },
      start(sentences, seed) {
        for (const [index, { kernel }] of plan.launches.entries())
          if (seed !== undefined && kernel.params.includes("seed")) step.set(index, { seed });
        started = writeStart(core.gpu, cache, state, g, sentences);
      },
      release,
      dispose() {
        step.dispose();
        free();
      },
    };
  } catch (error) {
    free();
    throw error;
  }
}
