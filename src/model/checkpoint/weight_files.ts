import { CheckpointError } from "../../runtime/errors.js";
import { findFile, isInside, type LabelledFile, openFile, readJson } from "./files.js";
import type { CheckpointSource } from "./source.js";

const isName = (name: unknown): name is string => typeof name === "string" && isInside(name);

const INDEX = "model.safetensors.index.json";
const OTHERS = [
  "pytorch_model.bin",
  "pytorch_model.bin.index.json",
  "adapter_model.safetensors",
  "tf_model.h5",
  "flax_model.msgpack",
  "model.onnx",
  "onnx/model.onnx",
];

/** Opens `model.safetensors`, or else the shards that the index names, as Transformers does. */
export async function openWeights(source: CheckpointSource, signal?: AbortSignal): Promise<Map<string, LabelledFile>> {
  const single = await findFile(source, "model.safetensors", signal);
  if (single) return new Map([["model.safetensors", single]]);
  const index = await readJson(source, INDEX, signal);
  if (!index) throw await noWeights(source, signal);
  const names: unknown[] = Object.values(index.weight_map ?? {});
  if (!names.length || !names.every(isName))
    throw new CheckpointError(
      `${source.label}/${INDEX}: weight_map must give a file name for each tensor, inside the checkpoint`,
    );
  const shards = [...new Set(names)].sort();
  const open = async (name: string): Promise<readonly [string, LabelledFile]> => {
    const file = await openFile(source, name, signal);
    if (file) return [name, file];
    throw new CheckpointError(
      `${source.label}: must hold ${name.slice(0, 200)}, found none; fetch every shard of the checkpoint`,
    );
  };
  return new Map(await Promise.all(shards.map(open)));
}

async function noWeights(source: CheckpointSource, signal?: AbortSignal): Promise<CheckpointError> {
  await openFile(source, "model.safetensors", signal); // throws what the server says of it
  for (const name of OTHERS) {
    if (await findFile(source, name, signal))
      return new CheckpointError(
        `${source.label}: must hold model.safetensors, found only ${name}; save the model with save_pretrained() of Transformers`,
      );
  }
  return new CheckpointError(
    `${source.label}: must hold model.safetensors, found none, nor ${INDEX}; fetch the whole checkpoint`,
  );
}
