import { gpu, load, pipeline, type CheckpointSource, type GenerateOptions, type Gpu, type Model } from "wgformer";
import { attention } from "wgformer/kernels";
import { load as loadBundle } from "wgformer/min";

export async function generate(source: CheckpointSource, shared: Gpu): Promise<number[][]> {
  const options: GenerateOptions = { num_beams: 2 };
  const model: Model = await load(source, { gpu: shared, dtype: "int8" });
  const { sequences } = await model.generate({ input_ids: [[1, 2]] }, options);
  // @ts-expect-error an option that does not exist
  await model.generate({ input_ids: [[1, 2]] }, { num_beam: 2 });
  const task = await pipeline("token-classification", "models/x");
  // @ts-expect-error an option of a task that does not exist
  await task("a text", { aggregation: "first" });
  // @ts-expect-error a format that does not exist
  const own = await loadBundle("models/x", { dtype: "int3" });
  return [...sequences, [attention.name.length, own.architecture.V, task.model.architecture.V]];
}

export const open = async (): Promise<Gpu> => gpu({ tuned: false, powerPreference: "low-power" });
