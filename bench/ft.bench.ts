import { load } from "../src/index.js";
import type { Model } from "../src/model/model.js";
import type { Bench, Context, Row } from "./support/measure.js";
import { spread } from "./support/time.js";
import { FT, ftDecoder, ftEncoder, ftMemory } from "./support/ft.js";
import { hostLoop } from "./support/host_loop.js";
import { freshMeter, type Meter, metered } from "./support/meter.js";

/** FasterTransformer's table: its `Decoder` in a loop of the caller's, its `Decoding`, and its `Encoder`. */
const ROWS = [1, 8, 32].flatMap((B) => [1, 4].flatMap((W) => [32, 64, 128].map((S) => ({ B, W, S }))));
const ENCODED = [1, 8, 32].map((B) => ({ B, S: 32 }));
const ROUNDS = 3;
const LONGEST = 90; // seconds that the rounds of a row may take by the estimate of its first steps
const TRIED = 4; // steps of the estimate

/**
 * Published, on a Tesla T4 in f32 and in f16: how many times faster than TensorFlow a call of `Decoding` was (v2.0), and
 * than `Decoder` in TensorFlow's loop (v2.1: 127 and 36.4 ms, 128 and 26.3; 205 and 154, 159 and 82.8).
 */
const PUBLISHED: Readonly<Record<string, { readonly tensorflow: string; readonly decoder: string }>> = {
  "B=1 W=4 S=32": { tensorflow: "6.7 / 11.0", decoder: "3.5 / 4.9" },
  "B=32 W=4 S=32": { tensorflow: "2.7 / 5.0", decoder: "1.3 / 1.9" },
};

interface DecodingRow extends Row {
  /** The loop on the host. `us` is the loop on the device; both are of a step. */
  readonly decoder_us: number;
  readonly ratio: number;
  readonly launches_per_step: number;
  readonly host_waits_per_step: number;
  readonly tokens_per_s: number;
}

const shapeOf = ({ B, W, S }: (typeof ROWS)[number]): string => `B=${B} W=${W} S=${S}`;

async function measureRow(
  { report, skip }: Context,
  model: Model,
  size: (typeof ROWS)[number],
  meterOf: () => Meter,
): Promise<void> {
  const { B, W, S } = size;
  const shape = shapeOf(size);
  const inputs = { encoder_outputs: ftMemory(B, S) };
  const decoding = (steps: number) => model.generate(inputs, { num_beams: W, max_new_tokens: steps });
  const decoder = (steps: number) => hostLoop(model, inputs, { B, W, steps, start: FT.start });
  const [{ sequences }, tried] = [await decoding(TRIED), await decoder(TRIED)];
  tried.sequences.forEach((row, b) => {
    if (row.join() === sequences[b].slice(1).join()) return;
    throw new Error(`ft: not timed, Decoder and Decoding differ at ${shape}: ${row} and ${sequences[b].slice(1)}`);
  });
  const seconds = (2 * S * ROUNDS * spread(tried.times.map((ms) => ms)).median) / 1e3;
  if (seconds > LONGEST) return skip("ft", shape, `its rounds would take about ${seconds.toFixed(0)} s`);
  await decoding(S);
  const [us, hostUs]: [number[], number[]] = [[], []];
  let [submits, waits, launches] = [0, 0, 0];
  for (let round = 0; round < ROUNDS; round++) {
    const meter = meterOf();
    const begun = performance.now();
    const { stats } = await decoding(S);
    us.push((1e3 * (performance.now() - begun)) / S);
    [submits, waits, launches] = [submits + meter.submits, waits + meter.waits, stats.launches.step];
    const host = performance.now();
    await decoder(S);
    hostUs.push((1e3 * (performance.now() - host)) / S);
  }
  const [median, hostMedian] = [spread(us).median, spread(hostUs).median];
  const row: DecodingRow = {
    bench: "ft",
    shape,
    us: spread(us),
    decoder_us: hostMedian,
    ratio: hostMedian / median,
    launches_per_step: launches,
    host_waits_per_step: waits / submits,
    tokens_per_s: (1e6 * B) / median,
  };
  report(row, line(row));
}

const ms = (us: number): string => (us / 1e3).toFixed(1);

function line(row: DecodingRow): string {
  const published = PUBLISHED[row.shape];
  return [
    row.shape.padEnd(20),
    ms(row.decoder_us).padStart(12),
    ms(row.us.median).padStart(12),
    `${row.ratio.toFixed(2)}x`.padStart(9),
    String(row.launches_per_step).padStart(10),
    row.host_waits_per_step.toFixed(2).padStart(12),
    row.tokens_per_s.toFixed(1).padStart(10),
    (published?.decoder ?? "-").padStart(22),
    (published?.tensorflow ?? "-").padStart(24),
  ].join("");
}

async function measureEncoder({ gpu, report, skip }: Context): Promise<void> {
  const model = await load(await ftEncoder(), { gpu });
  let perSequence = 0;
  try {
    for (const { B, S } of ENCODED) {
      const shape = `encoder B=${B} S=${S}`;
      if (perSequence * B * (ROUNDS + 1) > LONGEST * 1e6) {
        skip("ft", shape, `its rounds would take about ${((perSequence * B * (ROUNDS + 1)) / 1e6).toFixed(0)} s`);
        continue;
      }
      const input_ids = Array.from({ length: B }, (_, b) =>
        Array.from({ length: S }, (_, s) => (7 * b + 13 * s) % 1000),
      );
      await model.encode({ input_ids });
      const us: number[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        const begun = performance.now();
        await model.encode({ input_ids });
        us.push(1e3 * (performance.now() - begun));
      }
      perSequence = spread(us).median / B;
      const row: Row = { bench: "ft", shape, us: spread(us), sequences_per_s: 1e6 / perSequence };
      report(
        row,
        `${shape.padEnd(20)}${`${ms(row.us.median)} ms`.padStart(24)}${`${(1e6 / perSequence).toFixed(2)} sequences/s`.padStart(22)}`,
      );
    }
  } finally {
    model.dispose();
  }
}

export const bench: Bench = {
  async run(context) {
    let meter = freshMeter("plain");
    const model = await load(await ftDecoder(), { gpu: metered(context.gpu, () => meter) });
    console.log(
      "\nft: FasterTransformer's decoder (8 x 64, 6 layers, 30,000 tokens), from random memory; ms a step" +
        "\n                         Decoder    Decoding    ratio  launches  waits/step  tokens/s  theirs, T4 f32 / f16  over TensorFlow, T4",
    );
    try {
      for (const size of ROWS) await measureRow(context, model, size, () => (meter = freshMeter("plain")));
    } finally {
      model.dispose();
    }
    await measureEncoder(context);
  },
};
