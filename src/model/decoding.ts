import { InputError } from "../runtime/errors.js";
import { launches, type Plan } from "../runtime/plan.js";
import type { TypedArray } from "../runtime/tensor.js";
import type { Core } from "./core.js";
import type { Generation } from "./options.js";
import { createSearch, type Search } from "./search.js";
import type { Capacity } from "./session.js";
import type { Past } from "./state.js";

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

/** One result of a sentence: the tokens after its prompt, and its score. */
export interface Hypothesis {
  readonly ids: readonly number[];
  readonly score: number;
  /** Log-probability of each token, after generation rules. */
  readonly logProbs: readonly number[];
}

export interface Decoded {
  /** For each prompt its results, best first. */
  readonly hypotheses: readonly (readonly Hypothesis[])[];
  /** Decoder steps that did work, and the time from the end of the first (which compiles) to the end of the last. */
  readonly steps: number;
  readonly ms: number;
  readonly launches: Launches;
}

/** Launches of one encoder layer, one decoder layer's step, all that a step has outside its layers, and a whole step. */
export interface Launches {
  readonly encoder_layer: number;
  readonly decoder_layer: number;
  readonly outside: number;
  readonly step: number;
}

/** What the host reads of each step: rows u32[R,4], scores f32[4,R], sentences u32[B*n,4+3*W], status u32[2]. */
export type Report = readonly TypedArray[];

export interface DecodeHooks {
  readonly signal?: AbortSignal;
  /** Called after each step; a result of false ends decoding: every sentence is finished for the caller. */
  readonly onStep?: (reports: readonly Report[]) => boolean | void;
  /** Generated tokens that rows of a single beam keep when `onStep` ends decoding early. */
  readonly kept?: readonly (number | undefined)[];
}

function countLaunches(encode: Plan | undefined, step: Plan): Launches {
  const [all, inLayers] = [launches(step), launches(step, "decoder.layers")];
  return {
    encoder_layer: encode ? launches(encode, "encoder.layers.0") : 0, decoder_layer: launches(step, "decoder.layers.0"),
    outside: all - inLayers, step: all,
  };
}

const roundUp = (value: number, to: number): number => Math.ceil(value / to) * to;
const total = (sentences: Sentences): number => sentences.reduce((sum, { length }) => sum + length, 0);

/**
 * The whole decoding loop on the device (FasterTransformer's `Decoding`): greedy search, sampling, or beam search as
 * Transformers 5 does it. The host submits steps ahead and reads their small reports late; no step waits for it.
 * Throws InputError when the model's logits are not finite, and the signal's reason when it aborts.
 */
export async function decode(core: Core, { prompts, sources, pads, known }: Job, g: Generation, hooks: DecodeHooks = {}): Promise<Decoded> {
  hooks.signal?.throwIfAborted();
  const longest = Math.max(...prompts.map(({ length }) => length));
  const capacity: Capacity = {
    B: prompts.length, n: g.samples, W: g.W, M: roundUp(longest + g.newTokens, 16), S: sources ? roundUp(total(sources), 64) : 1,
  };
  const key = JSON.stringify([capacity, { ...g, returned: 0, pad: 0, start: 0, stop_strings: [], logits_processor: Boolean(g.logits_processor) }]);
  const search = await core.pool.take(key, () => createSearch(core, capacity, g));
  try {
    const encodePlan = await search.session.encode(sources);
    const lengths = prompts.map((ids, b) => Math.min(known?.lengths[b] ?? 0, ids.length - 1)); // the first step feeds the last token
    await known?.past.copyInto(search.session.cache, capacity, lengths);
    const fresh = prompts.map((ids, b) => ids.slice(lengths[b], -1));
    if (fresh.some(({ length }) => length > 0)) await search.session.prompt(fresh, lengths);
    search.reset(prompts, pads);
    const { reports, ms } = await runSteps(core, search, prompts, g, hooks);
    const results = g.samples > 1 ? g.samples : g.returned;
    const hypothesis = (b: number, i: number): Hypothesis => {
      const [sentence, rank] = g.samples > 1 ? [b * g.samples + i, 0] : [b, i];
      const kept = hooks.kept?.[sentence];
      return kept === undefined ? trace(reports, sentence, rank, g) : cut(reports, sentence, kept, g);
    };
    return {
      hypotheses: prompts.map((_, b) => Array.from({ length: results }, (_, i) => hypothesis(b, i))),
      steps: reports.length,
      ms,
      launches: countLaunches(encodePlan, search.step.plan),
    };
  } finally {
    core.pool.give(key, search);
  }
}

