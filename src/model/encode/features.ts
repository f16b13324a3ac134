import { record } from "../../runtime/plan.js";
import { prefix, type Tensor, tensor } from "../../runtime/tensor.js";
import type { Core } from "../core.js";
import type { Stack, Stem } from "../graph/architecture.js";
import { type PackedSignals, stem, stemLengths } from "../graph/stem.js";
import { type PackedInputs, packRows, packSpans, type SignalInput } from "../inputs.js";

/** Writes the features f32[N,D] of a packed batch, as they are or made of its signals, to the beginning of `to`. */
export async function writeFeatures(core: Core, { rows, features, signals }: PackedInputs, to: Tensor): Promise<void> {
  if (features) core.gpu.write(to, features);
  if (signals) await runStem(core, signals, prefix(to, [rows.length / 4, core.architecture.D]));
}

/** Runs the stem over signals, in a plan of its own. */
async function runStem(core: Core, signals: readonly SignalInput[], out: Tensor): Promise<void> {
  const { gpu } = core;
  const held: Tensor[] = [];
  try {
    const packed = await packSignals(core, signals, held);
    const prepared = await gpu.prepare(record("stem", (run) => stem(run, core, packed, out)));
    try {
      await prepared.run();
    } finally {
      prepared.dispose();
    }
  } finally {
    gpu.memory.free(held);
  }
}

/** Signals and their places on the device, in tensors that are added to `held`. */
async function packSignals(
  { gpu, architecture }: Core,
  signals: readonly SignalInput[],
  held: Tensor[],
): Promise<PackedSignals> {
  const front = (architecture.encoder as Stack).stem as Stem;
  const make = (name: string, dtype: "f32" | "u32", rows: number, width: number): Tensor => {
    const made = tensor(name, dtype, [rows, width]);
    held.push(made);
    return made;
  };
  const put = (name: string, width: number, data: Uint32Array<ArrayBuffer>): Tensor => {
    const made = make(name, "u32", data.length / width, width);
    gpu.write(made, data);
    return made;
  };
  const spans = packSpans(signals.map(({ frames }) => ({ length: frames })));
  const lengths = signals.map(({ frames }) => stemLengths(front, frames));
  const signal = make(
    "signal",
    "f32",
    signals.reduce((sum, { frames }) => sum + frames, 0),
    front.C,
  );
  for (const [b, { signal: own, frames }] of signals.entries()) {
    const toAt = spans[2 * b] * front.C;
    if (own instanceof Float32Array) gpu.write(signal, own, 4 * toAt);
    else await gpu.copy([{ from: own.tensor, fromAt: own.first * front.C, to: signal, toAt, count: frames * front.C }]);
  }
  const levels = front.convolutions.map((_, i) => {
    const level = lengths.map((own) => Array<number>(own[i]).fill(0));
    return {
      rows: put(`stem_rows.${i}`, 4, packRows(level)),
      spans: put(`stem_spans.${i}`, 2, packSpans(level)),
    };
  });
  return { signal, spans: put("signal_spans", 2, spans), levels };
}
