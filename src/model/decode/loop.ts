import { countLaunches, type Plan } from "../../runtime/plan.js";
import type { DecoderCore } from "../core.js";
import { type Job, openBatch } from "./batch.js";
import { compactBatch } from "./compaction.js";
import type { Hypothesis, StepReports } from "./reports.js";
import type { Generation } from "./resolve.js";
import { type DecodeHooks, runSteps } from "./steps.js";

/** What a decoding gave, and what it took. */
export interface Decoded {
  /** For each prompt its results, best first. */
  readonly hypotheses: readonly (readonly Hypothesis[])[];
  /** Decoder steps that did work, and the time from the end of the first (which compiles) to the end of the last. */
  readonly steps: number;
  readonly ms: number;
  readonly launches: Launches;
  /** How often the sentences still open went on alone, in a smaller batch. */
  readonly compactions: number;
}

/** Launches of one encoder layer, one decoder layer's step, all that a step has outside its layers, and a whole step. */
export interface Launches {
  readonly encoder_layer: number;
  readonly decoder_layer: number;
  readonly outside: number;
  readonly step: number;
}

/**
 * The whole decoding loop on the device (FasterTransformer's `Decoding`): greedy search, sampling, or beam search as
 * Transformers 5 does it. The host submits steps ahead and reads their small reports late; no step waits for it.
 * Throws InputError when the model's logits are not finite, and the signal's reason when it aborts.
 */
export async function decode(core: DecoderCore, job: Job, g: Generation, hooks: DecodeHooks = {}): Promise<Decoded> {
  hooks.signal?.throwIfAborted();
  const opened = await openBatch(core, job, g);
  let { batch } = opened;
  const { reports } = batch;
  try {
    const launches = launchCounts(opened.encoded, batch.search.step.plan);
    let begun = 0;
    let compactions = 0;
    const onFirst = (): void => void (begun ||= performance.now());
    while (await runSteps(core, batch, { ...hooks, onFirst })) {
      const next = await compactBatch(core, batch);
      batch.search.release();
      batch = next;
      compactions++;
    }
    return {
      hypotheses: job.prompts.map((_, b) => resultsOf(reports, b, g, hooks.kept)),
      steps: reports.length,
      ms: performance.now() - begun,
      launches,
      compactions,
    };
  } finally {
    batch.search.release();
  }
}

function launchCounts(encode: Plan | undefined, step: Plan): Launches {
  const all = countLaunches(step);
  return {
    encoder_layer: encode ? countLaunches(encode, "encoder.layers.0") : 0,
    decoder_layer: countLaunches(step, "decoder.layers.0"),
    outside: all - countLaunches(step, "decoder.layers"),
    step: all,
  };
}

/** Results of prompt b: of each of its samples; or the best of its beams, of all groups together. */
function resultsOf(reports: StepReports, b: number, g: Generation, kept: DecodeHooks["kept"]): Hypothesis[] {
  const sentences = Array.from({ length: g.n }, (_, i) => b * g.n + i);
  if (g.beams === 1) {
    return sentences.map((sentence) => {
      const count = kept?.[sentence];
      return count === undefined ? reports.hypothesis(sentence, 0) : reports.truncate(sentence, count);
    });
  }
  const all = sentences.flatMap((sentence) =>
    reports.latest(sentence).finished.map((_, rank) => reports.hypothesis(sentence, rank)),
  );
  return (g.beamStep.groups > 1 ? all.sort((x, y) => y.score - x.score) : all).slice(0, g.returned);
}
