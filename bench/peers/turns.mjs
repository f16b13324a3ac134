// What is measured the same way in every runtime.
const WARM = 2; // rounds: shaders compile in the first
const QUIET = 0.2; // cores that other processes may take in a round
const ENOUGH = 3; // quiet rounds, to leave the others out

/**
 * Runs both in turn, so that what else the machine does falls on both, and returns a list of rounds: milliseconds of
 * both, what ours returned, and the cores that other processes took where `watch` can tell. Noisy rounds are left out
 * where enough others are.
 */
export async function alternate(rounds, ours, theirs, watch = () => () => undefined) {
  const kept = [];
  for (let round = -WARM; round < rounds; round++) {
    const result = {};
    const turns = { ours, theirs };
    const others = watch();
    for (const name of round % 2 ? ["ours", "theirs"] : ["theirs", "ours"]) {
      const start = performance.now();
      const returned = await turns[name]();
      result[name] = performance.now() - start;
      if (name === "ours") result.returned = returned;
    }
    result.others = others();
    if (round >= 0) kept.push(result);
  }
  const quiet = kept.filter((one) => one.others < QUIET);
  return quiet.length >= ENOUGH ? quiet : kept;
}

/** Throws unless the model gives what its reference case says: nothing is timed before. */
export async function verifyGolden(model, { name, inputs, options, expected }) {
  const { sequences } = await model.generate(inputs, options);
  if (JSON.stringify(sequences) === JSON.stringify(expected.sequences)) return;
  throw new Error(`not timed, ${name} of golden.json differs`);
}

/** The largest difference that `compare` finds, as text, or why the outputs disagree. */
export function agreement(compare) {
  try {
    return { within: `within ${compare().toExponential(1)}` };
  } catch ({ message }) {
    return { failed: message };
  }
}

/** What a call returns, and how many dispatches it gave the GPU: a rival that ran elsewhere would show here. */
export async function counted(run) {
  const { prototype } = GPUComputePassEncoder;
  const { dispatchWorkgroups, dispatchWorkgroupsIndirect } = prototype;
  let count = 0;
  const counting = (dispatch) =>
    function (...args) {
      count++;
      return dispatch.apply(this, args);
    };
  prototype.dispatchWorkgroups = counting(dispatchWorkgroups);
  prototype.dispatchWorkgroupsIndirect = counting(dispatchWorkgroupsIndirect);
  const result = await run();
  Object.assign(prototype, { dispatchWorkgroups, dispatchWorkgroupsIndirect });
  return { result, count };
}
