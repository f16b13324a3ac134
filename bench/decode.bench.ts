import { load } from "../src/index.js";
import type { Model } from "../src/model/model.js";
import { folder, readJson } from "../tests/support/harness.js";
import { timestamps } from "./support/harness.js";
import type { Bench, Context, Row } from "./support/measure.js";
import { spread } from "./support/time.js";
import { hostLoop } from "./support/host_loop.js";
import { freshMeter, type Meter, metered } from "./support/meter.js";

interface GoldenCase {
  readonly name: string;
  readonly inputs: { readonly input_ids: number[][]; readonly attention_mask: number[][] };
  readonly options: Readonly<Record<string, number | boolean>>;
  readonly expected: { readonly sequences: number[][] };
}

interface DecodeCase {
  readonly B: number;
  readonly W: number;
  /** Number of timed calls, each of which takes the next B words. */
  readonly calls: number;
  /** The case of golden.json whose sequences must be right before anything is timed. */
  readonly golden: string;
}

const CASES: Readonly<Record<string, DecodeCase>> = {
  "g2p-en B=1 greedy": { B: 1, W: 1, calls: 32, golden: "greedy-64" },
  "g2p-en B=1 W=4": { B: 1, W: 4, calls: 32, golden: "one-word-beam-4" },
  "g2p-en B=64 W=4": { B: 64, W: 4, calls: 7, golden: "beam-4-64" },
};
const MAX_LENGTH = 48;
const [START, END] = [100, 0]; // of g2p-en, whose start token is also its padding

/** Checks that the model generates what golden.json says, before anything is timed. */
async function verify(model: Model, { name, inputs, options, expected }: GoldenCase): Promise<void> {
  const { sequences } = await model.generate(inputs, options);
  if (JSON.stringify(sequences) === JSON.stringify(expected.sequences)) return;
  throw new Error(`decode: not timed, ${name} of golden.json differs`);
}

async function measure(
  { gpu, report }: Context,
  shape: string,
  { B, W, calls, golden }: DecodeCase,
  cases: readonly GoldenCase[],
): Promise<void> {
  let meter = freshMeter("plain");
  const model = await load(folder("models/g2p-en"), { gpu: metered(gpu, () => meter) });
  const find = (name: string): GoldenCase => {
    const found = cases.find((candidate) => candidate.name === name);
    if (!found) throw new Error(`golden.json: has no case ${name}`);
    return found;
  };
  const {
    inputs: { input_ids, attention_mask },
  } = find("greedy-64"); // the first 64 words of heldout.tsv
  const words = input_ids.map((ids, r) => ids.filter((_, i) => attention_mask[r][i] === 1));
  const rowsOf = (call: number): number[][] =>
    Array.from({ length: B }, (_, b) => words[(call * B + b) % words.length]);
  const options = { num_beams: W, max_length: MAX_LENGTH };
  const generate = (call: number) => model.generate({ input_ids: rowsOf(call) }, options);
  try {
    await verify(model, find(golden));
    for (let call = 0; call < calls; call++) await generate(call); // each length of sources is compiled once

    const [stepUs, tokenUs]: [number[], number[]] = [[], []];
    const total = { steps: 0, submits: 0, submitMs: 0, mapMs: 0, waits: 0 };
    for (let call = 0; call < calls; call++) {
      meter = freshMeter("plain");
      const start = performance.now();
      const {
        lengths,
        stats: { steps },
      } = await generate(call);
      const us = 1e3 * (performance.now() - start);
      stepUs.push(us / steps);
      tokenUs.push(us / lengths.reduce((sum, length) => sum + length - 1, 0));
      total.steps += steps;
      for (const key of ["submits", "submitMs", "mapMs", "waits"] as const) total[key] += meter[key];
    }
    const perStep = meter.launches;

    const deviceUs: number[] = [];
    for (let call = 0; timestamps(gpu) && call < calls; call++) {
      meter = freshMeter("clock");
      const {
        stats: { steps },
      } = await generate(call);
      deviceUs.push(...meter.stepUs.slice(0, steps)); // steps after the end did nothing
    }
    meter = freshMeter("plain");
    const hostUs: number[] = [];
    for (let call = 0; call < Math.min(calls, 8); call++) {
      const loop = { B, W, steps: Math.round(total.steps / calls), start: START, end: END };
      const { times } = await hostLoop(model, { input_ids: rowsOf(call) }, loop);
      hostUs.push(...times.map((ms) => 1e3 * ms));
    }
    const row: DecodeRow = {
      bench: "decode",
      shape,
      us: spread(stepUs),
      device_us: deviceUs.length ? spread(deviceUs).median : undefined,
      tokens_per_s: 1e6 / spread(tokenUs).median,
      steps_per_call: total.steps / calls,
      launches_per_step: perStep,
      js_us_per_step: (1e3 * total.submitMs) / total.submits,
      map_us_per_step: (1e3 * total.mapMs) / total.submits,
      submits_per_step: total.submits / total.steps,
      host_waits_per_step: total.waits / total.steps,
      host_loop_us: spread(hostUs).median,
    };
    report(row, line(row));

    meter = freshMeter("profile");
    if (timestamps(gpu)) {
      const {
        stats: { steps },
      } = await generate(0);
      await meter.late;
      reportProfile(report, shape, meter.kernelUs.slice(0, steps));
    }
  } finally {
    model.dispose();
  }
}

