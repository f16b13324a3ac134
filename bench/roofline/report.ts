import type { Comparison } from "./compare.js";
import type { Figures } from "./devices.js";
import { byKind } from "./expected.js";
import type { Prediction } from "./predict.js";

const thousands = (value: number): string => Math.round(value).toLocaleString("en");
const ms = (us: number): string => `${(us / 1e3).toFixed(us < 1e4 ? 2 : 1)} ms`;
const cells = (...texts: string[]): string => texts.map((text) => text.padStart(12)).join("");

/** A line that says what a device is taken for. */
export const deviceLine = ({ name, gb_s, tflop_s, lanes, launch_us, wait_us, source }: Figures): string =>
  `${name}: ${gb_s} GB/s, ${tflop_s} TFLOP/s, ${thousands(lanes)} lanes (${source}); ${launch_us} us a launch, ${wait_us} us a load`;

/** A plan as text: a line in all, and a line for each kind of launch, the slowest first. */
export function planLines({ name, launches, count, us, host }: Prediction): string[] {
  const bytes = launches.reduce((sum, one) => sum + one.bytes, 0);
  const flops = launches.reduce((sum, one) => sum + one.flops, 0);
  const often = count > 1 ? `, ${count} times` : "";
  const by = host ? ", as the host records no faster" : "";
  return [
    `${name}: ${ms(us)}${often}${by}; ${launches.length} launches, ${(bytes / 1e6).toFixed(1)} MB, ${(flops / 1e9).toFixed(2)} GFLOP`,
    `${cells("us", "%", "launches", "MB", "GFLOP", "of roof", "bound by")}  launch`,
    ...byKind(launches).map((kind) => {
      const share = (kind.share * 100).toFixed(0);
      const part = ((100 * kind.us) / launches.reduce((sum, one) => sum + one.us, 0)).toFixed(1);
      const work = [(kind.bytes / 1e6).toFixed(2), (kind.flops / 1e9).toFixed(3)];
      return `${cells(kind.us.toFixed(1), part, String(kind.count), ...work, `${share} %`, kind.bound)}  ${kind.kernel} ${kind.variant}  ${kind.place}`;
    }),
  ];
}

/** What a call takes in all, and in a second. */
export function callLines(plans: readonly Prediction[], rows: number, tokens: number): string[] {
  const step = plans.find(({ name }) => name === "step");
  const before = plans.filter((plan) => plan !== step).reduce((sum, { us, count }) => sum + us * count, 0);
  if (!step) return [`call: ${ms(before)}, ${thousands((rows * 1e6) / before)} inputs/s`];
  return [
    `first token after ${ms(before + step.us)}; then ${thousands((rows * 1e6) / step.us)} tokens/s`,
    `${rows} x ${tokens} new tokens: ${ms(before + tokens * step.us)}`,
  ];
}

/** Expected and measured times of a plan: a line in all, and a line for each kind of launch. */
export const comparisonLines = (name: string, { kinds, us, measured_us, pass_us }: Comparison): string[] => [
  `${name}: ${ms(us)} predicted, ${ms(measured_us)} measured launch by launch, ${ms(pass_us)} in one pass`,
  `${cells("predicted", "measured us", "ratio", "launches", "bound by")}  launch`,
  ...kinds.map((kind) => {
    const times = [kind.us.toFixed(1), kind.measured_us.toFixed(1), (kind.us / kind.measured_us).toFixed(2)];
    return `${cells(...times, String(kind.count), kind.bound)}  ${kind.kernel} ${kind.variant}  ${kind.place}`;
  }),
];
