import { describeCheckpoint } from "../../src/model/families/index.js";
import { openCheckpoint } from "../../src/model/checkpoint/checkpoint.js";
import { storedShape } from "../../src/model/checkpoint/rows.js";
import { randoms } from "./random.js";
import { inMemory, roomy, safetensors, type Stored, stored, storedF32 } from "./safetensors.js";

/** Puts another tensor in the place of one. */
type Change = (
  name: string,
  shape: readonly number[],
  values: Float32Array<ArrayBuffer>,
) => { readonly shape: readonly number[]; readonly values: Float32Array<ArrayBuffer> };

/**
 * A checkpoint of any family with random weights, by its config: every tensor that the family's rows name. Matrices are
 * scaled by their input width, vectors of norms are near 1. `change` may put others in their places.
 */
export async function tinyCheckpoint(
  config: Readonly<Record<string, unknown>>,
  generation: Readonly<Record<string, unknown>>,
  seed: number,
  change: Change = (_, shape, values) => ({ shape, values }),
) {
  const random = randoms(seed);
  const bare = await openCheckpoint(inMemory({ "config.json": config, "model.safetensors": safetensors({}) }));
  const { family, architecture } = await describeCheckpoint({ ...bare, entries: roomy });
  const tensors: Record<string, Stored> = {};
  for (const row of family.rows(architecture, config, roomy)) {
    for (const [part, name] of row.theirs.entries()) {
      if (name === null || tensors[name]) continue;
      const shape = storedShape(row, part);
      const [scale, base] =
        shape.length > 1 ? [2 / Math.sqrt(row.shape[1] ?? 1), 0] : [0.3, name.endsWith("weight") ? 1 : 0];
      const length = shape.reduce((a, b) => a * b, 1);
      const drawn = new Float32Array(length);
      for (let i = 0; i < length; i++) drawn[i] = base + scale * random(); // millions, for benches
      const { shape: own, values } = change(name, shape, drawn);
      tensors[name] = stored("F32", own, values);
    }
  }
  return inMemory({
    "config.json": config,
    "generation_config.json": generation,
    "model.safetensors": safetensors(tensors),
  });
}

/** A Marian checkpoint with random weights, as a source for `load`; its end id is 0, its start and padding id V-1. */
export function tinyMarian({ D, V, layers }: { D: number; V: number; layers: number }, seed: number) {
  const F = 2 * D;
  const random = randoms(seed);
  const tensors: Record<string, Stored> = {};
  const add = (name: string, shape: number[], scale: number, base = 0): void => {
    const length = shape.reduce((a, b) => a * b, 1);
    tensors[name] = storedF32(
      shape,
      Array.from({ length }, () => base + scale * random()),
    );
  };
  const linear = (name: string, O: number, I: number): void => {
    add(`${name}.weight`, [O, I], 2 / Math.sqrt(I));
    add(`${name}.bias`, [O], 0.2);
  };
  const norm = (name: string): void => {
    add(`${name}.weight`, [D], 0.3, 1);
    add(`${name}.bias`, [D], 0.2);
  };
  add("model.shared.weight", [V, D], 1);
  add("final_logits_bias", [1, V], 0.5);
  for (const side of ["encoder", "decoder"]) {
    for (let l = 0; l < layers; l++) {
      const at = `model.${side}.layers.${l}`;
      for (const block of side === "encoder" ? ["self_attn"] : ["self_attn", "encoder_attn"]) {
        for (const part of ["q_proj", "k_proj", "v_proj", "out_proj"]) linear(`${at}.${block}.${part}`, D, D);
        norm(`${at}.${block}_layer_norm`);
      }
      linear(`${at}.fc1`, F, D);
      linear(`${at}.fc2`, D, F);
      norm(`${at}.final_layer_norm`);
    }
  }
  const config = {
    model_type: "marian",
    d_model: D,
    vocab_size: V,
    max_position_embeddings: 40,
    encoder_layers: layers,
    decoder_layers: layers,
    encoder_ffn_dim: F,
    decoder_ffn_dim: F,
    encoder_attention_heads: 2,
    decoder_attention_heads: 2,
    activation_function: "gelu",
    scale_embedding: true,
  };
  const generation = { eos_token_id: 0, pad_token_id: V - 1, decoder_start_token_id: V - 1 };
  return inMemory({
    "config.json": config,
    "generation_config.json": generation,
    "model.safetensors": safetensors(tensors),
  });
}
