import { beamStep } from "../../kernels/beam_step.js";
import { coverage } from "../../kernels/coverage.js";
import { logitsProcess } from "../../kernels/logits_process.js";
import { sample } from "../../kernels/sample.js";
import { entriesOf, partsOf as partsOfDraw, sampleParts } from "../../kernels/sample_parts.js";
import { topk } from "../../kernels/topk.js";
import type { AdapterClass } from "../../runtime/device_class.js";
import { type Plan, record, type Run } from "../../runtime/plan.js";
import { prefix, type Tensor, tensor } from "../../runtime/tensor.js";
import type { DecoderModel } from "../graph/architecture.js";
import { decoderStep } from "../graph/decoder.js";
import type { LoopSizes } from "./sizes.js";
import type { LoopTensors } from "./tensors.js";
import { type Generation, hasRules } from "../decode/resolve.js";

/** What a step does, which is what its rows need; their options are no part of it. */
export interface StepKind {
  /** How many rows take part: the first ones. */
  readonly R: number;
  /** Whether any takes the best tokens, draws tokens, has rules on scores. */
  readonly best: boolean;
  readonly drawn: boolean;
  readonly ruled: boolean;
  /** Whether the host reads the candidates. */
  readonly shown: boolean;
  /** How many of the best logits of each part a draw may look at, where parts are drawn from first. */
  readonly entries: number;
  /** How many of the best tokens of drawn rows it reads too. */
  readonly top: number;
  /** Whether the coverage of any row's source counts. */
  readonly covered: boolean;
}

/** What a step of the first R rows does for calls of these options, over a vocabulary of V. */
export function kindOf(calls: readonly Generation[], R: number, V: number, adapter: AdapterClass): StepKind {
  const drawn = calls.flatMap(({ sampling }) => sampling ?? []);
  return {
    R,
    best: calls.some((g) => !g.sampling),
    drawn: drawn.length > 0,
    ruled: calls.some(hasRules),
    shown: calls.some((g) => g.shown > 0),
    entries: adapter === "cpu" ? 0 : Math.max(0, ...drawn.map((sampling) => entriesOf(V, sampling))),
    top: Math.max(...calls.map((g) => (g.sampling ? g.top_logprobs : 0))),
    covered: calls.some((g) => g.beamStep.coverage_penalty > 0),
  };
}

/** The plan of a step, and the lists of candidates that the host reads after it: of the search, then of drawn rows. */
export interface StepPlan {
  readonly plan: Plan;
  readonly shown: readonly Tensor[];
}

/**
 * A step of the first R rows: the decoder, the rules on scores if there are any, the choice of candidates, and
 * `beam_step`; they are chosen from as suits the `adapter`.
 */
export function stepPlan(
  model: DecoderModel,
  held: LoopTensors,
  { W, C }: Pick<LoopSizes, "W" | "C">,
  kind: StepKind,
  adapter: AdapterClass,
): StepPlan {
  const { V, decoder } = model.architecture;
  const { pool, cross, vectors, scores, sentences, status, lists, heads } = held;
  const first = (t: Tensor): Tensor => prefix(t, [kind.R, ...t.shape.slice(1)]);
  const [rows, indirection] = [first(held.rows), first(held.indirection)];
  const attended = kind.covered && held.attended ? first(held.attended) : undefined;
  const shown: Tensor[] = [];
  const plan = record(
    "step",
    (run) => {
      const covered = attended && tensor("coverage", "f32", [kind.R, 1, attended.shape[2]], "activation");
      const crossAttentions = covered && [...Array<undefined>(decoder.depth - 1), { weights: covered, heads }];
      const step = { rows, past: pool.past, indirection, cross, vectors, logits: held.logits && first(held.logits) };
      const logits = decoderStep(run, model, step, { crossAttentions });
      if (covered) run(coverage, "coverage", { rows, sentences, weights: covered, attended, scores }, {});
      if (kind.ruled) {
        const args = { rows, indirection, sentences, lists, history: pool.history, logits };
        run(logitsProcess, "logits_process", args, {});
      }
      const G = partsOf(adapter, W, V);
      const chosen = choose(run, { rows, sentences, logits }, kind, { G, C }, adapter);
      if (kind.shown) shown.push(chosen.values, chosen.indices);
      if (kind.top) {
        const top = run(topk, "top_logprobs", { logits }, { G, C: kind.top });
        shown.push(top.values, top.indices);
      }
      const args = { ...chosen, lists, rows, scores, sentences, indirection, status };
      run(beamStep, "beam_step", args, { W, V });
    },
    { status },
  );
  return { plan, shown };
}

/** The candidates of each row: its best tokens, or the one that is drawn; on a GPU many workgroups look at its logits first. */
function choose(
  run: Run,
  given: Readonly<Record<"rows" | "sentences" | "logits", Tensor>>,
  { best, drawn, entries }: StepKind,
  sizes: Readonly<Record<"G" | "C", number>>,
  adapter: AdapterClass,
): Readonly<Record<"values" | "indices", Tensor>> {
  const lists = best ? run(topk, "topk", given, sizes) : undefined;
  if (!drawn) return lists as Readonly<Record<"values" | "indices", Tensor>>;
  const split = adapter === "cpu" ? { P: 0, X: 0 } : { P: partsOfDraw(given.logits.shape[1]), X: entries };
  const parts = adapter === "cpu" ? {} : run(sampleParts, "sample_parts", given, split);
  return run(sample, "sample", { ...given, ...parts, ...lists }, { ...sizes, ...split });
}

/**
 * How many parts of the vocabulary `topk` scans in parallel: enough for one sentence to fill the lanes of a CPU adapter
 * or the cores of a GPU, but few, because `beam_step` merges them. On a CPU adapter they depend on the vocabulary alone, so
 * that the sums of a row are the same whatever is beside it.
 */
const partsOf = (adapter: AdapterClass, W: number, V: number): number =>
  Math.max(1, Math.min(adapter === "cpu" ? 8 : Math.min(64, Math.floor(512 / W)), Math.floor(V / 512)));
