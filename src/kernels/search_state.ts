import { NO_ID } from "./constants.js";

/**
 * The layout of the state of a search on the device: R rows, B sentences, each of which has W rows in a sequence, keeps A
 * hypotheses, and has settings of its own; tables of M positions over a pool of Z cache slots. Shaders have the same
 * names in upper case (`SENTENCE_LIMIT`, `PLANE_TOKEN`). `search_host.ts` packs and reads it; no
 * other TypeScript knows the numbers of these fields.
 */

/**
 * Fields of a row of `rows` u32[R,4] in a step: the token fed next, its position, its sentence, and the beam that it
 * continues. A row whose sentence is NO_ID is idle: nothing is written for it.
 */
export const ROW = { id: 0, position: 1, sentence: 2, parent: 3 } as const;
/** Fields of a row of `rows` u32[N,4] over prompts: the last one is the cache slot of its key and value. */
export const PROMPT_ROW = { id: 0, position: 1, sentence: 2, slot: 3 } as const;
/** Number of fields of a row. */
export const ROW_FIELDS = 4;

/**
 * The first fields of a row of `sentences` u32[B,Y]: how many tokens it has, how many its prompt has, how many it may
 * have (a limit that the host writes as 0 ends it in its next step), and a value of `DONE`.
 */
export const SENTENCE = { length: 0, start: 1, limit: 2, done: 3 } as const;

/** Values of `done`: open; done; ended because its logits were not finite. */
export const DONE = { open: 0, done: 1, broken: 2 } as const;

/** The fields that follow: what the options of its call ask for. Those of `FLOATS` are the bits of an f32. */
export const SETTING = {
  /** Its rows are `first` to `first + W - 1`. */
  first: 4,
  W: 5,
  /** How many hypotheses it keeps. */
  A: 6,
  /** Candidates of each of its rows (`candidateCount`). */
  C: 7,
  /** Where its lists, by `packRules`, begin in `lists`. */
  lists: 8,
  /** Bits of `FLAG`. */
  flags: 9,
  /** A value of `EARLY_STOPPING`. */
  early_stopping: 10,
  length_penalty: 11,
  coverage_penalty: 12,
  diversity_penalty: 13,
  /** The number of sentences of its prompt, which are neighbours, and its own number among them. */
  groups: 14,
  group: 15,
  no_repeat_ngram_size: 16,
  min_new_tokens: 17,
  /** The token at the limit; NO_ID where any may be. */
  forced_eos: 18,
  /** How many tokens after a prompt of one the rule `begin_suppress` holds. */
  begin: 19,
  repetition_penalty: 20,
  presence_penalty: 21,
  /** The id before all timestamps; NO_ID without their rule. */
  no_timestamps: 22,
  max_initial: 23,
  /** `leadSettings` writes these five: what the rules see in place of its first tokens. */
  lead_count: 24,
  lead_covered: 25,
  lead_at: 26,
  lead_first: 27,
  forced_bos: 28,
  /** At least 1.2e-38: shaders may take smaller numbers for 0. */
  temperature: 29,
  top_k: 30,
  top_p: 31,
  min_p: 32,
  /** With the number of its row in its call, the position and the id it makes the noise of a draw. */
  seed: 33,
  draw: 34,
} as const;

/** The settings that are f32. */
export const FLOATS = [
  "length_penalty",
  "coverage_penalty",
  "diversity_penalty",
  "repetition_penalty",
  "presence_penalty",
  "temperature",
  "top_p",
  "min_p",
] as const satisfies readonly (keyof typeof SETTING)[];

/**
 * Bits of the setting `flags`: tokens are drawn; `logits_process` has something to do; it turns logits into
 * log-probabilities first; `beam_step` finds log-probabilities; the search is OpenNMT's.
 */
export const FLAG = { samples: 1, ruled: 2, log_softmax: 4, log_probs: 8, opennmt: 16 } as const;

/** Number of fields before the hypotheses. */
export const SENTENCE_HEAD = 35;

/**
 * Fields of each of the finished hypotheses that follow: length (0 if there is none), parent beam, last token. They
 * are the best first; in OpenNMT's search those of beams 0 to W-1.
 */
export const FINISHED = { length: 0, parent: 1, id: 2 } as const;
/** Number of fields of a finished hypothesis. */
export const FINISHED_FIELDS = 3;

/**
 * Planes of `scores` f32[5,Q], Q the larger of R and B*A: the sum of log-probabilities of each beam; the score of each
 * finished hypothesis; the log-probability of the token of each row, and of the last token of each finished hypothesis;
 * how much of its source each beam has covered, where a search asks for it. A is the most of any sentence: hypothesis i
 * of sentence b is at b*A + i.
 */
export const PLANE = { running: 0, finished: 1, token: 2, last: 3, coverage: 4 } as const;
/** Number of planes. */
export const PLANES = 5;

/**
 * Fields of `status` u32[2]: how many sentences the host has ever admitted, and how many of them have ended. Where both
 * are equal, kernels do nothing.
 */
export const STATUS = { admitted: 0, ended: 1 } as const;
/** Number of fields of `status`. */
export const STATUS_FIELDS = 2;

/** Tables of a row in `indirection` u32[R,3,M]: two that take turns (`tableAt`), and `homes`. */
export const TABLES = 3;
/** The table with the slot of each position that the row itself may write. */
export const HOMES = 2;

/** The tensors that the host reads after each step, in this order. */
export const REPORT = ["rows", "scores", "sentences", "status"] as const;

/** Number of fields of a sentence that keeps at most A hypotheses. */
export const sentenceWidth = (A: number): number => SENTENCE_HEAD + FINISHED_FIELDS * A;

/** How many hypotheses a sentence of so many fields keeps at most. */
export const mostHypotheses = (width: number): number => (width - SENTENCE_HEAD) / FINISHED_FIELDS;

/** Number of scores in a plane, for R rows and B sentences that keep at most A hypotheses. */
export const planeWidth = (R: number, B: number, A: number): number => Math.max(R, B * A);

/**
 * Which table of a row names the slots of all tokens up to the one at this position, its own included; a step writes
 * the other one for the next.
 */
export const tableAt = (position: number): number => position % 2;

/** The settings of a sentence, by name. */
export type Settings = Readonly<Record<keyof typeof SETTING, number>>;

/** Settings that change nothing: greedy search without rules. */
export const PLAIN: Settings = {
  ...(Object.fromEntries(Object.keys(SETTING).map((name) => [name, 0])) as Settings),
  W: 1,
  A: 1,
  C: 1,
  early_stopping: 1,
  length_penalty: 1,
  groups: 1,
  forced_eos: NO_ID,
  repetition_penalty: 1,
  no_timestamps: NO_ID,
  forced_bos: NO_ID,
  temperature: 1,
  top_p: 1,
};
