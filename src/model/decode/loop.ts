import { OptionError } from "../../runtime/errors.js";
import { countLaunches, type Plan } from "../../runtime/plan.js";
import type { DecoderCore } from "../core.js";
import { type Job, openBatch } from "./batch.js";
import { compactBatch } from "./compaction.js";
import { type Hypothesis, REDUNDANT, type StepReports } from "./reports.js";
import type { Generation } from "./resolve.js";
import { type DecodeHooks, runSteps } from "./steps.js";

/** The results of a decoding, and what it took. */
export interface Decoded {
  /** The results of each prompt, best first. */
  readonly hypotheses: readonly (readonly Hypothesis[])[];
  /**
   * Decoder steps that did work, and milliseconds from the end of the first (which compiles) to the end of the last.
   */
  readonly steps: number;
  readonly ms: number;
  readonly launches: Launches;
  /** How often the open sentences went on in a smaller batch. */
  readonly compactions: number;
}

/** Numbers of launches. */
export interface Launches {
  /** Of one encoder layer; 0 without an encoder. */
  readonly encoder_layer: number;
  /** Of one decoder layer in a step. */
  readonly decoder_layer: number;
  /** Of a step outside its layers. */
  readonly outside: number;
  /** Of a whole step. */
  readonly step: number;
}

/**
 * The whole decoding loop on the device (FasterTransformer's `Decoding`): greedy search, sampling, or beam search as in
 * Transformers 5. The host submits steps ahead of time and reads their small reports later, so that no step waits for
 * the host. Throws InputError when the logits are not finite, OptionError when no token is allowed, and the signal's
 * reason when it aborts.
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

/**
 * The results of prompt b: one for each of its samples, or the best hypotheses of all its beam groups together. Results
 * that a search did not find have no tokens and come last, as in Transformers. Throws OptionError when there is none.
 */
function resultsOf(reports: StepReports, b: number, g: Generation, kept: DecodeHooks["kept"]): Hypothesis[] {
  const sentences = Array.from({ length: g.n }, (_, i) => b * g.n + i);
  const counts = sentences.map((sentence) => (kept?.[sentence] === undefined ? finishedOf(reports, sentence) : 1));
  const stuck = g.beams === 1 ? counts.indexOf(0) : counts.every((count) => count === 0) ? 0 : -1;
  if (stuck >= 0) {
    const { length, start } = reports.latest(sentences[stuck]);
    throw new OptionError(
      `generate: step ${length - start}: no token is allowed in row ${b}; suppress or ban fewer (suppress_tokens, bad_words_ids, no_repeat_ngram_size, min_new_tokens, logits_processor), or generate fewer`,
    );
  }
  if (g.beams === 1) {
    return sentences.map((sentence) => {
      const count = kept?.[sentence];
      return count === undefined ? reports.hypothesis(sentence, 0) : reports.truncate(sentence, count);
    });
  }
  const all = sentences.flatMap((sentence, i) =>
    Array.from({ length: counts[i] }, (_, rank) => reports.hypothesis(sentence, rank)),
  );
  const ranked = g.beamStep.groups > 1 ? all.sort((x, y) => y.score - x.score) : all;
  const none = { ids: [], score: REDUNDANT, logProbs: [], top: [] };
  return Array.from({ length: g.returned }, (_, rank) => ranked[rank] ?? none);
}

const finishedOf = (reports: StepReports, sentence: number): number => reports.latest(sentence).finished.length;
