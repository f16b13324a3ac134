import direct from "../../shaders/sample_parts.wgsl";
import constants from "../../shaders/parts/constants.wgsl";
import noise from "../../shaders/parts/noise.wgsl";
import { defineKernel } from "../runtime/kernel.js";
import { joinShader } from "../runtime/wgsl.js";
import { ABSENT, BANNED, LARGEST, NO_ID } from "./constants.js";
import { checkTemperature, exponential } from "./noise.js";

/** The most logits of a part, which a workgroup sorts. */
const MOST = 512;

/** The parts of a row, and how many of its best logits each must list for a draw with these thresholds. */
export function partsOfDraw(
  V: number,
  { top_k, top_p, min_p }: Readonly<Record<"top_k" | "top_p" | "min_p", number>>,
  G = Math.ceil(V / MOST),
): { readonly G: number; readonly C: number } {
  const counts = top_k > 0 && top_k < V;
  const all = counts || top_p < 1 || min_p > 0 ? Math.ceil(V / G) : 0;
  return { G, C: counts ? Math.min(top_k, all) : all };
}

/** A number that is ordered as u32 as the logit is as f32. */
function ordered(logit: number): number {
  const [bits] = new Uint32Array(Float32Array.of(logit + 0).buffer); // -0 + 0 is 0
  return (bits >= 0x80000000 ? ~bits : bits | 0x80000000) >>> 0;
}

/**
 * What each of G parts of a row has for a draw of `sample`: the first C of its logits, best first, or of equals the
 * smaller id first, and of the first of these, the first two, and so on the sum of exp((logit - top) / temperature) and the id with the
 * largest logit / temperature + g; the last of them stands for all that equal its logit. Then the same of the whole
 * part. So `sample` reads off what is above a threshold, and none needs another pass over the logits. rows u32[R,4];
 * logits f32[R,V]; sums f32[R,G,C+2] = C sums, top = the part's largest logit, and the sum of all (-1 if a logit is not
 * finite); picks u32[R,G,2*C+1] = C logits as ordered numbers (0 where the part has none), C ids, and the id of all
 * (NO_ID where all are banned). Numerics and source: shaders/sample_parts.wgsl.
 */
export const sampleParts = defineKernel({
  name: "sample_parts",
  reads: { rows: "u32[R,4]", logits: "f32[R,V]", status: "u32[2]?" },
  writes: { sums: "f32[R,G,C+2]", picks: "u32[R,G,2*C+1]" },
  params: ["G", "C", "temperature", "seed"],
  constants: [],
  variants: [
    {
      name: "direct",
      wgsl: joinShader(direct, noise, constants),
      groups: ({ R, G }) => R * G,
      constants: ({ V, G }) => ({ LANES: Math.max(32, 2 ** Math.ceil(Math.log2(V / G / 2))) }),
    },
  ],
  check({ V, G, C, temperature }) {
    const length = Math.ceil(V / G);
    if (!(length <= MOST)) return `G must be at least ${Math.ceil(V / MOST)} for V=${V}, got ${G}`;
    if (C > length) return `C must be at most ${length}, the logits of a part, got ${C}`;
    return checkTemperature(temperature);
  },
  bytes: ({ R, V, G, C }) => 4 * R * (V + G * (3 * C + 3)),
  flops: ({ R, V }) => 10 * R * V,
  reference({ R, V, G, C, temperature, seed }, { rows, logits, sums, picks }) {
    const length = Math.ceil(V / G);
    for (let part = 0; part < R * G; part++) {
      const [r, first] = [Math.floor(part / G), (part % G) * length];
      const ids = Array.from({ length: Math.max(0, Math.min(length, V - first)) }, (_, i) => first + i);
      const logit = (id: number): number => logits[r * V + id];
      const top = ids.reduce((most, id) => Math.max(most, logit(id)), ABSENT);
      const score = (id: number): number => (logit(id) - top) / temperature;
      const noisy = (id: number): number => score(id) - Math.log(exponential(seed, r, rows[4 * r + 1], id));
      const better = (best: number, id: number): number =>
        best === NO_ID || noisy(id) > noisy(best) || (noisy(id) === noisy(best) && id < best) ? id : best;
      const sorted = [...ids].sort((a, b) => logit(b) - logit(a) || a - b);
      const [sum, pick] = [part * (C + 2), part * (2 * C + 1)];
      let [total, drawn] = [0, NO_ID];
      const add = (id: number): void => {
        if (logit(id) <= BANNED) return;
        total += Math.exp(score(id));
        drawn = better(drawn, id);
      };
      sorted.forEach((id, i) => {
        add(id);
        const c = Math.min(i, C - 1);
        if (i < C) picks[pick + i] = ordered(logit(id));
        if (i < C || logit(id) === logit(sorted[c])) [sums[sum + c], picks[pick + C + c]] = [total, drawn];
      });
      for (let c = sorted.length; c < C; c++) [picks[pick + c], sums[sum + c], picks[pick + C + c]] = [0, total, drawn];
      [sums[sum + C + 1], picks[pick + 2 * C]] = [total, drawn];
      sums[sum + C] = top;
      if (!ids.every((id) => Math.abs(logit(id)) <= LARGEST)) sums[sum + C + 1] = -1;
    }
  },
});