async function runSteps(
  core: Core, search: Search, prompts: Sentences, g: Generation, { signal, onStep }: DecodeHooks,
): Promise<{ reports: Report[]; ms: number }> {
  const reports: Report[] = [];
  let first = 0;
  const ahead: Promise<TypedArray[]>[] = [];
  const depth = g.logits_processor ? 1 : core.gpu.readAhead;
  const submit = (): Promise<TypedArray[]> =>
    g.logits_processor ? stepOnHost(core, search, prompts, g, reports) : search.step.run({ read: search.report });
  try {
    for (let submitted = 0; ; ) {
      while (ahead.length < depth && submitted < g.newTokens) {
        ahead.push(submit());
        submitted++;
      }
      const report = await ahead.shift();
      if (!report) throw new Error("decoding: the last step must close every sentence");
      signal?.throwIfAborted();
      reports.push(report);
      first ||= performance.now();
      const [, , , [open, faults]] = report;
      if (faults) throw new InputError(`decoding: logits must be finite, step ${reports.length} has others in ${faults} parts; the weights or a kernel overflow`);
      if (onStep?.(reports) === false || open === 0) return { reports, ms: performance.now() - first };
    }
  } finally {
    for (const late of ahead) late.catch(() => {}); // over-run steps did nothing; a lost device is reported by what was awaited
  }
}

/** A step whose scores the caller's logits_processor changes: they come to the host and go back. */
async function stepOnHost(core: Core, { step, scoring, report }: Search, prompts: Sentences, g: Generation, reports: readonly Report[]): Promise<TypedArray[]> {
  if (!scoring || !g.logits_processor) throw new Error("decoding: a search without scores for the host");
  const { logits, chooses } = scoring;
  const [R, V] = logits.shape;
  const [scores] = (await step.run({ steps: [0, chooses], read: [logits] })) as Float32Array<ArrayBuffer>[];
  const rowsOf = R / prompts.length;
  const ids = Array.from({ length: R }, (_, r) => {
    const chosen = [...ancestors(reports, Math.floor(r / g.W), r % g.W, g.W, reports.length - 1)].reverse();
    return [...prompts[Math.floor(r / rowsOf)], ...chosen.map(({ id }) => id)];
  });
  await g.logits_processor(ids, Array.from({ length: R }, (_, r) => scores.subarray(r * V, (r + 1) * V)));
  core.gpu.write(logits, scores);
  return step.run({ steps: [chooses, step.plan.steps.length], read: report });
}

interface Link {
  readonly id: number;
  readonly logProb: number;
}

/** Tokens that beam w of sentence b has chosen up to a step, the last first. */
export function* ancestors(reports: readonly Report[], b: number, w: number, W: number, step: number): Generator<Link> {
  for (let beam = w; step >= 0; step--) {
    const row = b * W + beam;
    const [rows, scores] = reports[step];
    yield { id: rows[4 * row], logProb: scores[scores.length / 2 + row] };
    beam = rows[4 * row + 3];
  }
}

/** The finished hypothesis of this rank: walked back through the parents that each step reported; scores add up in f64. */
export function trace(reports: readonly Report[], b: number, rank: number, { W, length_penalty }: Generation): Hypothesis {
  const [, scores, sentences] = reports[reports.length - 1];
  const sentence = sentences.subarray(b * (4 + 3 * W), (b + 1) * (4 + 3 * W));
  const [length, parent, last] = sentence.subarray(4 + 3 * rank);
  const generated = length - sentence[1];
  const end = { id: last, logProb: scores[(3 * scores.length) / 4 + b * W + rank] };
  const links = [end, ...ancestors(reports, b, parent, W, generated - 2)].reverse();
  const logProbs = links.map(({ logProb }) => logProb);
  const score = logProbs.reduce((sum, logProb) => sum + logProb, 0) / generated ** length_penalty;
  return { ids: links.map(({ id }) => id), score, logProbs };
}

/** The first tokens of a sentence of one beam, finished or not. */
function cut(reports: readonly Report[], b: number, kept: number, g: Generation): Hypothesis {
  const done = reports[reports.length - 1][2][b * (4 + 3 * g.W) + 3] === 1;
  const running = (): Link[] => [...ancestors(reports, b, 0, g.W, reports.length - 1)].reverse();
  const whole = done ? trace(reports, b, 0, g) : { ids: running().map(({ id }) => id), logProbs: running().map(({ logProb }) => logProb) };
  const logProbs = whole.logProbs.slice(0, kept);
  return { ids: whole.ids.slice(0, kept), logProbs, score: logProbs.reduce((sum, logProb) => sum + logProb, 0) / kept ** g.length_penalty };
}
