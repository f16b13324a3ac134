import type { Gpu } from "../src/runtime/gpu.js";
import { USAGE } from "../src/runtime/memory.js";
import type { Prepared, RunOptions } from "../src/runtime/prepare.js";
import { profile } from "../src/runtime/profile.js";
import { tensor, type TypedArray } from "../src/runtime/tensor.js";
import { load } from "../src/model/load.js";
import type { Model } from "../src/model/model.js";
import { folder, readJson } from "../tests/support/harness.js";
import { type Bench, type Context, type Row, spread, timestamps } from "./support/harness.js";

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

/** What was measured during one call. */
interface Meter {
  /** "clock" measures whole steps on the device, "profile" each launch, one step after the other. */
  mode: "plain" | "clock" | "profile";
  launches: number;
  submits: number;
  /** Time that JavaScript took to encode and submit. */
  submitMs: number;
  /** Time until the call of `mapAsync` returned, which in Deno is when the device is done. */
  mapMs: number;
  inFlight: number;
  /** Number of steps that were submitted only after the previous report: the device waited for the host. */
  waits: number;
  stepUs: number[];
  kernelUs: Map<string, { us: number; launches: number }>[];
  /** Resolves when all profiled steps have run, including those that the call no longer waits for. */
  late: Promise<unknown>;
}

const freshMeter = (mode: Meter["mode"]): Meter => ({
  mode,
  launches: 0,
  submits: 0,
  submitMs: 0,
  mapMs: 0,
  inFlight: 0,
  waits: 0,
  stepUs: [],
  kernelUs: [],
  late: Promise.resolve(),
});

/** A device that measures the plans of decoding steps; all other plans run as usual. */
function metered(gpu: Gpu, meter: () => Meter): Gpu {
  return {
    ...gpu,
    async prepare(plan, progress) {
      const prepared = await gpu.prepare(plan, progress);
      if (plan.name !== "step" && plan.name !== "decoder") return prepared;
      const run = (options: RunOptions = {}): Promise<TypedArray[]> => {
        const now = meter();
        now.launches = plan.launches.length;
        if (now.mode === "profile") {
          const turn = now.late.then(() => profileStep(gpu, prepared, now, options));
          now.late = turn;
          return turn;
        }
        now.waits += Number(now.submits > 0 && now.inFlight === 0);
        now.submits++;
        now.inFlight++;
        const drive = now.mode === "plain" ? plainStep : clockStep;
        return drive(gpu, prepared, now, options).finally(() => now.inFlight--);
      };
      return { ...prepared, run };
    },
  };
}

type MeteredRun = (gpu: Gpu, prepared: Prepared, meter: Meter, options: RunOptions) => Promise<TypedArray[]>;

const plainStep: MeteredRun = (_, prepared, meter, options) => {
  const start = performance.now();
  let submitted = start;
  const values = prepared.run({ ...options, submitted: () => (submitted = performance.now()) });
  meter.submitMs += submitted - start;
  meter.mapMs += performance.now() - submitted;
  return values;
};

const clockStep: MeteredRun = async (gpu, prepared, meter, options) => {
  const querySet = gpu.device.createQuerySet({ type: "timestamp", count: 2 });
  const buffer = gpu.device.createBuffer({ size: 16, usage: USAGE.queryResolve | USAGE.copySource });
  const words = { tensor: tensor("timestamps", "u32", [4]), buffer, offset: 0 };
  const timestampWrites = { querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 };
  const running = prepared.run({ ...options, timestampWrites });
  const [times] = await gpu.submit((encoder) => encoder.resolveQuerySet(querySet, 0, 2, buffer, 0), [words]);
  const [begin, end] = new BigUint64Array(times.buffer);
  meter.stepUs.push(Number(end - begin) / 1e3);
  querySet.destroy();
  buffer.destroy();
  return running;
};

const profileStep: MeteredRun = async (gpu, prepared, meter, { read = [] }) => {
  const kernels: Meter["kernelUs"][number] = new Map();
  for (const { kernel, label, ms } of await profile(gpu, prepared)) {
    const name = kernel === label ? kernel : `${kernel} ${label.replace(/^decoder\.(layers\.\d+\.)?/, "")}`;
    const { us, launches: count } = kernels.get(name) ?? { us: 0, launches: 0 };
    kernels.set(name, { us: us + 1e3 * ms, launches: count + 1 });
  }
  meter.kernelUs.push(kernels);
  return gpu.submit(() => {}, read.map(prepared.locate));
};

/** Beam search on the host with `model.decoder()`, without the loop on the device. Returns the milliseconds of its steps. */
async function hostLoop(model: Model, rows: number[][], W: number, steps: number): Promise<number[]> {
  const decoder = await model.decoder({ input_ids: rows }, { max_length: MAX_LENGTH, num_beams: W });
  const { V } = model.architecture;
  let ids = rows.flatMap(() => Array<number>(W).fill(START));
  let parents = rows.flatMap(() => Array.from({ length: W }, (_, w) => w));
  let scores: number[] = ids.map((_, r) => (r % W === 0 ? 0 : -1e9));
  const times: number[] = [];
  for (let step = 0; step < steps; step++) {
    const begin = performance.now();
    const { data } = await decoder.step(ids, parents);
    const best = rows.flatMap((_, b) => {
      const candidates: { id: number; w: number; score: number }[] = [];
      for (let w = 0; w < W; w++) {
        const logits = data.subarray((b * W + w) * V, (b * W + w + 1) * V);
        const top = logits.reduce((a, x) => Math.max(a, x), -Infinity);
        const logSum = top + Math.log(logits.reduce((sum, x) => sum + Math.exp(x - top), 0));
        logits.forEach((x, id) => candidates.push({ id, w, score: scores[b * W + w] + x - logSum }));
      }
      candidates.sort((x, y) => y.score - x.score);
      return candidates
        .slice(0, 2 * W)
        .filter(({ id }) => W === 1 || id !== END)
        .slice(0, W);
    });
    ids = best.map(({ id }) => id);
    parents = best.map(({ w }) => w);
    scores = best.map(({ score }) => score);
    times.push(performance.now() - begin);
  }
  decoder.dispose();
  return times;
}

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
      const times = await hostLoop(model, rowsOf(call), W, Math.round(total.steps / calls));
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
