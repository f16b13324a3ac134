import { NO_ID } from "../src/kernels/constants.js";
import { type Lead, leadSettings, packRules } from "../src/kernels/logits_process.js";
import { idleSentence, packSentence } from "../src/kernels/search_host.js";
import { FLAG, PLAIN, ROW_FIELDS, type Settings, sentenceWidth, TABLES, tableAt } from "../src/kernels/search_state.js";
import { f32, shuffled, statusOf, u32 } from "./support/launch.js";

type Size = Readonly<Record<string, number>>;

const PAD = 2;
const A = 2;

/**
 * The lists of a sentence: each is empty unless its flag is set; `end` is the first end id. Banned sequences go on from `sequence`, its first row. `usual` are one end
 * id, one suppressed and one banned pair.
 */
function rules({ V, end, suppress, begin_suppress, banned, usual, many = 0 }: Size, sequence: readonly number[]) {
  const tail = (count: number): number[] => sequence.slice(sequence.length - count);
  const more = Array.from({ length: many }, (_, i) => [...tail(i % 3), (3 * i) % V]);
  const hits = [[V - 2], [...tail(1), 4], [...tail(3), 3], [...tail(2), 1]];
  const misses = [[(tail(1)[0] + 1) % V, 2], Array.from({ length: 40 }, () => 0)];
  const lists = usual
    ? { end: [0], suppress: [3], begin_suppress: [], banned: [[1, 2]] }
    : {
        end: end ? [end, V - 1] : [],
        suppress: suppress ? [0, 3, ...Array.from({ length: many }, (_, i) => 2 * i)] : [],
        begin_suppress: begin_suppress ? [2] : [],
        banned: banned ? [...hits, ...misses, ...more] : [],
      };
  return packRules(lists);
}

/** Sentences that ask for different things; one has no rules, and one is not there. */
const MIXED: readonly Size[] = [
  { penalty: 1.5, log: 1 },
  { ngram: 2, lead: 2, presence: 0.5 },
  { plain: 1 },
  { banned: 1, end: 1, min_new: 30, suppress: 1 },
  { idle: 1 },
  { end: 12, no_timestamps: 19, log: 1 },
  { bos: 4, eos: 5, limit: 9, lead: 0 },
];

/** The settings of a sentence. */
function settingsOf(size: Size, first: number, lists: number): Settings {
  const { ngram = 0, min_new = 0, eos = NO_ID, begin = 0, penalty = 1, presence = 0, log = 0, plain = 0 } = size;
  const { W = 1, no_timestamps = NO_ID, max_initial = NO_ID } = size;
  return {
    ...PLAIN,
    first,
    W,
    lists,
    flags: (plain ? 0 : FLAG.ruled) | (log ? FLAG.log_softmax : 0),
    no_repeat_ngram_size: ngram,
    min_new_tokens: min_new,
    forced_eos: eos,
    begin,
    repetition_penalty: penalty,
    presence_penalty: presence,
    no_timestamps,
    max_initial,
  };
}

/**
 * What the rules see of sentence b in place of its first `covered` tokens: pads, then other ids if they are `mixed_ids`; as
 * many as the sentence has of its own. The forced token of every other sentence is one higher.
 */
function leadOf({ V, lead, covered = 0, mixed_ids = 0, bos = NO_ID }: Size, b: number): Lead {
  const count = lead === undefined ? 0 : covered + ((lead + b) % (lead + 2));
  return {
    ids: Array.from({ length: count }, (_, i) => (mixed_ids && i > 1 ? (i * mixed_ids) % V : PAD)),
    covered: lead === undefined ? 0 : covered,
    forced_bos: bos === NO_ID ? NO_ID : (bos + (b % 2)) % V,
  };
}

/**
 * Arguments of `logits_process`, for tests and benches: B sentences of W beams that changed rows at random, of `few` ids over the
 * vocabulary, with slots in any order. The beams of a sentence share its position; each sentence is 3 positions after the one before, or all have a cache half full
 * when no position is given. Each sentence has its own number of pads when a `lead` is given; other ids after the first
 * two with `mixed_ids`; and the rules see these in place of the first `covered` tokens. `bos` is forced after a single token, and
 * the id after it in every other sentence. With `mixed` each asks for something else.
 */
export const args = (size: Size, random: () => number) => {
  const { B, W = 1, V, M, position, gain = 8, offset = 0, status, few = V, mixed = 0 } = size;
  const R = B * W;
  const of = (b: number): Size => ({ ...size, ...(mixed ? MIXED[b % MIXED.length] : {}) });
  const below = (count: number): number => Math.floor(((random() + 1) / 2) * count);
  const id = (): number => below(few) * Math.floor(V / few);
  const place = (b: number): number => (position === undefined ? M / 2 - 1 : (position + 3 * b) % M);
  const rows = u32([R, ROW_FIELDS], (i) => {
    const b = Math.floor(i / ROW_FIELDS / W);
    return [id(), place(b), of(b).idle ? NO_ID : b, 6][i % ROW_FIELDS];
  });
  const slots = shuffled(R * M, random);
  const history = u32([R * M], id);
  // any beam of the same sentence, and another in the table of the other parity; its own slot at its position
  const indirection = u32([R, TABLES, M], (i) => {
    const [r, t] = [Math.floor(i / TABLES / M), i % M];
    const beam = Math.floor(r / W) * W + below(W);
    return slots[(t === place(Math.floor(r / W)) ? r : beam) * M + t];
  });
  const lists: number[] = [5, 5];
  const sentences = u32([B, sentenceWidth(A)], () => 0);
  for (let b = 0; b < B; b++) {
    const { start = 1, limit = Math.max(99, M), idle } = of(b);
    const [first, p] = [b * W, place(b)];
    const lead = leadOf(of(b), b);
    const table = (TABLES * first + tableAt(p)) * M;
    const past = Array.from({ length: p }, (_, t) => history.data[indirection.data[table + t]]);
    const at = lists.length;
    // a bench has many sentences, whose lists are the same
    lists.push(
      ...(b === 0 || mixed || B < 100
        ? rules(of(b), [...lead.ids, ...past.slice(lead.covered), rows.data[first * ROW_FIELDS]])
        : []),
    );
    const settings = { ...settingsOf(of(b), first, B < 100 ? at : 2), ...leadSettings(lead, lists.length) };
    lists.push(...lead.ids);
    const packed = packSentence({ length: p + 1, start, limit, settings, beams: [] }, A);
    sentences.data.set(idle ? idleSentence(A) : packed, b * sentenceWidth(A));
  }
  return {
    rows,
    indirection,
    history,
    sentences,
    lists: u32([lists.length], (i) => lists[i]),
    logits: f32([R, V], () => gain * random() + offset),
    status: status === undefined ? undefined : statusOf(status),
  };
};

/** `logits_process` has no scalars and no constants. */
export const values = () => ({});
