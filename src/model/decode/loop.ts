import { InputError } from "../../runtime/errors.js";
import { countLaunches, type Plan } from "../../runtime/plan.js";
import type { TypedArray } from "../../runtime/tensor.js";
import { compacted, pays } from "./compaction.js";
import type { DecoderCore } from "../core.js";
import { ancestors, cut, type Hypothesis, latest, type Report, trace } from "./reports.js";
import type { Generation } from "./options.js";
import { lease, type Search, type SentenceStart } from "./search.js";
import type { Capacity } from "./cache.js";
import type { Past } from "./past.js";

type Sentences = readonly (readonly number[])[];

/** What to decode: the tokens each target begins with (at least one), the sources of an encoder, and tokens computed before. */
export interface Job {
  readonly prompts: Sentences;
  readonly sources?: Sentences;
  /** Padding that the caller put before each prompt: rules on scores see it, as in Transformers; the model does not. */
  readonly pads?: Sentences;
  /** Where keys of the first tokens of each prompt lie, and of how many. */
  readonly known?: { readonly past: Past; readonly lengths: readonly number[] };
}

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

export interface DecodeHooks {
  readonly signal?: AbortSignal;
  /** Called after each step; a result of false ends decoding: every sentence is finished for the caller. */
  readonly onStep?: (reports: readonly Report[]) => boolean | void;
  /** Generated tokens that rows of a single beam keep when `onStep` ends decoding early. */
  readonly kept?: readonly (number | undefined)[];
}

function launchCounts(encode: Plan | undefined, step: Plan): Launches {
  const [all, inLayers] = [countLaunches(step), countLaunches(step, "decoder.layers")];
  return {
    encoder_layer: encode ? countLaunches(encode, "encoder.layers.0") : 0,
    decoder_layer: countLaunches(step, "decoder.layers.0"),
    outside: all - inLayers,
    step: all,
  };
}

const roundUp = (value: number, to: number): number => Math.ceil(value / to) * to;
const total = (sentences: Sentences): number => sentences.reduce((sum, { length }) => sum + length, 0);

/** Before the first step: all beams feed the last token of the prompt; what is before it lies in the prompt's first row. */
function firstStep({ prompts, pads }: Job, { n, W }: Capacity, g: Generation): SentenceStart[] {
  return prompts.flatMap((ids, b) => {
    const past = ids.slice(0, -1).map(() => b * n * W);
    const beams = Array.from({ length: W }, (_, w) => ({ id: ids[ids.length - 1], score: w === 0 ? 0 : -1e9, past }));
    const tokens = beams.map(() => ids.slice(0, -1));
    const limit = ids.length + g.newTokens;
    return Array.from({ length: n }, () => ({
      length: ids.length,
      prompt: ids.length,
      limit,
      tokens,
      beams,
      finished: [],
      pads: pads?.[b] ?? [],
    }));
  });
}

/**
 * The whole decoding loop on the device (FasterTransformer's `Decoding`): greedy search, sampling, or beam search as
 * Transformers 5 does it. The host submits steps ahead and reads their small reports late; no step waits for it.
 * Throws InputError when the model's logits are not finite, and the signal's reason when it aborts.
 */
export async function decode(core: DecoderCore, job: Job, g: Generation, hooks: DecodeHooks = {}): Promise<Decoded> {
  hooks.signal?.throwIfAborted();
  const { prompts, sources, known } = job;
  const longest = Math.max(...prompts.map(({ length }) => length));
  const capacity: Capacity = {
    B: prompts.length,
    n: g.samples * g.groups,
    W: g.W,
    M: roundUp(longest + g.newTokens, 16),
    S: sources ? roundUp(total(sources), 64) : 1,
  };
  let current = await lease(core, capacity, g);
  try {
    const { session, step } = current.search;
    const encodePlan = await session.encode(sources);
    const lengths = prompts.map((ids, b) => Math.min(known?.lengths[b] ?? 0, ids.length - 1)); // the first step feeds the last token
    await known?.past.copyInto(session.cache, capacity, lengths);
    const fresh = prompts.map((ids, b) => ids.slice(lengths[b], -1));
    if (fresh.some(({ length }) => length > 0)) await session.prompt(fresh, lengths);
    current.search.start(firstStep(job, capacity, g), g.sampling?.seed);
    const launches = launchCounts(encodePlan, step.plan);

    const reports: Report[] = [];
    let places = Array.from({ length: prompts.length * capacity.n }, (_, b) => b);
    let begun = 0;
    let compactions = 0;
    for (let going = true; going;) {
      going = await runSteps(core, current.search, job, places, g, reports, hooks, () => (begun ||= performance.now()));
      if (!going) break;
      const live = places.flatMap((place, b) => (place >= 0 && !latest(reports, b, g.W).done ? [b] : []));
      const next = await compacted(core, current, job, places, live, g, reports);
      current.release();
      current = next;
      compactions++;
      places = places.map((_, b) => live.indexOf(b));
    }
    return {
      hypotheses: prompts.map((_, b) => resultsOf(reports, b, g, hooks.kept)),
      steps: reports.length,
      ms: performance.now() - begun,
      launches,
      compactions,
    };
  } finally {
    current.release();
  }
}

