import { InputError } from "../../runtime/errors.js";
import { record } from "../../runtime/plan.js";
import { prefix, type Tensor } from "../../runtime/tensor.js";
import type { Core } from "../core.js";
import type { Stack, Stem } from "../graph/architecture.js";
import { type PackedSignals, packStem, stem } from "../graph/stem.js";
import { type Held, holdTensors } from "../held.js";
import type { PackedInputs, SignalInput } from "../inputs.js";

/** Writes the vectors of a packed batch, as they are or made of its signals, f32[N,width], to the beginning of `to`. */
export async function writeVectors(core: Core, { rows, vectors, signals }: PackedInputs, to: Tensor): Promise<void> {
  if (vectors) core.gpu.write(to, vectors);
  if (signals) await runStem(core, signals, prefix(to, [rows.length / 4, core.architecture.D]));
}

/** Runs the stem over signals, in a plan of its own. */
async function runStem(core: Core, signals: readonly SignalInput[], out: Tensor): Promise<void> {
  const held = holdTensors(core.gpu);
  try {
    const packed = await packSignals(core, signals, held);
    const prepared = await core.gpu.prepare(record("stem", (run) => stem(run, core, packed, out)));
    try {
      await prepared.run();
    } finally {
      prepared.dispose();
    }
  } finally {
    held.free();
  }
}

/** Signals, one after another, and the places of all that the stem makes of them. */
async function packSignals(
  { gpu, architecture }: Core,
  signals: readonly SignalInput[],
  { make, put }: Held,
): Promise<PackedSignals> {
  const front = (architecture.encoder as Stack).stem as Stem;
  const { C } = front;
  const S = signals.reduce((sum, { frames }) => sum + frames, 0);
  const signal = make("signal", "f32", [S, C]);
  const { spans, levels } = packStem(
    front,
    signals.map(({ frames }) => frames),
  );
  for (const [b, { signal: own, frames }] of signals.entries()) {
    const toAt = spans[2 * b] * C;
    if (own instanceof Float32Array) gpu.write(signal, own, 4 * toAt);
    else if (!gpu.memory.has(own.tensor))
      throw new InputError(`${front.input}: row ${b} must be on the device of the model, is not; compute it again`);
    else await gpu.copy([{ from: own.tensor, fromAt: own.first * C, to: signal, toAt, count: frames * C }]);
  }
  return {
    signal,
    spans: put("signal_spans", [signals.length, 2], spans),
    levels: levels.map((level, i) => ({
      rows: put(`stem_rows.${i}`, [level.rows.length / 4, 4], level.rows),
      spans: put(`stem_spans.${i}`, [signals.length, 2], level.spans),
    })),
  };
}
