import { LOWEST } from "../../kernels/constants.js";
import { type Lead, leadSettings } from "../../kernels/logits_process.js";
import type { SentenceStart } from "../../kernels/search_host.js";
import { FLAG, PLAIN, type Settings } from "../../kernels/search_state.js";
import { type Job, NO_LEAD } from "../decode/job.js";
import { REDUNDANT } from "../decode/reports.js";
import { asLogProbs, type Generation, hasRules } from "../decode/resolve.js";

/** Where a sentence is: its first row, its lists, and the ids that its rules see in place of tokens. */
export interface SentencePlace {
  readonly first: number;
  readonly lists: number;
  readonly leadAt: number;
}

/** What the device knows of the options of sentence i of prompt b, which has `C` candidates a row. */
export function settingsOf(job: Job, g: Generation, b: number, i: number, at: SentencePlace): Settings {
  const { A, groups, ...search } = g.beamStep;
  const ruled = hasRules(g);
  const flags = [
    [FLAG.samples, g.sampling !== undefined],
    [FLAG.ruled, ruled],
    [FLAG.log_softmax, ruled && g.beams > 1],
    [FLAG.log_probs, asLogProbs(g) === 1],
    [FLAG.opennmt, g.search === "opennmt"],
  ] as const;
  return {
    ...PLAIN,
    ...search,
    ...g.rules,
    ...g.sampling,
    ...leadSettings(leadOf(job, g, b), at.leadAt),
    first: at.first,
    W: g.W,
    A,
    C: Math.max(g.C, g.shown),
    lists: at.lists,
    flags: flags.reduce((all, [bit, isSet]) => all | (isSet ? bit : 0), 0),
    groups,
    group: i % groups,
    draw: b * g.n + i,
  };
}

/** What the rules see in place of the first tokens of prompt b, and the token that must follow a single one. */
export const leadOf = ({ leads }: Job, g: Generation, b: number): Lead => ({
  ...(hasRules(g) ? (leads?.[b] ?? NO_LEAD) : NO_LEAD),
  forced_bos: g.forced_bos[b],
});

/**
 * Sentence i of prompt b before its first step, in which all beams feed the last token of the prompt. They are equal:
 * only the first may be continued.
 */
export function firstStep(job: Job, g: Generation, b: number, i: number, at: SentencePlace): SentenceStart {
  const { prompts, chosen } = job;
  const ids = prompts[b];
  const redundant = g.search === "opennmt" ? LOWEST : REDUNDANT;
  const start = ids.length - Number(chosen !== undefined);
  return {
    length: ids.length,
    start,
    limit: start + g.newTokens,
    settings: settingsOf(job, g, b, i, at),
    beams: Array.from({ length: g.W }, (_, w) => ({
      id: ids[ids.length - 1],
      score: w === 0 ? (chosen?.[b].logProb ?? 0) : redundant,
    })),
  };
}