/** Results of prompt b: of each of its samples; or the best of its beams, of all groups together. */
function resultsOf(reports: readonly Report[], b: number, g: Generation, kept: DecodeHooks["kept"]): Hypothesis[] {
  const n = g.samples * g.groups;
  const sentences = Array.from({ length: n }, (_, i) => b * n + i);
  if (g.beams === 1) {
    return sentences.map((sentence) => {
      const most = kept?.[sentence];
      return most === undefined ? trace(reports, sentence, 0, g) : cut(reports, sentence, most, g);
    });
  }
  const all = sentences.flatMap((sentence) =>
    latest(reports, sentence, g.W).finished.map((_, rank) => trace(reports, sentence, rank, g)),
  );
  return (g.groups > 1 ? all.sort((x, y) => y.score - x.score) : all).slice(0, g.returned);
}

/** Submits steps ahead and appends their reports. Resolves with true when the search should be compacted, false at the end. */
async function runSteps(
  core: DecoderCore,
  search: Search,
  job: Job,
  places: readonly number[],
  g: Generation,
  reports: Report[],
  { signal, onStep }: DecodeHooks,
  ran: () => void,
): Promise<boolean> {
  const ahead: Promise<TypedArray[]>[] = [];
  const depth = g.logits_processor ? 1 : core.gpu.readAhead;
  const sentences = places.filter((place) => place >= 0).length;
  let compact = false;
  try {
    for (let submitted = reports.length; ;) {
      while (!compact && ahead.length < depth && submitted < g.newTokens) {
        ahead.push(
          g.logits_processor ? stepOnHost(core, search, job, g, reports) : search.step.run({ read: search.report }),
        );
        submitted++;
      }
      const values = await ahead.shift();
      if (!values) {
        if (compact) return true; // all steps in flight have come home
        throw new Error("decoding: the last step must close every sentence");
      }
      signal?.throwIfAborted();
      reports.push({ values, places });
      ran();
      const [, , , [open, faults]] = values;
      if (faults)
        throw new InputError(
          `decoding: logits must be finite, step ${reports.length} has others in ${faults} parts; the weights or a kernel overflow`,
        );
      if (onStep?.(reports) === false || open === 0) return false;
      compact ||= pays(open, sentences, g.newTokens - reports.length - ahead.length, g);
    }
  } finally {
    for (const late of ahead) late.catch(() => {}); // over-run steps did nothing; a lost device is reported by what was awaited
  }
}

/** A step whose scores the caller's logits_processor changes: they come to the host and go back. */
async function stepOnHost(
  core: DecoderCore,
  { step, scoring, report }: Search,
  { prompts }: Job,
  g: Generation,
  reports: readonly Report[],
): Promise<TypedArray[]> {
  if (!scoring || !g.logits_processor) throw new Error("decoding: a search without scores for the host");
  const { logits, chooses } = scoring;
  const [R, V] = logits.shape;
  const [scores] = (await step.run({ launches: [0, chooses], read: [logits] })) as Float32Array<ArrayBuffer>[];
  const ids = Array.from({ length: R }, (_, r) => {
    const chosen = reports.length ? ancestors(reports, Math.floor(r / g.W), r % g.W, g.W) : [];
    return [...prompts[Math.floor((r * prompts.length) / R)], ...chosen.map(({ id }) => id)];
  });
  await g.logits_processor(
    ids,
    Array.from({ length: R }, (_, r) => scores.subarray(r * V, (r + 1) * V)),
  );
  core.gpu.write(logits, scores);
  return step.run({ launches: [chooses, step.plan.launches.length], read: report });
}
