import type { TypedArray } from "../runtime/tensor.js";

/**
 * The layout of the state of a search on the device: B sentences of W beams that keep A hypotheses, R = B*W rows, M cache
 * slots a row. Shaders have the same names in upper case (`SENTENCE_LIMIT`, `PLANE_TOKEN`). No other TypeScript knows the numbers of these
 * fields.
 */

/**
 * Fields of a row of `rows` u32[R,4]: the token fed next, its position, its sentence, and the beam that it continues.
 */
export const ROW = { id: 0, position: 1, sentence: 2, parent: 3 } as const;
/** Number of fields of a row. */
export const ROW_FIELDS = 4;

/**
 * The first fields of a row of `sentences` u32[B,4+3*A]: how many tokens it has, how many its prompt has, how many it
 * may have; and 1 once it is done.
 */
export const SENTENCE = { length: 0, start: 1, limit: 2, done: 3 } as const;
/** Number of these first fields. */
export const SENTENCE_HEAD = 4;

/**
 * Fields of each of the A finished hypotheses that follow: length (0 if there is none), parent beam, last token. They
 * are the best first; in OpenNMT's search those of beams 0 to W-1.
 */
export const FINISHED = { length: 0, parent: 1, id: 2 } as const;
/** Number of fields of a finished hypothesis. */
export const FINISHED_FIELDS = 3;

/**
 * Planes of `scores` f32[5,Q], Q the larger of R and B*A: the sum of log-probabilities of each beam; the score of each
 * finished hypothesis; the log-probability of the token of each row, and of the last token of each finished hypothesis;
 * how much of its source each beam has covered, where a search asks for it.
 */
export const PLANE = { running: 0, finished: 1, token: 2, last: 3, coverage: 4 } as const;
/** Number of planes. */
export const PLANES = 5;

/**
 * Fields of `status` u32[2]: the number of sentences that are not done; and 1 + the last row whose logits were not
 * finite, 0 if there was none.
 */
export const STATUS = { open: 0, faults: 1 } as const;
/** Number of fields of `status`. */
export const STATUS_FIELDS = 2;

/** The tensors that the host reads after each step, in this order. */
export const REPORT = ["rows", "scores", "sentences", "status"] as const;

/** Number of fields of a sentence that keeps A hypotheses. */
export const sentenceWidth = (A: number): number => SENTENCE_HEAD + FINISHED_FIELDS * A;

/** Number of scores in a plane. */
export const planeWidth = (B: number, W: number, A: number): number => B * Math.max(W, A);

/**
 * Which of the two tables of `indirection` u32[2,R,M] holds the past of a token at this position; a step writes the
 * other one.
 */
export const tableAt = (position: number): number => position % 2;

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

/** A sentence, its beams, and its finished hypotheses, best first. */
export interface Sentence<B extends Beam> {
  /** How many tokens it has, including the prompt. */
  readonly length: number;
  /** How many tokens its prompt has. */
  readonly start: number;
  /** How many tokens it may have. */
  readonly limit: number;
  readonly beams: readonly B[];
  readonly finished: readonly Finished[];
}

/**
 * A sentence before a step. Its beams have the tokens before the one that is fed next, and the row that holds the key
 * of each.
 */
export type SentenceStart = Sentence<Beam & { readonly tokens: readonly number[]; readonly past: readonly number[] }>;

/** A beam after a step. */
export interface BeamReport extends Beam {
  /** The beam that it continues. */
  readonly parent: number;
  /** Log-probability of its last token. */
  readonly logProb: number;
}

/** A sentence after a step. */
export interface SentenceReport extends Sentence<BeamReport> {
  readonly done: boolean;
  /** The places of its finished hypotheses, some of them empty: their length is 0. */
  readonly slots: readonly Finished[];
}

type Reported<A> = Readonly<Record<(typeof REPORT)[number], A>>;

/** The arrays that the host reads after a step. */
export type SearchReport = Reported<ArrayLike<number>>;

