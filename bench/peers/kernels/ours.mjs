// wgformer's kernels as one side of a comparison.
import { EPSILON } from "./cases.mjs";

const PARTS = 4; // of a row in `topk`, as decoding with four beams chooses it on a software adapter

function transposed({ dims: [I, O], data }) {
  return Float32Array.from(data, (_, at) => data[(at % I) * O + Math.floor(at / I)]);
}

/** Queries, keys and values of a token side by side, as the projection of an encoder layer leaves them. */
const packed = (parts, width) =>
  Float32Array.from({ length: parts[0].length * 3 }, (_, at) => {
    const [row, column] = [Math.floor(at / (3 * width)), at % (3 * width)];
    return parts[Math.floor(column / width)][row * width + (column % width)];
  });

/** Best values and ids of each row from those of its parts. */
function mergeParts({ R, C }, values, indices) {
  const merged = [new Float32Array(R * C), new Uint32Array(R * C)];
  for (let r = 0; r < R; r++) {
    const best = [];
    for (let part = r * PARTS; part < (r + 1) * PARTS; part++) {
      for (let c = 0; c < C; c++) {
        const value = values[part * (C + 2) + c];
        if (best.length === C && value <= best[C - 1].value) break; // a part's are sorted
        best.push({ value, id: indices[part * C + c] });
        best.sort((a, b) => b.value - a.value || a.id - b.id).splice(C);
      }
    }
    best.forEach(({ value, id }, c) => {
      merged[0][r * C + c] = value;
      merged[1][r * C + c] = id;
    });
  }
  return merged;
}

/** Kernel, arguments as [format, shape, data], written arguments as [format, shape], and values of each case. */
const launchOf = (w) => ({
  matmul: ({ N, I, O }, { x, weight }) => ({
    kernel: w.matmul,
    values: { J: 1, O, y_at: 0, eps: 0 }, // eps is that of a norm, of which there is none
    reads: { x: ["f32", [N, I], x.data], weight: ["f32", [O, I], transposed(weight)] },
    writes: { y: ["f32", [N, O]] },
  }),
  layernorm: ({ N, D }, { x, gamma, beta }) => ({
    kernel: w.layernormResidual,
    values: { eps: EPSILON },
    reads: { x: ["f32", [N, D], x.data], gamma: ["f32", [D], gamma.data], beta: ["f32", [D], beta.data] },
    writes: { out: ["f32", [N, D]] },
  }),
  attention({ S, H, E }, { q, k, v }) {
    const qkv = ["f32", [S, 3 * H * E], packed([q.data, k.data, v.data], H * E)];
    return {
      kernel: w.attention,
      values: { H, K: H, E, k_at: H * E, v_at: 2 * H * E, scale: E ** -0.5 },
      reads: {
        rows: ["u32", [S, 4], Uint32Array.from({ length: 4 * S }, (_, at) => (at % 4 === 1 ? at >> 2 : 0))],
        spans: ["u32", [1, 2], Uint32Array.of(0, S)],
        q: qkv,
        kv: qkv,
      },
      writes: { out: ["f32", [S, H * E]] },
    };
  },
  topk: (test, { x }) => {
    const { R, V, C } = test;
    return {
      kernel: w.topk,
      values: { G: PARTS, C },
      reads: { logits: ["f32", [R, V], x.data] },
      writes: { values: ["f32", [R, PARTS, C + 2]], indices: ["u32", [R, PARTS, C]] },
      finish: (values, indices) => mergeParts(test, values, indices),
    };
  },
});

/** Opens a device for `prepare`; `w` is what the bundle of wgformer exports. */
export async function openOurs(w) {
  const gpu = await w.gpu();
  const make = (list) =>
    Object.fromEntries(
      Object.entries(list).map(([name, [dtype, shape, data]]) => {
        const t = w.tensor(name, dtype, shape);
        if (data) gpu.write(t, data);
        return [name, t];
      }),
    );
  const mark = make({ mark: ["u32", [1], Uint32Array.of(0)] }).mark; // read to know that what is before it is done
  async function prepare(test, inputs) {
    const { kernel, values, reads, writes, finish } = launchOf(w)[test.kernel](test, inputs);
    const [read, written] = [make(reads), make(writes)];
    const outputs = Object.values(written);
    const kept = new Map();
    const planOf = async (count) => {
      if (!kept.has(count)) {
        const plan = w.record(test.name, (run) => {
          for (let n = 0; n < count; n++) run(kernel, test.kernel, { ...read, ...written }, values);
        });
        kept.set(count, await gpu.prepare(plan));
      }
      return kept.get(count);
    };
    const output = async () => {
      const arrays = await (await planOf(1)).run({ read: outputs });
      return finish ? finish(...arrays) : arrays;
    };
    const repeat = async (count) => {
      const prepared = await planOf(count);
      if (!finish) return void (await prepared.run({ read: [mark] }));
      const arrays = await prepared.run({ read: outputs });
      for (let n = 0; n < count; n++) finish(...arrays);
    };
    const dispose = () => {
      kept.forEach((prepared) => prepared.dispose());
      gpu.memory.free([...Object.values(read), ...outputs]);
    };
    return { output, repeat, dispose };
  }
  return { adapter: gpu.info.description, prepare };
}
