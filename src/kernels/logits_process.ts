import direct from "../../shaders/logits_process.wgsl";
import shared from "../../shaders/logits_process.shared.wgsl";
import constants from "../../shaders/parts/constants.wgsl";
import common from "../../shaders/parts/logits_process.wgsl";
import searchState from "../../shaders/parts/search_state.wgsl";
import settings from "../../shaders/parts/settings.wgsl";
import timestamps from "../../shaders/parts/timestamps.wgsl";
import { defineKernel, type Values } from "../runtime/kernel.js";
import { joinShader } from "../runtime/wgsl.js";
import { BANNED, LARGEST, LOWEST, NO_ID } from "./constants.js";
import { readSettings } from "./search_host.js";
import { FLAG, mostHypotheses, ROW, ROW_FIELDS, SENTENCE, type Settings, TABLES, tableAt } from "./search_state.js";

/** The rules on scores that are lists of token ids. */
export interface RuleLists {
  /** Tokens that end a row. */
  readonly end: readonly number[];
  /** Tokens that are never generated. */
  readonly suppress: readonly number[];
  /** Tokens that are never generated first. */
  readonly begin_suppress: readonly number[];
  /** Sequences whose last token is banned after the others. */
  readonly banned: readonly (readonly number[])[];
}

/**
 * The lists of a sentence, where its setting `lists` says in the argument `lists` u32[X]: the lengths of the four lists,
 * the ids of the first three, then each banned sequence after its length.
 */
export function packRules({ end, suppress, begin_suppress, banned }: RuleLists): Uint32Array<ArrayBuffer> {
  const counts = [end, suppress, begin_suppress, banned].map(({ length }) => length);
  const sequences = banned.flatMap((ids) => [ids.length, ...ids]);
  return Uint32Array.from(counts.concat(end, suppress, begin_suppress, sequences));
}

/** What the rules see in place of the first tokens of a sentence: what its caller gave, padding among it. */
export interface Lead {
  readonly ids: readonly number[];
  /** How many tokens of the sentence are among the ids. */
  readonly covered: number;
  /** The token that must follow a single one; NO_ID where any may. */
  readonly forced_bos: number;
}

/** The settings of a sentence whose lead has its ids at this place in `lists`. */
export function leadSettings({ ids, covered, forced_bos }: Lead, at: number) {
  const other = ids.findIndex((id) => id !== ids[0]);
  const run = other < 0 ? ids.length : other;
  return {
    lead_count: ids.length,
    lead_covered: covered,
    lead_at: at,
    lead_first: Math.max(0, run - 1),
    forced_bos,
  } as const satisfies Partial<Settings>;
}

/** The lists of a sentence that begin at this place in `lists`. */
function unpackRules(lists: Values, at: number): RuleLists {
  const [ends, suppressed, begin, sequences] = [0, 1, 2, 3].map((i) => lists[at + i]);
  let next = at + 4;
  const take = (count: number): number[] => Array.from({ length: count }, () => lists[next++]);
  const [end, suppress, begin_suppress] = [take(ends), take(suppressed), take(begin)];
  return { end, suppress, begin_suppress, banned: Array.from({ length: sequences }, () => take(lists[next++])) };
}

/**
 * Applies the rules to the scores of one row, in place and in f64. `ids` are its tokens so far, of which `start` were
 * given, and it has at most `limit`; `d` has the settings of its sentence.
 */
export function applyRules(
  scores: number[],
  ids: readonly number[],
  { start, limit }: { readonly start: number; readonly limit: number },
  lists: RuleLists,
  d: Settings,
): number[] {
  const n = d.no_repeat_ngram_size;
  const ban = (banned: Iterable<number>): void => {
    for (const id of banned) scores[id] = LOWEST;
  };
  const force = (id: number): void => scores.forEach((_, v) => (scores[v] = v === id ? 0 : LOWEST));
  for (const id of new Set(ids)) {
    const repeated = scores[id] < 0 ? scores[id] * d.repetition_penalty : scores[id] / d.repetition_penalty;
    const result = repeated - d.presence_penalty;
    const overflows = Math.abs(scores[id]) <= LARGEST && Math.abs(result) > LARGEST;
    scores[id] = overflows ? Math.sign(result) * -LOWEST : result;
  }
  if (n > 0) {
    const tail = ids.slice(ids.length - (n - 1)).join();
    for (let i = 0; i + n <= ids.length; i++)
      if (n === 1 || ids.slice(i, i + n - 1).join() === tail) ban([ids[i + n - 1]]);
  }
  for (const sequence of lists.banned) {
    const before = sequence.slice(0, -1);
    if (!before.length || (sequence.length <= ids.length && ids.slice(-before.length).join() === before.join()))
      ban(sequence.slice(-1));
  }
  if (ids.length - start < d.min_new_tokens) ban(lists.end);
  if (d.forced_bos !== NO_ID && ids.length === 1) force(d.forced_bos);
  if (d.forced_eos !== NO_ID && ids.length === limit - 1) force(d.forced_eos);
  ban(lists.suppress);
  if (ids.length === start + (start === 1 ? d.begin : 0)) ban(lists.begin_suppress);
  if (d.no_timestamps !== NO_ID) keepTimestamps(scores, ids, start, lists.end[0], d);
  return scores;
}

