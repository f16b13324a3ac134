import { NO_ID } from "../src/kernels/constants.js";
import { packLeads, packRules } from "../src/kernels/logits_process.js";
import { ROW_FIELDS, SENTENCE, sentenceWidth, tableAt } from "../src/kernels/search_state.js";
import { f32, type Filled, statusOf, u32 } from "./support/launch.js";

type Size = Readonly<Record<string, number>>;

const PAD = 2;

/**
 * The lists of a case: each is empty unless its flag is set; `end` is the first end id. Banned sequences go on from `sequence`, the first row. `usual` are one end
 * id, one suppressed and one banned pair.
 */
function rules(
  { V, end, suppress, begin_suppress, banned, usual, many = 0 }: Size,
  sequence: readonly number[],
): Filled {
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
  const packed = packRules(lists);
  return u32([packed.length], (i) => packed[i]);
}

/**
 * Arguments of `logits_process`, for tests and benches: B sentences of W beams that changed rows at random, of `few` ids over the
 * vocabulary. The beams of a sentence share its position; each sentence is 3 positions after the one before, or all have a cache half full
 * when no position is given. Each sentence has its own number of pads when a `lead` is given; other ids after the first
 * two with `mixed`; and the rules see these in place of the first `covered` tokens. `bos` is forced after a single token, and
 * the id after it in every other sentence.
 */
export const args = (size: Size, random: () => number) => {
  const {
    B,
    W = 1,
    V,
    M,
    position,
    start = 1,
    limit = Math.max(99, M),
    gain = 8,
    offset = 0,
    lead,
    mixed = 0,
    covered = 0,
    status,
    few = V,
    bos = NO_ID,
  } = size;
  const R = B * W;
  const below = (count: number): number => Math.floor(((random() + 1) / 2) * count);
  const id = (): number => below(few) * Math.floor(V / few);
  const place = (b: number): number => (position === undefined ? M / 2 - 1 : (position + 3 * b) % M);
  const rows = u32([R, ROW_FIELDS], (i) => {
    const b = Math.floor(i / ROW_FIELDS / W);
    return [id(), place(b), b, 6][i % ROW_FIELDS];
  });
  const history = u32([M, R], id);
  // any beam of the same sentence, and another in the table of the other parity
  const indirection = u32([2, R, M], (i) => Math.floor((Math.floor(i / M) % R) / W) * W + below(W));
  const from = (t: number): number => indirection.data[tableAt(place(0)) * R * M + t];
  const past = Array.from({ length: place(0) }, (_, t) => history.data[t * R + from(t)]);
  const head = (b: number): Readonly<Record<number, number>> => ({
    [SENTENCE.length]: place(b) + 1,
    [SENTENCE.start]: start,
    [SENTENCE.limit]: limit,
  });
  // pads, then other ids if they are mixed; at least as many as the tokens that they cover
  const before = (most: number, b: number): number[] =>
    Array.from({ length: covered + ((most + b) % (most + 2)) }, (_, i) => (mixed && i > 1 ? (i * mixed) % V : PAD));
  // every other sentence has a forced token one higher
  const forced = (b: number): number => (bos === NO_ID ? NO_ID : (bos + (b % 2)) % V);
  const given = (b: number) => (lead === undefined ? { ids: [], covered: 0 } : { ids: before(lead, b), covered });
  const leads =
    lead === undefined && bos === NO_ID
      ? undefined
      : Array.from({ length: B }, (_, b) => ({ ...given(b), forced_bos: forced(b) }));
  const packed = leads && packLeads(leads);
  return {
    rows,
    indirection,
    history,
    leads: packed && u32([packed.length], (i) => packed[i]),
    sentences: u32([B, sentenceWidth(W)], (i) => head(Math.floor(i / sentenceWidth(W)))[i % sentenceWidth(W)] ?? 0),
    rules: rules(size, [...(leads?.[0].ids ?? []), ...past.slice(covered), rows.data[0]]),
    logits: f32([R, V], () => gain * random() + offset),
    status: status === undefined ? undefined : statusOf(status),
  };
};

/** Scalars and constants of `logits_process`. */
export const values = (size: Size) => {
  const { ngram = 0, min_new = 0, eos = NO_ID, begin = 0, penalty = 1, presence = 0, log = 0 } = size;
  const { no_timestamps = NO_ID, max_initial = NO_ID } = size;
  return {
    no_repeat_ngram_size: ngram,
    min_new_tokens: min_new,
    forced_eos: eos,
    begin,
    repetition_penalty: penalty,
    presence_penalty: presence,
    no_timestamps,
    max_initial,
    LOG_SOFTMAX: log,
  };
};
