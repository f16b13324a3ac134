import { NO_ID } from "../src/kernels/constants.js";
import { packSentence } from "../src/kernels/search_host.js";
import {
  FINISHED_FIELDS,
  PLAIN,
  PLANES,
  planeWidth,
  ROW_FIELDS,
  SENTENCE_HEAD,
  sentenceWidth,
} from "../src/kernels/search_state.js";
import { f32, statusOf, u32 } from "./support/launch.js";

type Size = Readonly<Record<string, number>>;

/**
 * Arguments of `coverage`, for tests and benches: rows at `position`, which continue any beam of their sentence; every
 * third beam has ended; sentence b sees T - b of the source, and attends more where `gain` is larger. With `mixed` there
 * are `gap` idle rows before each, and every third sentence has no coverage penalty.
 */
export const args = (size: Size, random: () => number) => {
  const { B, W, T, position = 4, gain = 1, gap = 0, mixed = 0, status } = size;
  const R = B * (gap + W);
  const uniform = (): number => (random() + 1) / 2;
  const width = sentenceWidth(W);
  const sentenceOf = (r: number): number => Math.floor(r / (gap + W));
  const seen = (r: number, t: number): boolean => t < T - sentenceOf(r);
  const packed = Array.from({ length: B }, (_, b) => {
    const settings = {
      ...PLAIN,
      first: b * (gap + W) + gap,
      W,
      A: W,
      coverage_penalty: mixed && b % 3 === 1 ? 0 : 0.5,
    };
    const row = packSentence({ length: position + 1, start: 1, limit: 99, settings, beams: [] }, W);
    for (let w = 2; w < W; w += 3) row[SENTENCE_HEAD + w * FINISHED_FIELDS] = 4;
    return row;
  });
  return {
    rows: u32([R, ROW_FIELDS], (i) => {
      const r = Math.floor(i / ROW_FIELDS);
      const idle = r % (gap + W) < gap;
      return [7, position + mixed * sentenceOf(r), idle ? NO_ID : sentenceOf(r), Math.floor(uniform() * W)][
        i % ROW_FIELDS
      ];
    }),
    sentences: u32([B, width], (i) => packed[Math.floor(i / width)][i % width]),
    weights: f32([R, 1, T], (i) => (seen(Math.floor(i / T), i % T) ? (gain * uniform()) / T : 0)),
    attended: f32([R, 2, T], (i) => (position && seen(Math.floor(i / 2 / T), i % T) ? gain * uniform() : 0)),
    scores: f32([PLANES, planeWidth(R, B, W)], random),
    status: status === undefined ? undefined : statusOf(status),
  };
};

/** `coverage` has no scalars. */
export const values = () => ({});