/**
 * Whisper's rule for the row `ids`, of which `start` were given, in f64: timestamps, the ids above `no_timestamps`, stand
 * in pairs that never go back, and nothing else is allowed where they are more probable than any text token. `end` is
 * the first end id.
 */
function keepTimestamps(scores: number[], ids: readonly number[], start: number, end: number, d: Settings): void {
  const begin = d.no_timestamps + 1;
  const ban = (banned: (id: number) => boolean): void => scores.forEach((_, v) => banned(v) && (scores[v] = LOWEST));
  const isTimestamp = (id: number): boolean => id >= begin;
  const chosen = ids.slice(start);
  ban((v) => v === d.no_timestamps);
  const closes = chosen.length > 0 && isTimestamp(chosen[chosen.length - 1]);
  const opened = chosen.length < 2 || isTimestamp(chosen[chosen.length - 2]);
  if (closes) ban(opened ? isTimestamp : (v) => v < end);
  const last = chosen.findLast(isTimestamp);
  if (last !== undefined) ban((v) => isTimestamp(v) && v < last + (closes && !opened ? 0 : 1));
  if (chosen.length === 0) ban((v) => !isTimestamp(v) || v > begin + d.max_initial);
  const logSum = (list: readonly number[]): number => {
    const top = Math.max(...list);
    return top + Math.log(list.reduce((sum, score) => sum + Math.exp(score - top), 0));
  };
  const times = scores.filter((score, v) => isTimestamp(v) && score > BANNED);
  const text = Math.max(...scores.filter((_, v) => !isTimestamp(v)));
  if (times.length && logSum(times) > text) ban((v) => !isTimestamp(v));
}

/** Invocations a row, with about 8 logits each. */
const lanesOf = (V: number): number => Math.min(256, 2 ** Math.ceil(Math.log2(Math.max(64, V / 8))));

/**
 * Applies the rules of generation to the scores of each row whose sentence has any, in place and in the order of Transformers: repetition and
 * presence penalties, n-gram blocking, banned sequences, no end id before the minimum, forced first and last token,
 * suppressed tokens, Whisper's timestamps after the id `no_timestamps` (NO_ID: no such rule; it needs an end id), of which the first is at
 * most `max_initial` above the lowest. The flag `log_softmax` turns the scores into log-probabilities first. Also records the row's token in
 * `history`, at the slot of the row. Other rows are left alone. rows u32[R,4]; indirection u32[R,3,M]; sentences u32[B,Y]; lists u32[X], each
 * sentence's by `packRules` and the ids of its lead; history u32[Z]; logits f32[R,V]. Numerics and source:
 * shaders/logits_process*.wgsl.
 */
export const logitsProcess = defineKernel({
  name: "logits_process",
  reads: {
    rows: "u32[R,4]",
    indirection: "u32[R,3,M]",
    sentences: "u32[B,Y]",
    lists: "u32[X]",
    status: "u32[2]?",
  },
  writes: { history: "u32[Z]", logits: "f32[R,V]" },
  params: [],
  constants: [],
  variants: [
    {
      name: "shared",
      wgsl: joinShader(shared, common, timestamps, searchState, settings, constants),
      for: "gpu",
      groups: ({ R }) => R,
      // a bitmap of the vocabulary, or of 65,536 of its ids at a time
      constants: ({ V }) => ({ LANES: lanesOf(V), WORDS: Math.min(2048, Math.ceil(V / 32)) }),
      tunings: () => [{ LANES: 64 }, { LANES: 128 }, { LANES: 256 }],
    },
    {
      name: "direct",
      wgsl: joinShader(direct, common, timestamps, searchState, settings, constants),
      groups: ({ R }) => Math.ceil(R / 64),
    },
  ],
  bytes: ({ R, V }) => 8 * R * V,
  flops: ({ R, V }) => 4 * R * V,
  reference({ R, V, M, Y }, { rows, indirection, sentences, lists, history, logits }) {
    for (let r = 0; r < R; r++) {
      const [id, position, sentence] = [ROW.id, ROW.position, ROW.sentence].map(
        (field) => rows[r * ROW_FIELDS + field],
      );
      if (sentence === NO_ID) continue;
      const asked = readSettings(sentences, sentence, mostHypotheses(Y));
      if (!(asked.flags & FLAG.ruled)) continue;
      const slot = (t: number): number => indirection[(TABLES * r + tableAt(position)) * M + t];
      history[slot(position)] = id;
      const own = Array.from({ length: position + 1 }, (_, t) => history[slot(t)]);
      const given = Array.from({ length: asked.lead_count }, (_, i) => lists[asked.lead_at + i]);
      const ids = [...given, ...own.slice(asked.lead_covered)];
      const scores = Array.from({ length: V }, (_, v) => logits[r * V + v]);
      if (asked.flags & FLAG.log_softmax) {
        const top = scores.reduce((most, score) => Math.max(most, score), -Infinity);
        const logTotal = Math.log(scores.reduce((sum, score) => sum + Math.exp(score - top), 0));
        scores.forEach((score, v) => (scores[v] = score - top - logTotal));
      }
      const lead = asked.lead_count - asked.lead_covered;
      const [start, limit] = [SENTENCE.start, SENTENCE.limit].map((field) => lead + sentences[sentence * Y + field]);
      const rules = unpackRules(lists, asked.lists);
      applyRules(scores, ids, { start, limit }, rules, asked).forEach((score, v) => (logits[r * V + v] = score));
    }
  },
});
