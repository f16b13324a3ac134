import { LOWEST } from "../src/kernels/constants.js";
import { entriesOf, partsOf, sampleParts } from "../src/kernels/sample_parts.js";
import { FLAG } from "../src/kernels/search_state.js";
import { f32, type Filled, statusOf, u32 } from "./support/launch.js";
import { rowsOf } from "./topk.args.js";

type Size = Readonly<Record<string, number>>;

/** What the sentence of row r asks for; with `mixed` each something else, and some rows are idle or draw nothing. */
function asked({ temperature = 1, top_k = 0, top_p = 1, min_p = 0, seed = 7, mixed = 0, C = 1 }: Size, r: number) {
  const draws = { C, flags: FLAG.samples, draw: r, temperature, top_k, top_p, min_p, seed };
  if (!mixed) return draws;
  const kinds = [
    draws,
    { ...draws, top_k: 3 },
    undefined,
    { ...draws, temperature: 0.5, draw: 0 },
    { ...draws, flags: FLAG.ruled },
    { ...draws, top_p: 0.7, seed: 5 },
    { ...draws, min_p: 0.2, top_k: 5, C: 1 },
  ];
  return kinds[r % kinds.length];
}

/** Arguments of `sample`, for tests and benches. Of `steps` values logits tie; the first `banned` ids are, and -inf is that of `minus`.
 * What `sample_parts` makes of them is among them, unless `parts` is 0. What is written was not 0 before. */
export const args = (size: Size, random: () => number) => {
  const { R, V, position = 3, stride = 1, gain = 3, offset = 0, steps = 0, banned = 0, minus = -1, status } = size;
  const { G, C } = values(size);
  const given = {
    ...rowsOf(
      Array.from({ length: R }, (_, r) => asked(size, r)),
      (r) => position + stride * r,
    ),
    logits: f32([R, V], (i) => {
      if (i % V === minus) return -Infinity;
      const value = steps ? Math.floor(((random() + 1) / 2) * steps) : gain * random();
      return i % V < banned ? LOWEST : value + offset;
    }),
    status: status === undefined ? undefined : statusOf(status),
  };
  const written = { values: f32([R, G, C + 2], (i) => 7 + (i % 3)), indices: u32([R, G, C], (i) => 9 + (i % 3)) };
  return { ...given, ...partsOfRows(size, given), ...written };
};

/** What `sample_parts` makes of these logits. */
function partsOfRows(
  size: Size,
  { rows, sentences, logits }: Readonly<Record<"rows" | "sentences" | "logits", Filled>>,
) {
  const { R, V } = size;
  const { P, X } = values(size);
  if (P === 0) return {};
  const [sums, picks] = [f32([R, P, X + 2], () => 0), u32([R, P, 2 * X + 1], () => 0)];
  const data = { rows: rows.data, sentences: sentences.data, logits: logits.data, sums: sums.data, picks: picks.data };
  sampleParts.reference({ R, V, Y: sentences.shape[1], P, X }, data);
  return { sums, picks };
}

/** Sizes of `sample`. */
export function values(size: Size) {
  const { R, V, G = 1, C = 1 } = size;
  const parts = size.parts ?? Math.min(5, Math.ceil(V / 4));
  if (parts === 0) return { G, C, P: 0, X: 0 };
  const P = Math.max(parts, partsOf(V));
  const entries = Array.from({ length: Math.min(R, 7) }, (_, r) => {
    const draws = asked(size, r);
    return draws ? entriesOf(V, draws, P) : 0;
  });
  return { G, C, P, X: Math.max(...entries) };
}
