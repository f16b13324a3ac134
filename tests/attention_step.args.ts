import { splitWidth } from "../src/kernels/attention_step.js";
import { NO_ID } from "../src/kernels/constants.js";
import { tableAt } from "../src/kernels/search_state.js";
import { f16, f32, shuffled, statusOf, u32, u32Rows } from "./support/launch.js";

type Size = Readonly<Record<string, number>>;

/**
 * Arguments of `attention_step`, for tests and benches: B sentences of W beams that changed rows at random, with slots in any order, or
 * with those of a row one after another where they are `ordered`. The beams of a sentence share its position; each sentence is 3 positions
 * after the one before, or all have a cache half full when no position is given. All rows share their first `shared` slots; every third
 * row is `idle`; `split` leaves the sums of each 64 keys; `half` is a cache in f16.
 */
export const args = (size: Size, random: () => number) => {
  const {
    B,
    W = 1,
    M,
    H,
    K = H,
    E,
    position,
    whole = 0,
    offset = 0,
    rotary = 0,
    norms = 0,
    bias,
    half = 0,
    shared = 0,
    idle = 0,
    ordered = 0,
    status,
  } = size;
  const R = B * W;
  const slots = ordered ? Array.from({ length: R * M }, (_, i) => i) : shuffled(R * M, random);
  const beam = (): number => Math.floor(((random() + 1) / 2) * W);
  const isIdle = (r: number): boolean => idle > 0 && r % 3 === 1;
  // any beam of the same sentence, and another in the table of the other parity
  const slotOf = (r: number, table: number, t: number): number => {
    const position = at(Math.floor(r / W));
    if (t < shared) return slots[t];
    return slots[(table === 2 || (t === position && table === tableAt(t)) ? r : r - (r % W) + beam()) * M + t];
  };
  const value = whole ? () => Math.round(6 * random()) : random;
  const at = (b: number): number => (position === undefined ? M / 2 - 1 : (position + 3 * b) % M);
  const [width, slot] = [(H + 2 * K) * E, 2 * K * E];
  return {
    rows: u32Rows(
      Array.from({ length: R }, (_, r) => [5, at(Math.floor(r / W)), isIdle(r) ? NO_ID : Math.floor(r / W), 6]),
    ),
    qkv: f32([R, width], (i) => value() + (i % width < H * E ? offset : -offset)),
    indirection: u32([R, 3, M], (i) => slotOf(Math.floor(i / 3 / M), Math.floor(i / M) % 3, i % M)),
    cache: (half ? f16 : f32)([R * M, slot], (i) => value() - (i % slot < K * E ? offset : 0)),
    positional: rotary ? f32([M, E], random) : bias === undefined ? undefined : f32([2 * bias + 1, H], random),
    qk_norm: norms ? f32([2, E], random) : undefined,
    status: status === undefined ? undefined : statusOf(status),
    out: idle ? f32([R, H * widthOf(size)], () => 7) : undefined,
  };
};

const widthOf = ({ M, E, split = 0 }: Size): number => (split ? splitWidth(M, E) : E);

/** Scalars and constants of `attention_step`. */
export const values = ({ M, H, K = H, E, whole = 0, interleaved = 0, split = 0, bias }: Size) => ({
  H,
  K,
  E,
  Y: widthOf({ M, E, split }),
  scale: whole ? 1 : E ** -0.5,
  eps: 1e-6,
  INTERLEAVED: interleaved,
  RELATIVE: Number(bias !== undefined),
});
