import { load } from "../src/index.js";
import type { Gpu } from "../src/runtime/gpu.js";
import { type Tensor, tensor } from "../src/runtime/tensor.js";
import { runtime } from "../tests/support/harness.js";
import type { Bench, Context } from "./support/measure.js";
import { spread } from "./support/time.js";

const SIZES = { D: 1024, F: 2816, V: 48000, H: 16, K: 4 };
const LAYERS = { BF16: 17, F32: 7 }; // about 500 MB each
const BLOCK = 2 ** 23; // bytes

/** The shapes of a Llama with tied tables. */
function shapesOf(layers: number): [name: string, shape: readonly number[]][] {
  const { D, F, V, H, K } = SIZES;
  const kv = (D / H) * K;
  const layer = Object.entries({
    "input_layernorm.weight": [D],
    "mlp.down_proj.weight": [D, F],
    "mlp.gate_proj.weight": [F, D],
    "mlp.up_proj.weight": [F, D],
    "post_attention_layernorm.weight": [D],
    "self_attn.k_proj.weight": [kv, D],
    "self_attn.o_proj.weight": [D, D],
    "self_attn.q_proj.weight": [D, D],
    "self_attn.v_proj.weight": [kv, D],
  });
  const all = Array.from({ length: layers }, (_, l) =>
    layer.map(([name, shape]): [string, number[]] => [`model.layers.${l}.${name}`, shape]),
  );
  return [["model.embed_tokens.weight", [V, D]], ...all.flat(), ["model.norm.weight", [D]]];
}

/** Numbers between -0.06 and 0.06 in a format, by a linear congruence. */
function randomBytes(dtype: keyof typeof LAYERS): Uint8Array {
  const words = new Uint32Array(BLOCK / 4);
  for (let i = 0, state = 1; i < words.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    words[i] = dtype === "F32" ? (state & 0x807fffff) | 0x3d000000 : (state & 0x807f807f) | 0x3d003d00;
  }
  return new Uint8Array(words.buffer);
}

/** Writes a checkpoint of random weights to a new folder. */
async function makeCheckpoint(dtype: keyof typeof LAYERS): Promise<{ path: string; bytes: number }> {
  const { mkdtemp, open, writeFile } = await import("node:fs/promises");
  const { tmpdir } = await import("node:os");
  const path = await mkdtemp(`${tmpdir()}/wgformer load `);
  const { D, F, V, H, K } = SIZES;
  const config = {
    model_type: "llama",
    hidden_size: D,
    intermediate_size: F,
    num_hidden_layers: LAYERS[dtype],
    num_attention_heads: H,
    num_key_value_heads: K,
    vocab_size: V,
    tie_word_embeddings: true,
  };
  await writeFile(`${path}/config.json`, JSON.stringify(config));
  let end = 0;
  const size = dtype === "F32" ? 4 : 2;
  const entries = shapesOf(LAYERS[dtype]).map(([name, shape]) => {
    const start = end;
    end += size * shape.reduce((product, one) => product * one, 1);
    return [name, { dtype, shape, data_offsets: [start, end] }] as const;
  });
  const header = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)));
  const handle = await open(`${path}/model.safetensors`, "w");
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(header.length), true);
  await handle.write(length);
  await handle.write(header);
  const block = randomBytes(dtype);
  for (let at = 0; at < end; at += BLOCK) await handle.write(block, 0, Math.min(BLOCK, end - at));
  await handle.close();
  return { path, bytes: 8 + header.length + end };
}

interface Cost {
  readonly us: number;
  /** Of all threads, those of a software adapter and of the system included. */
  readonly cpu_s: number;
  /** Most memory of the JavaScript heap and its buffers beyond that at the start; that of the device is not in it. */
  readonly host_mb: number;
}

async function measure(work: () => Promise<void>): Promise<Cost> {
  const { cpuUsage, memoryUsage } = await import("node:process");
  const held = (): number => memoryUsage().heapUsed + memoryUsage().arrayBuffers;
  const [before, cpu, start] = [held(), cpuUsage(), performance.now()];
  let most = 0;
  const timer = setInterval(() => (most = Math.max(most, held() - before)), 2);
  await work();
  clearInterval(timer);
  const { user, system } = cpuUsage(cpu);
  return { us: 1e3 * (performance.now() - start), cpu_s: (user + system) / 1e6, host_mb: most / 1e6 };
}

/** What nothing can be cheaper than: reads a file by blocks and writes them to the device as they are. */
async function copyFile(gpu: Gpu, path: string, bytes: number): Promise<void> {
  const { open } = await import("node:fs/promises");
  const handle = await open(`${path}/model.safetensors`);
  const block = new Uint8Array(BLOCK);
  const tensors: Tensor[] = [];
  for (let at = 0; at < bytes; at += BLOCK) {
    await handle.read(block, 0, BLOCK, at);
    const t = tensor("copy", "u32", [BLOCK / 4], "weight");
    tensors.push(t);
    gpu.write(t, block);
    if (tensors.length % 4 === 0) await gpu.settle();
  }
  await gpu.settle();
  gpu.memory.free(tensors);
  await handle.close();
}

async function measureDtype({ gpu, report }: Context, stored: keyof typeof LAYERS): Promise<void> {
  const { rm } = await import("node:fs/promises");
  const { path, bytes } = await makeCheckpoint(stored);
  const tell = (shape: string, { us, ...costs }: Cost, copy: Cost): void =>
    report(
      { bench: "load", shape, us: spread([us]), ...costs, times_copy: costs.cpu_s / copy.cpu_s },
      `load                ${shape.padEnd(24)}${(us / 1e6).toFixed(1).padStart(6)} s${costs.cpu_s.toFixed(2).padStart(7)} CPU s, ` +
        `${(costs.cpu_s / copy.cpu_s).toFixed(1)} times a copy${costs.host_mb.toFixed(0).padStart(6)} MB on the host`,
    );
  try {
    const copy = await measure(() => copyFile(gpu, path, bytes));
    tell(`${stored}, ${(bytes / 1e6).toFixed(0)} MB, copied`, copy, copy);
    for (const dtype of ["auto", "f32", "f16", "int8", "int4"] as const) {
      const cost = await measure(async () => (await load(path, { gpu, dtype })).dispose());
      tell(`${stored}, as ${dtype}`, cost, copy);
    }
  } finally {
    await rm(path, { recursive: true });
  }
}

/** Loads checkpoints of 500 MB from a folder. */
export const bench: Bench = {
  async run(context) {
    if (runtime === "chrome") return context.skip("load", "500 MB", "a page has no folders");
    for (const stored of ["BF16", "F32"] as const) await measureDtype(context, stored);
  },
};
