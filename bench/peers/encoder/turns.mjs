// One rival's encoder against wgformer's on one batch, in whatever runtime this is loaded.
import { alternate } from "../turns.mjs";
import { compare, inputsOf } from "./shapes.mjs";

const TOLERANCE = 1e-4;

/** Compares hidden states, then times whole calls of both, outputs read back. No times when they disagree. */
export async function compareBatch({ model, theirs, batch, rounds, watch, count }) {
  const inputs = inputsOf(batch, model.architecture.V);
  const { last_hidden_state } = await model.forward(inputs);
  const call = () => theirs.run(inputs);
  const { result, count: dispatches } = count ? await count(call) : { result: await call() };
  if (dispatches === 0) throw new Error("encoder: the rival must give its work to the GPU, it dispatched nothing");
  const { worst, failed } = agreement(last_hidden_state, result, batch);
  if (failed) return { failed };
  const timed = await alternate(rounds, () => model.forward(inputs), call, watch);
  return {
    theirs: timed.map((one) => one.theirs),
    ours: timed.map((one) => one.ours),
    others: watch && timed.map((one) => one.others),
    rounds,
    outputs: `states within ${worst.toExponential(1)}`,
    note: dispatches && `theirs of ${dispatches} dispatches`,
  };
}

function agreement(...outputs) {
  try {
    return { worst: compare(...outputs, TOLERANCE) };
  } catch ({ message }) {
    return { failed: message };
  }
}
