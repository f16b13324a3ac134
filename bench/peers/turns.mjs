// What is measured the same way in Node and in Chrome.
const WARM = 2; // rounds: shaders compile in the first

/** Milliseconds of both in turn, so that what else the machine does falls on both. */
export async function alternate(rounds, ours, theirs) {
  const timed = async (run, list) => {
    const start = performance.now();
    await run();
    list.push(performance.now() - start);
  };
  const ms = { ours: [], theirs: [] };
  for (let round = 0; round < WARM + rounds; round++) {
    const turns = [() => timed(ours, ms.ours), () => timed(theirs, ms.theirs)];
    for (const turn of round % 2 ? turns.reverse() : turns) await turn();
  }
  return { ours: ms.ours.slice(WARM), theirs: ms.theirs.slice(WARM) };
}

/** Throws unless the model gives what its reference case says: nothing is timed before. */
export async function verifyGolden(model, { name, inputs, options, expected }) {
  const { do_sample, ...rest } = options;
  const { sequences } = await model.generate(inputs, rest);
  if (JSON.stringify(sequences) === JSON.stringify(expected.sequences)) return;
  throw new Error(`not timed, ${name} of golden.json differs`);
}