interface DecodeRow extends Row {
  /** Time of a step on the device, with all its launches in one pass. */
  readonly device_us?: number;
  /** Tokens of the best hypotheses, including end tokens. */
  readonly tokens_per_s: number;
  readonly steps_per_call: number;
  readonly launches_per_step: number;
  /** For each submit: the time to encode and submit, and the time of the call of `mapAsync`. */
  readonly js_us_per_step: number;
  readonly map_us_per_step: number;
  /** Above 1 because of steps that were submitted ahead and had nothing to do. */
  readonly submits_per_step: number;
  readonly host_waits_per_step: number;
  readonly host_loop_us: number;
}

const COLUMNS =
  "\ndecode                    ms/step          p10..p90  on device   tokens/s  steps  launches" +
  "  submits/step       js us   map us  waits/step  host loop ms/step  ratio";

function line(row: DecodeRow): string {
  const ms = (us: number): string => (us / 1e3).toFixed(2);
  return [
    row.shape.padEnd(24),
    ms(row.us.median).padStart(9),
    `${ms(row.us.p10)}..${ms(row.us.p90)}`.padStart(18),
    (row.device_us === undefined ? "-" : ms(row.device_us)).padStart(11),
    row.tokens_per_s.toFixed(0).padStart(11),
    row.steps_per_call.toFixed(1).padStart(7),
    String(row.launches_per_step).padStart(10),
    row.submits_per_step.toFixed(2).padStart(14),
    row.js_us_per_step.toFixed(0).padStart(12),
    row.map_us_per_step.toFixed(0).padStart(9),
    row.host_waits_per_step.toFixed(2).padStart(12),
    ms(row.host_loop_us).padStart(19),
    (row.host_loop_us / row.us.median).toFixed(2).padStart(7),
  ].join("");
}

/** Time by kernel and place in a layer. Each launch has a pass of its own, so that the sum is more than the time of a step. */
function reportProfile(report: Context["report"], shape: string, worked: Meter["kernelUs"]): void {
  const whole = spread(worked.map((kernels) => [...kernels.values()].reduce((sum, { us }) => sum + us, 0))).median;
  const rows = [...worked[0].keys()].map((name) => ({
    name,
    launches: worked[0].get(name)?.launches ?? 0,
    us: spread(worked.map((kernels) => kernels.get(name)?.us ?? 0)),
  }));
  for (const { name, launches, us } of rows.sort((a, b) => b.us.median - a.us.median)) {
    const percent = (100 * us.median) / whole;
    report(
      { bench: "decode profile", shape: `${shape} ${name}`, us, launches, percent },
      [
        `  ${name.padEnd(40)}${String(launches).padStart(3)} launches`,
        `${us.median.toFixed(0)} us`.padStart(12),
        `${percent.toFixed(1)} %`.padStart(9),
      ].join(""),
    );
  }
}

/** The whole loop: the time of a step as a caller sees it (encoder, steps, reading back), and the same with the loop on the host. */
export const bench: Bench = {
  async run(context) {
    const { cases } = await readJson<{ cases: GoldenCase[] }>("models/g2p-en/golden.json");
    console.log(COLUMNS);
    for (const [shape, one] of Object.entries(CASES)) await measure(context, shape, one, cases);
  },
};
