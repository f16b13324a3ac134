import type { TypedArray } from "../runtime/tensor.js";
import { NO_ID } from "./constants.js";
import {
  DONE,
  FINISHED,
  FINISHED_FIELDS,
  FLOATS,
  HOMES,
  PLANE,
  PLANES,
  ROW,
  ROW_FIELDS,
  SENTENCE,
  SENTENCE_HEAD,
  SETTING,
  type Settings,
  sentenceWidth,
  tableAt,
  TABLES,
} from "./search_state.js";

/** A beam of a sentence. */
export interface Beam {
  /** Its last token, which is fed next. */
  readonly id: number;
  /** Sum of its log-probabilities. */
  readonly score: number;
}

/** A finished hypothesis. */
export interface Finished {
  /** Its number of tokens, including the prompt. */
  readonly length: number;
  /** The beam that its last token continued. */
  readonly parent: number;
  /** Its last token. */
  readonly id: number;
  readonly score: number;
  /** Log-probability of the last token. */
  readonly logProb: number;
}

/** A sentence and its beams. */
interface Sentence<B extends Beam> {
  /** How many tokens it has, including the prompt. */
  readonly length: number;
  /** How many tokens its prompt has. */
  readonly start: number;
  /** How many tokens it may have. */
  readonly limit: number;
  readonly settings: Settings;
  /** Its W beams. */
  readonly beams: readonly B[];
}

/** A sentence before its first step. */
export type SentenceStart = Sentence<Beam>;

/** A beam after a step. */
export interface BeamReport extends Beam {
  /** The beam that it continues. */
  readonly parent: number;
  /** Log-probability of its last token. */
  readonly logProb: number;
}

/** A sentence after a step. */
export interface SentenceReport extends Sentence<BeamReport> {
  /** Whether it has ended, for whatever reason. */
  readonly done: boolean;
  /** Whether it has ended because its logits were not finite. */
  readonly broken: boolean;
  /** Its finished hypotheses, best first. */
  readonly finished: readonly Finished[];
  /** The places of its finished hypotheses, some of them empty: their length is 0. */
  readonly slots: readonly Finished[];
}

/** The arrays of `REPORT`, which the host reads after a step. */
export type SearchReport = Readonly<Record<"rows" | "scores" | "sentences" | "status", ArrayLike<number>>>;

type SearchedBeams = Omit<SearchReport, "status">;

/** What the host writes of a tensor: `data` from the element `at` on. */
export interface StateWrite {
  readonly name: "rows" | "scores" | "sentences";
  readonly at: number;
  readonly data: Uint32Array<ArrayBuffer> | Float32Array<ArrayBuffer>;
}

/**
 * All that the host writes of the tensors of `REPORT` but `status` to admit sentence b, in a search whose sentences keep
 * at most A hypotheses and whose planes have Q scores.
 */
export function packStart(
  start: SentenceStart,
  b: number,
  { A, Q }: Readonly<Record<"A" | "Q", number>>,
): StateWrite[] {
  const { length, settings, beams } = start;
  const { first } = settings;
  const fed = beams.map(({ id }) => ({ id, position: length - 1, sentence: b }));
  return [
    { name: "rows", at: first * ROW_FIELDS, data: packBeams(fed) },
    { name: "scores", at: PLANE.running * Q + first, data: Float32Array.from(beams, ({ score }) => score) },
    { name: "sentences", at: b * sentenceWidth(A), data: packSentence(start, A) },
  ];
}

/** A row of `sentences`, of which none keeps more than A hypotheses; it has none yet. */
export function packSentence({ length, start, limit, settings }: SentenceStart, A: number): Uint32Array<ArrayBuffer> {
  const row = new Uint32Array(sentenceWidth(A));
  row.set(fields(SENTENCE, { length, start, limit, done: DONE.open }));
  row.set(packSettings(settings), SETTING.first);
  return row;
}

/** The row of `sentences` of one that is not there. */
export function idleSentence(A: number): Uint32Array<ArrayBuffer> {
  const row = new Uint32Array(sentenceWidth(A));
  row[SENTENCE.done] = DONE.done;
  return row;
}

/** The fields of a row of `sentences` from `SETTING.first` to `SENTENCE_HEAD`. */
function packSettings(settings: Settings): Uint32Array<ArrayBuffer> {
  const bits = (name: keyof Settings): number =>
    isFloat(name) ? new Uint32Array(Float32Array.of(settings[name]).buffer)[0] : settings[name];
  return Uint32Array.from(SETTINGS, bits);
}

