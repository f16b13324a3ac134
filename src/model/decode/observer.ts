import { EARLY_STOPPING, ended, penalised } from "../../kernels/beam_reference.js";
import { BANNED } from "../../kernels/constants.js";
import { readSentence, type SentenceReport } from "../../kernels/search_host.js";
import { candidatesOf, type SeenCandidate, type SeenStep } from "./candidates.js";
import type { StepReports } from "./reports.js";
import type { Generation } from "./resolve.js";
import type {
  SearchStep,
  SentenceName,
  SentenceStep,
  StepCandidate,
  StepHypothesis,
  StepToken,
} from "./search_step.js";

/** Describes the last step of a search; `kept` has the tokens of rows that a stop string has ended. */
export type Observer = (reports: StepReports, seen: SeenStep, kept?: readonly (number | undefined)[]) => SearchStep;

/** A search whose steps are described: the host reads the best 2*W candidates of each row, whatever groups displace. */
export const shown = (g: Generation): Generation => ({ ...g, shown: Math.max(g.shown, g.W + g.beams) });

/** An observer, to be called after each step of a search; `name` says who sentence b is. */
export function createObserver(g: Generation, name: (b: number) => SentenceName): Observer {
  const stopped = new Set<number>(); // by a stop string
  return (reports, seen, kept = []) => {
    const sentences = seen.places.flatMap((place, b): SentenceStep[] => {
      if (place < 0 || stopped.has(b)) return [];
      const before = readSentence(seen.before, place, seen.A);
      if (before.done) return [];
      const after = readSentence(seen.after, place, seen.A);
      const found = candidatesOf(seen, place);
      const step = { ...name(b), candidates: judge(g, before, after, found) };
      const count = kept[b];
      if (count !== undefined && !after.done) {
        stopped.add(b);
        const { ids, score, logProbs } = reports.truncate(b, count);
        const only = { token_ids: ids, score, logprobs: logProbs, step: reports.length, parent: 0 };
        return [{ ...step, beams: [], finished: [only], done: "stop_string" }];
      }
      const finished = hypothesesOf(reports, b, after, step.alternative === undefined ? 0 : 1);
      if (!after.done) return [{ ...step, beams: beamsOf(after), finished }];
      return [{ ...step, beams: [], finished, done: whyDone(g, after, found) }];
    });
    return { step: reports.length, sentences };
  };
}

const isLive = ({ score }: { readonly score: number }): boolean => score > BANNED;

const beamsOf = ({ beams, length, start, settings }: SentenceReport): StepToken[] =>
  beams.filter(isLive).map(({ id, parent, logProb, score }) => ({
    token_id: id,
    parent,
    logprob: logProb,
    score,
    ranking_score: penalised(settings, score, length - start),
  }));

/** The candidates of a step, best first, and what the device made of each. */
function judge(
  g: Generation,
  before: SentenceReport,
  after: SentenceReport,
  found: readonly SeenCandidate[],
): StepCandidate[] {
  const { W } = g;
  const going = found.filter((one) => !leaves(g, after, one)).slice(0, W); // they go on, unless the sentence is done
  const beams = after.done ? [] : after.beams;
  return found
    .filter((one, rank) => rank < 2 * W || going.includes(one))
    .map((one): StepCandidate => {
      const token = tokenOf(g, after, one);
      const stays = ended(before.settings, before.slots, one.w); // what its beam has ended with
      const { length, parent } = stays ?? { length: after.length, parent: one.w };
      const isOwn = after.finished.some((h) => h.length === length && h.parent === parent && h.id === one.id);
      if (isOwn && !stays) return { ...token, fate: "finished" };
      const beam = beams.findIndex((other) => isLive(other) && other.parent === one.w && other.id === one.id);
      if (beam >= 0) {
        const { logProb, score } = beams[beam];
        return { ...token, logprob: logProb, score, fate: "kept", beam };
      }
      if (isOwn) return { ...token, fate: "kept" };
      if (going.includes(one)) return { ...token, fate: "cut", reason: "done" };
      const list = leaves(g, after, one) ? found : going;
      if (list === found && found.indexOf(one) < W) return { ...token, fate: "cut", reason: "worse" };
      const reason = one.score + (one.handicap ?? 0) > list[W - 1].score ? "diversity" : "rank";
      return { ...token, fate: "cut", reason };
    })
    .filter(({ fate }, rank) => rank < 2 * W || fate !== "cut");
}

/** Whether a candidate that is good enough ends, and makes place for others. */
const leaves = ({ search, lists }: Generation, { length, limit }: SentenceReport, { id }: SeenCandidate): boolean =>
  search === "transformers" && (length >= limit || lists.end.includes(id));

const tokenOf = (g: Generation, { length, start, settings }: SentenceReport, one: SeenCandidate): StepToken => ({
  token_id: one.id,
  parent: one.w,
  logprob: one.logProb,
  score: one.total,
  ranking_score: g.search === "opennmt" ? one.score : penalised(settings, one.total, length - start),
});

/** The finished hypotheses of sentence b; they begin with so many tokens that were there before the first step. */
const hypothesesOf = (reports: StepReports, b: number, { finished }: SentenceReport, begun: number): StepHypothesis[] =>
  finished
    .map(({ parent }, rank) => {
      const { ids, score, logProbs } = reports.hypothesis(b, rank);
      return { token_ids: ids, score, logprobs: logProbs, step: ids.length - begun, parent };
    })
    .sort((x, y) => y.score - x.score);

function whyDone(g: Generation, after: SentenceReport, found: readonly SeenCandidate[]): SentenceStep["done"] {
  const { length, limit, finished } = after;
  if (g.beams === 1 || g.search === "opennmt") {
    if (finished.length === 0) return "no_candidate";
    return finished.every(({ id }) => g.lists.end.includes(id)) ? "ended" : "max_length";
  }
  if (length >= limit) return "max_length";
  if (found.every((one) => leaves(g, after, one))) return "no_candidate";
  const { A, early_stopping } = g.beamStep;
  return finished.length === A && early_stopping === EARLY_STOPPING.true ? "early_stopping" : "no_better";
}
