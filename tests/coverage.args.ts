import { FINISHED_FIELDS, PLANES, ROW_FIELDS, SENTENCE_HEAD, sentenceWidth } from "../src/kernels/search_state.js";
import { f32, statusOf, u32 } from "./support/launch.js";

type Size = Readonly<Record<string, number>>;

/**
 * Arguments of `coverage`, for tests and benches: rows at `position`, which continue any beam of their sentence; every
 * third beam has ended; sentence b sees T - b of the source, and attends more where `gain` is larger.
 */
export const args = (size: Size, random: () => number) => {
  const { B, W, T, position = 4, gain = 1, status } = size;
  const R = B * W;
  const uniform = (): number => (random() + 1) / 2;
  const width = sentenceWidth(W);
  const seen = (i: number): boolean => i % T < T - Math.floor(i / T / W);
  return {
    rows: u32([R, ROW_FIELDS], (i) => {
      const sentence = Math.floor(i / ROW_FIELDS / W);
      return [7, position, sentence, Math.floor(uniform() * W)][i % ROW_FIELDS];
    }),
    sentences: u32([B, width], (i) => {
      const field = (i % width) - SENTENCE_HEAD;
      return field >= 0 && field % FINISHED_FIELDS === 0 && (field / FINISHED_FIELDS) % 3 === 2 ? 4 : 0;
    }),
    weights: f32([R, 1, T], (i) => (seen(i) ? (gain * uniform()) / T : 0)),
    attended: f32([2, R, T], (i) => (position && seen(i % (R * T)) ? gain * uniform() : 0)),
    scores: f32([PLANES, R], random),
    status: status === undefined ? undefined : statusOf(status),
  };
};

/** Scalars of `coverage`. */
export const values = ({ W }: Size) => ({ W, A: W });
