import { SEARCH } from "../../kernels/beam_reference.js";
import { beamStep } from "../../kernels/beam_step.js";
import { coverage } from "../../kernels/coverage.js";
import { logitsProcess } from "../../kernels/logits_process.js";
import { sample } from "../../kernels/sample.js";
import { partsOfDraw, sampleParts } from "../../kernels/sample_parts.js";
import { topk } from "../../kernels/topk.js";
import { type Plan, record, type Run } from "../../runtime/plan.js";
import type { AdapterClass } from "../../runtime/device_class.js";
import { type Tensor, tensor } from "../../runtime/tensor.js";
import type { DecoderModel } from "../graph/architecture.js";
import { decoderStep } from "../graph/decoder.js";
import type { CacheTensors } from "./cache_plans.js";
import { asLogProbs, type Generation, hasRules } from "./resolve.js";
import type { SearchTensors } from "./search_tensors.js";

/** The plan of a step, and the lists of candidates that the host reads after it: of the search, then of `top_logprobs`. */
export interface StepPlan {
  readonly plan: Plan;
  readonly shown: readonly Tensor[];
}

/** The tensors of a cache that a step reads. */
type StepCache = Pick<CacheTensors, "indirection" | "past" | "cross" | "vectors">;

/**
 * A step: the decoder, the rules on scores if there are any, the choice of candidates, and `beam_step` for each group;
 * they are chosen from as suits the `adapter`.
 */
export function stepPlan(
  model: DecoderModel,
  cache: StepCache,
  state: SearchTensors,
  g: Generation,
  adapter: AdapterClass,
): StepPlan {
  const { V, decoder } = model.architecture;
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
      const logits = decoderStep(run, model, step, { crossAttentions });
      if (covered) {
        const args = { rows, sentences, weights: covered, attended, scores };
        run(coverage, "coverage", args, { W: g.W, A: g.beamStep.A });
      }
      if (ruled) {
        const args = { rows, indirection, sentences, rules, leads, history, logits };
        run(logitsProcess, "logits_process", args, { ...g.rules, LOG_SOFTMAX: Number(g.beams > 1) });
      }
      const G = partsOf(adapter, g, V);
      const { values, indices } = g.sampling
        ? draw(run, { rows, logits }, g.sampling, adapter)
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

/** A token for each row; on a GPU many workgroups look at the logits of a row first. */
function draw(
  run: Run,
  given: Readonly<Record<"rows" | "logits", Tensor>>,
  sampling: NonNullable<Generation["sampling"]>,
  adapter: AdapterClass,
) {
  const { temperature, seed } = sampling;
  const sizes = adapter === "cpu" ? { G: 0, C: 0 } : partsOfDraw(given.logits.shape[1], sampling);
  const parts = adapter === "cpu" ? {} : run(sampleParts, "sample_parts", given, { ...sizes, temperature, seed });
  return run(sample, "sample", { ...given, ...parts }, { ...sampling, ...sizes });
}

/**
 * How many parts of the vocabulary `topk` scans in parallel: enough for one sentence to fill the lanes of a CPU adapter
 * or the cores of a GPU, but few, because `beam_step` merges them. They do not depend on the number of sentences, so
 * that the sums of a row do not depend on its batch.
 */
function partsOf(adapter: AdapterClass, { W, C }: Generation, V: number): number {
  return Math.max(1, Math.min(Math.floor((adapter === "cpu" ? 16 : 64) / W), Math.floor(V / Math.max(512, 4 * C))));
}
