import { cpu } from "../../src/runtime/cpu.js";
import type { Gpu } from "../../src/runtime/gpu.js";
import { firstFault, type Launched, sizesOf } from "../../tests/support/launch.js";

/** Throws when the results of the kernel and its reference differ. Returns how many numbers were compared. */
export async function check(
  gpu: Gpu,
  { launch, inputs, outputs }: Launched,
  shape: string,
  tolerance: number,
): Promise<number> {
  const oracle = cpu();
  for (const [t, { data }] of inputs) {
    oracle.write(t, data);
    gpu.write(t, data);
  }
  oracle.launch(launch);
  const prepared = await gpu.prepare({ name: "check", launches: [launch] });
  const results = await prepared.run({ read: outputs });
  prepared.dispose();
  gpu.memory.forget([...inputs.map(([t]) => t), ...outputs]);
  outputs.forEach((t, output) => {
    const fault = firstFault(launch, t, results[output], oracle.read(t), tolerance);
    if (fault) throw new Error(`${launch.kernel.name}, ${shape}: not timed, ${fault} (${sizesOf(launch)})`);
  });
  return results.reduce((sum, { length }) => sum + length, 0);
}
