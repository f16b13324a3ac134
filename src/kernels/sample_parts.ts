import direct from "../../shaders/sample_parts.wgsl";
import constants from "../../shaders/parts/constants.wgsl";
import draw from "../../shaders/parts/draw.wgsl";
import noise from "../../shaders/parts/noise.wgsl";
import searchState from "../../shaders/parts/search_state.wgsl";
import settings from "../../shaders/parts/settings.wgsl";
import { defineKernel } from "../runtime/kernel.js";
import { joinShader } from "../runtime/wgsl.js";
import { ABSENT, BANNED, LARGEST, NO_ID } from "./constants.js";
import { drawOf } from "./noise.js";
import type { Settings } from "./search_state.js";

/** The most logits of a part, which a workgroup sorts. */
const MOST = 512;

/** The settings of a sentence that thresholds of a draw follow from. */
type Thresholds = Pick<Settings, "top_k" | "top_p" | "min_p">;

/** The fewest parts of a row that can be sorted. */
export const partsOf = (V: number): number => Math.ceil(V / MOST);

/** How many of its best logits each of P parts of a row must list for a draw with these thresholds. */
export function entriesOf(V: number, { top_k, top_p, min_p }: Thresholds, P = partsOf(V)): number {
  const length = Math.ceil(V / P);
  if (top_k > 0 && top_k < V) return Math.min(top_k, length);
  return top_p < 1 || min_p > 0 ? length : 0;
}

/** A number that is ordered as u32 as the logit is as f32. */
function ordered(logit: number): number {
  const [bits] = new Uint32Array(Float32Array.of(logit + 0).buffer); // -0 + 0 is 0
  return (bits >= 0x80000000 ? ~bits : bits | 0x80000000) >>> 0;
}

/**
 * What each of P parts of a row has for a draw of `sample`: the first X of its logits, best first, or of equals the
 * smaller id first, and of the first of these, the first two, and so on the sum of exp((logit - top) / temperature) and the id with the
 * largest logit / temperature + g; the last of them stands for all that equal its logit. Then the same of the whole
 * part. So `sample` reads off what is above a threshold, and none needs another pass over the logits. X is the most that
 * a row needs (`entriesOf`); each has as many as its own sentence needs, and rows that do not draw are left alone. rows
 * u32[R,4]; sentences u32[B,Y]; logits f32[R,V]; sums f32[R,P,X+2] = X sums, top = the part's largest logit, and the sum
 * of all (-1 if a logit is not finite); picks u32[R,P,2*X+1] = X logits as ordered numbers (0 where the part has none), X
 * ids, and the id of all (NO_ID where all are banned). Numerics and source: shaders/sample_parts.wgsl.
 */
export const sampleParts = defineKernel({
  name: "sample_parts",
  reads: { rows: "u32[R,4]", sentences: "u32[B,Y]", logits: "f32[R,V]", status: "u32[2]?" },
  writes: { sums: "f32[R,P,X+2]", picks: "u32[R,P,2*X+1]" },
  params: ["P", "X"],
  constants: [],
  variants: [
    {
      name: "direct",
      wgsl: joinShader(direct, draw, noise, searchState, settings, constants),
      groups: ({ R, P }) => R * P,
      constants: ({ V, P }) => ({ LANES: Math.max(32, 2 ** Math.ceil(Math.log2(V / P / 2))) }),
    },
  ],
  check({ V, P, X }) {
    const length = Math.ceil(V / P);
    if (!(length <= MOST)) return `P must be at least ${partsOf(V)} for V=${V}, got ${P}`;
    return X > length ? `X must be at most ${length}, the logits of a part, got ${X}` : undefined;
  },
  bytes: ({ R, V, P, X }) => 4 * R * (V + P * (3 * X + 3)),
  flops: ({ R, V }) => 10 * R * V,
  reference({ R, V, Y, P, X }, { rows, sentences, logits, sums, picks }) {
    const length = Math.ceil(V / P);
    for (let part = 0; part < R * P; part++) {
      const [r, first] = [Math.floor(part / P), (part % P) * length];
      const asked = drawOf({ rows, sentences }, r, Y);
      if (!asked) continue;
      const count = entriesOf(V, asked, P);
      const ids = Array.from({ length: Math.max(0, Math.min(length, V - first)) }, (_, i) => first + i);
      const logit = (id: number): number => logits[r * V + id];
      const top = ids.reduce((most, id) => Math.max(most, logit(id)), ABSENT);
      const score = (id: number): number => (logit(id) - top) / asked.temperature;
      const noisy = (id: number): number => score(id) + asked.noise(id);
      const better = (best: number, id: number): number =>
        best === NO_ID || noisy(id) > noisy(best) || (noisy(id) === noisy(best) && id < best) ? id : best;
      const sorted = [...ids].sort((a, b) => logit(b) - logit(a) || a - b);
      const [sum, pick] = [part * (X + 2), part * (2 * X + 1)];
      let [total, drawn] = [0, NO_ID];
      const add = (id: number): void => {
        if (logit(id) <= BANNED) return;
        total += Math.exp(score(id));
        drawn = better(drawn, id);
      };
      sorted.forEach((id, i) => {
        add(id);
        const x = Math.min(i, count - 1);
        if (i < count) picks[pick + i] = ordered(logit(id));
        if (i < count || logit(id) === logit(sorted[x])) [sums[sum + x], picks[pick + X + x]] = [total, drawn];
      });
      for (let x = sorted.length; x < count; x++)
        [picks[pick + x], sums[sum + x], picks[pick + X + x]] = [0, total, drawn];
      [sums[sum + X + 1], picks[pick + 2 * X]] = [total, drawn];
      sums[sum + X] = top;
      if (!ids.every((id) => Math.abs(logit(id)) <= LARGEST)) sums[sum + X + 1] = -1;
    }
  },
});