/** The settings of sentence b in `sentences`, of which none keeps more than A hypotheses. */
export function readSettings(sentences: ArrayLike<number>, b: number, A: number): Settings {
  const at = b * sentenceWidth(A);
  const fields = Uint32Array.from({ length: SENTENCE_HEAD }, (_, field) => sentences[at + field]);
  const numbers = new Float32Array(fields.buffer);
  const settings: Partial<Record<keyof Settings, number>> = {};
  for (const name of SETTINGS) settings[name] = (isFloat(name) ? numbers : fields)[SETTING[name]];
  return settings as Settings;
}

const SETTINGS = Object.keys(SETTING) as (keyof Settings)[];
const IS_FLOAT: ReadonlySet<string> = new Set(FLOATS);
const isFloat = (name: string): boolean => IS_FLOAT.has(name);

/** Rows u32[W,4] for beams that continue themselves. */
export function packBeams(
  beams: readonly { readonly id: number; readonly position: number; readonly sentence: number }[],
): Uint32Array<ArrayBuffer> {
  const rows = new Uint32Array(beams.length * ROW_FIELDS);
  beams.forEach((beam, r) => rows.set(fields(ROW, { ...beam, parent: 0 }), r * ROW_FIELDS));
  return rows;
}

/** So many idle rows u32[count,4]. */
export const idleRows = (count: number): Uint32Array<ArrayBuffer> =>
  packBeams(Array.from({ length: count }, () => ({ id: 0, position: 0, sentence: NO_ID })));

/** Values in the order of a layout. */
function fields<K extends string>(
  layout: Readonly<Record<K, number>>,
  values: Readonly<Record<NoInfer<K>, number>>,
): Uint32Array<ArrayBuffer> {
  const names = Object.keys(layout) as K[];
  const packed = new Uint32Array(names.length);
  for (const name of names) packed[layout[name]] = values[name];
  return packed;
}

/** Which slots of the cache a row reads and writes. */
export interface RowSlots {
  /** The position of the token that it feeds next. */
  readonly position: number;
  /** The slot of each token up to that position: of the past, and its own new one. */
  readonly slots: readonly number[];
  /** The slots that it may write later, from the next position on. */
  readonly homes: readonly number[];
}

/** The tables of a row, its part u32[3,M] of `indirection`. */
export function packTables({ position, slots, homes }: RowSlots, M: number): Uint32Array<ArrayBuffer> {
  const tables = new Uint32Array(TABLES * M);
  tables.set(slots, tableAt(position) * M);
  tables.set(homes, HOMES * M + position + 1);
  return tables;
}

/** The arrays that were read after a step, by name. */
export function readReport(values: readonly TypedArray[]): SearchReport {
  const [rows, scores, sentences, status] = values;
  return { rows, scores, sentences, status };
}

function beamAt({ rows, scores }: SearchedBeams, r: number): BeamReport {
  const Q = scores.length / PLANES;
  return {
    id: rows[r * ROW_FIELDS + ROW.id],
    parent: rows[r * ROW_FIELDS + ROW.parent],
    score: scores[PLANE.running * Q + r],
    logProb: scores[PLANE.token * Q + r],
  };
}

/** Sentence b in the report of a search whose sentences keep at most A hypotheses. */
export function readSentence(report: SearchedBeams, b: number, A: number): SentenceReport {
  const { scores, sentences } = report;
  const settings = readSettings(sentences, b, A);
  const Q = scores.length / PLANES;
  const at = b * sentenceWidth(A);
  const slots = Array.from({ length: settings.A }, (_, i): Finished => {
    const first = at + SENTENCE_HEAD + i * FINISHED_FIELDS;
    return {
      length: sentences[first + FINISHED.length],
      parent: sentences[first + FINISHED.parent],
      id: sentences[first + FINISHED.id],
      score: scores[PLANE.finished * Q + b * A + i],
      logProb: scores[PLANE.last * Q + b * A + i],
    };
  });
  return {
    length: sentences[at + SENTENCE.length],
    start: sentences[at + SENTENCE.start],
    limit: sentences[at + SENTENCE.limit],
    done: sentences[at + SENTENCE.done] !== DONE.open,
    broken: sentences[at + SENTENCE.done] === DONE.broken,
    settings,
    beams: Array.from({ length: settings.W }, (_, w) => beamAt(report, settings.first + w)),
    finished: slots.filter(({ length }) => length > 0),
    slots,
  };
}