/** The arrays of `REPORT` before the first step of sentences of W beams that keep A hypotheses. */
export function packSearch(starts: readonly SentenceStart[], W: number, A: number): Reported<TypedArray> {
  const Q = planeWidth(starts.length, W, A);
  const scores = new Float32Array(PLANES * Q);
  const sentences = new Uint32Array(starts.length * sentenceWidth(A));
  starts.forEach(({ length, start, limit, beams, finished }, b) => {
    beams.forEach(({ score }, w) => (scores[PLANE.running * Q + b * W + w] = score));
    const at = b * sentenceWidth(A);
    sentences.set(fields(SENTENCE, { length, start, limit, done: 0 }), at);
    finished.forEach((hypothesis, i) => {
      sentences.set(fields(FINISHED, hypothesis), at + SENTENCE_HEAD + i * FINISHED_FIELDS);
      scores[PLANE.finished * Q + b * A + i] = hypothesis.score;
      scores[PLANE.last * Q + b * A + i] = hypothesis.logProb;
    });
  });
  const fed = starts.flatMap(({ length, beams }, sentence) =>
    beams.map(({ id }) => ({ id, position: length - 1, sentence })),
  );
  return { rows: packBeams(fed), scores, sentences, status: fields(STATUS, { open: starts.length, faults: 0 }) };
}

/** The argument `rows` u32[R,4] for beams that continue themselves. */
export function packBeams(
  beams: readonly { readonly id: number; readonly position: number; readonly sentence: number }[],
): Uint32Array<ArrayBuffer> {
  const rows = new Uint32Array(beams.length * ROW_FIELDS);
  beams.forEach((beam, r) => rows.set(fields(ROW, { ...beam, parent: 0 }), r * ROW_FIELDS));
  return rows;
}

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

/**
 * The argument `indirection` u32[2,R,M] before a step. Each row has a position, and in `past` the row that holds each
 * earlier token.
 */
export function packIndirection(
  rows: readonly { readonly position: number; readonly past: readonly number[] }[],
  M: number,
): Uint32Array<ArrayBuffer> {
  const tables = new Uint32Array(2 * rows.length * M);
  rows.forEach(({ position, past }, r) => tables.set(past, (tableAt(position) * rows.length + r) * M));
  return tables;
}

/** The argument `history` u32[M,R] before a step: each token of the past, in the row that holds its key. */
export function packHistory(
  rows: readonly { readonly past: readonly number[]; readonly tokens: readonly number[] }[],
  M: number,
): Uint32Array<ArrayBuffer> {
  const history = new Uint32Array(M * rows.length);
  for (const { past, tokens } of rows) past.forEach((r, t) => (history[t * rows.length + r] = tokens[t]));
  return history;
}

/** The arrays that were read after a step, by name. */
export function readReport(values: readonly TypedArray[]): SearchReport {
  return Object.fromEntries(REPORT.map((name, index) => [name, values[index]])) as Reported<TypedArray>;
}

/** Beam w of sentence b in a report with W beams a sentence. */
export function readBeam({ rows, scores }: SearchReport, b: number, w: number, W: number): BeamReport {
  const r = b * W + w;
  const Q = scores.length / PLANES;
  return {
    id: rows[r * ROW_FIELDS + ROW.id],
    parent: rows[r * ROW_FIELDS + ROW.parent],
    score: scores[PLANE.running * Q + r],
    logProb: scores[PLANE.token * Q + r],
  };
}

/** Sentence b in a report with W beams a sentence. */
export function readSentence(report: SearchReport, b: number, W: number): SentenceReport {
  const { rows, scores, sentences } = report;
  const width = (sentences.length / (rows.length / ROW_FIELDS)) * W;
  const A = (width - SENTENCE_HEAD) / FINISHED_FIELDS;
  const Q = scores.length / PLANES;
  const at = b * width;
  const hypothesis = (i: number): Finished => {
    const first = at + SENTENCE_HEAD + i * FINISHED_FIELDS;
    return {
      length: sentences[first + FINISHED.length],
      parent: sentences[first + FINISHED.parent],
      id: sentences[first + FINISHED.id],
      score: scores[PLANE.finished * Q + b * A + i],
      logProb: scores[PLANE.last * Q + b * A + i],
    };
  };
  const each = Array.from({ length: W }, (_, w) => w);
  const slots = Array.from({ length: A }, (_, i) => hypothesis(i));
  return {
    length: sentences[at + SENTENCE.length],
    start: sentences[at + SENTENCE.start],
    limit: sentences[at + SENTENCE.limit],
    done: sentences[at + SENTENCE.done] === 1,
    beams: each.map((w) => readBeam(report, b, w, W)),
    finished: slots.filter(({ length }) => length > 0),
    slots,
  };
}
