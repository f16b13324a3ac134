import { SEARCH } from "../../kernels/beam_reference.js";
import { beamStep } from "../../kernels/beam_step.js";
import { coverage } from "../../kernels/coverage.js";
import { logitsProcess } from "../../kernels/logits_process.js";
import { sample } from "../../kernels/sample.js";
import { topk } from "../../kernels/topk.js";
import { REPORT, type SearchReport } from "../../kernels/search_state.js";
import { type Plan, record } from "../../runtime/plan.js";
import type { Prepared } from "../../runtime/prepare.js";
import { type Tensor, tensor } from "../../runtime/tensor.js";
import type { DecoderCore } from "../core.js";
import { decoderStep } from "../graph/decoder.js";
import { createDecoderCache, type DecoderCache } from "./cache.js";
import { asLogProbs, type Generation, hasRules } from "./resolve.js";
import { type LedStart, type SearchSize, type SearchTensors, searchTensors, writeStart } from "./search_tensors.js";

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
  const state = searchTensors(core, cache, size, g);
  const free = (): void => {
    cache.dispose();
    core.gpu.memory.free(Object.values(state).filter((t) => t !== undefined));
  };
  try {
    const { plan, shown } = stepPlan(core, cache, state, g);
    const step = await core.gpu.prepare(plan);
    const chooses = plan.launches.findIndex(({ label }) => label === "topk" || label === "sample");
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
        if (seed !== undefined) step.set(chooses, { seed });
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

/** The plan of a step, and the lists of candidates that the host reads after it: of the search, then of `top_logprobs`. */
interface StepPlan {
  readonly plan: Plan;
  readonly shown: readonly Tensor[];
}

/**
 * A step: the decoder, the rules on scores if there are any, the choice of candidates, and `beam_step` for each group.
 */
function stepPlan(core: DecoderCore, cache: DecoderCache, state: SearchTensors, g: Generation): StepPlan {
  const { V, decoder } = core.architecture;
  const { indirection, past, cross, vectors } = cache;
  const { rows, scores, sentences, status, end_ids, rules, history, leads, attended, heads } = state;
  const ruled = hasRules(g);
  const shown: Tensor[] = [];
  const plan = record(
    "step",
    (run) => {
      const covered = attended && tensor("coverage", "f32", [rows.shape[0], 1, attended.shape[2]], "activation");
      const crossAttentions = covered && [...Array<undefined>(decoder.depth - 1), { weights: covered, heads }];
      const step = { rows, past, indirection, cross, vectors, logits: state.logits };
      const logits = decoderStep(run, core, step, { crossAttentions });
      if (covered) {
        const args = { rows, sentences, weights: covered, attended, scores };
        run(coverage, "coverage", args, { W: g.W, A: g.beamStep.A });
      }
      if (ruled) {
        const args = { rows, indirection, sentences, rules, leads, history, logits };
        run(logitsProcess, "logits_process", args, { ...g.rules, LOG_SOFTMAX: Number(g.beams > 1) });
      }
      const G = partsOf(core.gpu.info.software, g, V);
      const { values, indices } = g.sampling
        ? run(sample, "sample", { rows, logits }, g.sampling)
        : run(topk, "topk", { logits }, { G, C: Math.max(g.C, g.shown) });
      if (g.shown) shown.push(values, indices);
      if (g.sampling && g.top_logprobs) {
        const top = run(topk, "top_logprobs", { logits }, { G, C: g.top_logprobs });
        shown.push(top.values, top.indices);
      }
      const LOG_PROBS = asLogProbs(g);
      for (let group = 0; group < g.beamStep.groups; group++) {
        const args = { values, indices, end_ids, rows, scores, sentences, indirection, status };
        const rules = { ...g.beamStep, W: g.W, V, group, LOG_PROBS, SEARCH: SEARCH[g.search] };
        run(beamStep, "beam_step", args, rules);
      }
    },
    { status },
  );
  return { plan, shown };
}

/**
 * How many parts of the vocabulary `topk` scans in parallel: enough for one sentence to fill the lanes of a CPU adapter
 * or the cores of a GPU, but few, because `beam_step` merges them. They do not depend on the number of sentences, so
 * that the sums of a row do not depend on its batch.
 */
function partsOf(software: boolean, { W, C }: Generation, V: number): number {
  return Math.max(1, Math.min(Math.floor((software ? 16 : 64) / W), Math.floor(V / Math.max(512, 4 * C))));
}
