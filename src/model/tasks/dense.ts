import { type Activation, ACTIVATIONS, activate } from "../../kernels/activation.js";
import { CheckpointError, show } from "../../runtime/errors.js";
import type { Checkpoint } from "../checkpoint/checkpoint.js";
import { convert, view } from "../checkpoint/conversion.js";

/** A layer of sentence-transformers that follows pooling: it turns a vector f32[I] into one f32[O], on the host. */
export interface Dense {
  readonly O: number;
  apply(vector: Float32Array): Float32Array;
}

const FUNCTIONS: Readonly<Record<string, Activation>> = {
  Identity: "none",
  Tanh: "tanh",
  ReLU: "relu",
  GELU: "gelu",
  SiLU: "silu",
};

/**
 * Reads the layer in a folder of a checkpoint, for vectors of width I (Dense.py of sentence-transformers). Throws
 * CheckpointError for one that does not fit or is not supported.
 */
export async function readDense(folder: Checkpoint, I: number): Promise<Dense> {
  const { label, config, entries } = folder;
  const name = String(config.activation_function ?? "torch.nn.modules.activation.Tanh");
  const activation = FUNCTIONS[name.split(".").at(-1) ?? ""];
  if (
    !activation ||
    config.use_residual === true ||
    (config.module_input_name ?? "sentence_embedding") !== "sentence_embedding"
  )
    throw new CheckpointError(
      `${label}/config.json: a Dense layer must read the vector alone and activate by ${Object.keys(FUNCTIONS).join(", ")} of torch.nn, got ${show(config)}`,
    );
  const O = entries.get("linear.weight")?.shape[0] ?? 0;
  const read = async (tensor: string, shape: readonly number[]): Promise<Float32Array> => {
    const entry = entries.get(tensor);
    if (entry?.shape.join() !== shape.join() || !/^(F32|F16|BF16)$/.test(entry.dtype))
      throw new CheckpointError(`${label}: ${tensor} must be a float tensor [${shape}], got ${show(entry?.shape)}`);
    const bytes = await folder.readBytes(entry, 0, entry.end - entry.start);
    return convert(entry.dtype, view(entry.dtype, bytes), "f32") as Float32Array;
  };
  const weight = await read("linear.weight", [O, I]);
  const bias = config.bias === false ? new Float32Array(O) : await read("linear.bias", [O]);
  const { code } = ACTIVATIONS[activation];
  return {
    O,
    apply: (vector) =>
      bias.map((start, o) => {
        let sum = start;
        for (let i = 0; i < I; i++) sum += weight[o * I + i] * vector[i];
        return activate(code, sum);
      }),
  };
}
