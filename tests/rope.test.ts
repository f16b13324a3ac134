import { vec2 } from "wgpu-matrix";
import { rope } from "../src/kernels/index.js";
import { record } from "../src/runtime/plan.js";
import { tensor } from "../src/runtime/tensor.js";
import { args, values } from "./rope.args.js";
import { assert, device, randoms, suite } from "./support/harness.js";
import { checkKernel, f32, u32 } from "./support/kernel.js";

checkKernel(rope, {
  args,
  values,
  tolerance: 5e-7, // measured 1e-7
  cases: {
    "heads of two": { B: 1, M: 1, H: 1, K: 1, E: 2 },
    "halves, positions past 0": { B: 2, T: 3, M: 9, H: 4, K: 2, E: 8, position: 4 },
    "interleaved, positions past 0": { B: 2, T: 3, M: 9, H: 4, K: 2, E: 8, position: 4, interleaved: 1 },
    "a cache in f16": { B: 2, T: 3, M: 9, H: 4, K: 2, E: 6, position: 4, half: 1 },
    "what f16 cannot hold": { B: 1, T: 2, M: 4, H: 1, K: 1, E: 4, half: 1, gain: 3e4, rotary: 0 },
    "halves, norms": { B: 2, T: 3, M: 9, H: 4, K: 2, E: 8, position: 1, norms: 1 },
    "interleaved, norms": { B: 2, T: 3, M: 9, H: 4, K: 2, E: 8, position: 1, interleaved: 1, norms: 1 },
    "norms alone": { B: 2, T: 3, M: 9, H: 4, K: 2, E: 8, position: 1, rotary: 0, norms: 1 },
    neither: { B: 3, T: 2, M: 9, H: 3, K: 3, E: 8, position: 5, rotary: 0 },
    "interleaved, no cache": { B: 2, T: 3, M: 9, H: 4, K: 2, E: 12, position: 4, interleaved: 1, cache: 0 },
    "a workgroup and a half, no cache": { B: 2, T: 6, M: 9, H: 5, K: 3, E: 6, cache: 0 },
    "one group": { B: 2, T: 4, M: 5, H: 6, K: 1, E: 6 },
    "as many groups as heads": { B: 2, T: 4, M: 5, H: 3, K: 3, E: 10 },
    "every third row is padding": { B: 4, T: 4, M: 9, H: 2, K: 1, E: 8, norms: 1, padding: 1 },
    "padding, with a cache in f16": { B: 4, T: 4, M: 9, H: 2, K: 1, E: 8, rotary: 0, padding: 1, half: 1 },
    "as many rows as positions": { B: 1, T: 7, M: 7, H: 2, K: 1, E: 4 },
    "heads of 64": { B: 1, T: 3, M: 4, H: 32, K: 8, E: 64 },
    "heads of 128, norms": { B: 1, T: 2, M: 4, H: 2, K: 1, E: 128, norms: 1 },
    "one short of a workgroup": { B: 7, T: 3, M: 4, H: 1, K: 1, E: 4 },
    "one over a workgroup": { B: 13, T: 1, M: 4, H: 3, K: 1, E: 4 },
    // products of 1000 that cancel: measured 3e-7
    "far from zero": { B: 2, T: 2, M: 4, H: 2, K: 1, E: 8, offset: 1000, tolerance: 1e-6 },
    "far from zero, norms": { B: 2, T: 2, M: 4, H: 2, K: 1, E: 64, offset: 1000, norms: 1 },
    "squares below eps": { B: 2, T: 2, M: 4, H: 2, K: 1, E: 8, gain: 3e-4, norms: 1 },
    "status 1 goes on": { B: 2, M: 4, H: 2, K: 1, E: 4, status: 1 },
    "status 0 writes nothing": { B: 2, M: 4, H: 2, K: 1, E: 4, status: 0 },
    ...Object.fromEntries(
      [2, 6, 10, 12, 20, 30, 100].flatMap((E) =>
        [0, 1].map((interleaved) => [
          `heads of ${E}${interleaved ? ", interleaved" : ""}, norms`,
          { B: 2, T: 3, M: 9, H: 4, K: 2, E, position: 4, norms: 1, interleaved },
        ]),
      ),
    ),
    "heads of 7, norms alone": { B: 2, T: 3, M: 9, H: 3, K: 3, E: 7, rotary: 0, norms: 1 },
    "heads of 37, neither": { B: 2, T: 3, M: 9, H: 2, K: 1, E: 37, rotary: 0 },
    "rows past 65535": { B: 65537, M: 2, H: 1, K: 1, E: 2, position: 1 },
  },
  mutants: {
    direct: {
      "halves that change places": [
        "a cache in f16",
        (wgsl) => wgsl.replace("vec2f(qkv[at], qkv[at + 1u])", "vec2f(qkv[at + 1u], qkv[at])"),
      ],
      "every second number": ["a cache in f16", (wgsl) => wgsl.replace("e += NUMBERS", "e += 2u * NUMBERS")],
      "a rotation the other way": ["heads of two", (wgsl) => wgsl.replace("let sine = rotary[", "let sine = -rotary[")],
      "a half that sees the other already rotated": [
        "heads of two",
        (wgsl) => wgsl.replace("qkv[second] = b * cosine + a * sine", "qkv[second] = b * cosine + qkv[first] * sine"),
      ],
      "pairs of the other layout": [
        "one group",
        (wgsl) =>
          wgsl
            .replace("select(i, 2u * i,", "select(2u * i, i,")
            .replace("first + half, first + 1u,", "first + 1u, first + half,"),
      ],
      "sines that are cosines": ["heads of two", (wgsl) => wgsl.replace("params.E + half + i]", "params.E + i]")],
      "positions that are rows": ["one group", (wgsl) => wgsl.replace("rotate(at, row.y)", "rotate(at, n)")],
      "values that are rotated": [
        "heads of two",
        (wgsl) => wgsl.replace("head < params.H + params.K)", "head < heads)"),
      ],
      "keys that are not rotated": [
        "heads of two",
        (wgsl) => wgsl.replace("head < params.H + params.K)", "head < params.H)"),
      ],
      "gammas exchanged": ["norms alone", (wgsl) => wgsl.replace("select(params.E, 0u,", "select(0u, params.E,")],
      "an eps that is forgotten": ["norms alone", (wgsl) => wgsl.replace(" + params.eps", "")],
      "a norm after the rotation": [
        "squares below eps",
        (wgsl) =>
          wgsl
            .replace("if (HAS_ROTARY == 1u) { rotate(at, row.y); }", "")
            .replace("if (HAS_QK_NORM == 1u) { norm", "if (HAS_ROTARY == 1u) { rotate(at, row.y); }\n    $&"),
      ],
      "slots that are positions": ["norms alone", (wgsl) => wgsl.replace("row.w * 2u", "row.y * 2u")],
      "padding that is stored": [
        "every third row is padding",
        (wgsl) => wgsl.replace("if (row.z == NO_ID) { return; }", ""),
      ],
      "a first key that is not stored": [
        "heads of two",
        (wgsl) => wgsl.replace("HAS_CACHE == 1u && head >= params.H", "HAS_CACHE == 1u && head > params.H"),
      ],
      "rows of the heads that are rotated": [
        "a workgroup and a half, no cache",
        (wgsl) => wgsl.replace("(n * (params.H + 2u * params.K) + head)", "index"),
      ],
      "a guard that is one row late": ["heads of two", (wgsl) => wgsl.replace("n >= params.N", "n > params.N")],
      "a stop that is not heeded": [
        "status 0 writes nothing",
        (wgsl) => wgsl.replace("status[0] == status[1]", "status[0] == 7u"),
      ],
    },
  },
  refused: {
    "heads of an odd width": [{ B: 1, M: 1, H: 1, K: 1, E: 3 }, () => {}, /E must be even to rotate, got 3/],
    "a cache in f16 of an odd width": [
      { B: 1, M: 1, H: 1, K: 1, E: 3, rotary: 0, half: 1 },
      () => {},
      /E must be even with a cache in f16, got 3/,
    ],
    "queries without keys and values": [
      { B: 1, M: 1, H: 2, K: 1, E: 4 },
      (args) => {
        args.qkv = f32([1, 8], () => 0);
      },
      /qkv must be f32\[N,H\*E\+2\*K\*E\] with N=1, H=2, E=4, K=1, got qkv f32\[1,8\]/,
    ],
    "slots of another width": [
      { B: 1, M: 4, H: 1, K: 1, E: 4 },
      (args) => {
        args.cache = f32([2, 6], () => 0);
      },
      /cache must be f32\|f16\[Z,2\*K\*E\]\? with Z=2, K=1, E=4, got cache f32\[2,6\]/,
    ],
    "one gamma for queries and keys": [
      { B: 1, M: 4, H: 1, K: 1, E: 4, norms: 1 },
      (args) => {
        args.qk_norm = f32([1, 4], () => 0);
      },
      /qk_norm must be f32\[2,E\]\? with E=4, got qk_norm f32\[1,4\]/,
    ],
    "rows that are missing": [
      { B: 1, M: 4, H: 1, K: 1, E: 4 },
      (args) => {
        args.rows = undefined;
      },
      /rows must be u32\[N,4\], got nothing/,
    ],
  },
});

const test = suite("rope");

// Neither shader nor reference knows this implementation of a rotation.
for (const INTERLEAVED of [0, 1]) {
  test(`turns pairs as vec2.rotate of wgpu-matrix does${INTERLEAVED ? ", interleaved" : ""}`, async () => {
    const gpu = await device();
    const [N, M, H, K, E] = [40, 48, 2, 1, 16];
    const random = randoms(3);
    const at = (n: number): number => n + 8; // its position
    const slotOf = (n: number): number => N - 1 - n;
    const angle = (position: number, i: number): number => position * 10000 ** ((-2 * i) / E);
    const given = {
      rows: u32([N, 4], (i) => [0, at(Math.floor(i / 4)), 0, slotOf(Math.floor(i / 4))][i % 4]),
      rotary: f32([M, E], (i) => {
        const [position, e] = [Math.floor(i / E), i % E];
        return e < E / 2 ? Math.cos(angle(position, e)) : Math.sin(angle(position, e - E / 2));
      }),
      qkv: f32([N, (H + 2 * K) * E], random),
      cache: f32([N, 2 * K * E], () => 0),
    };
    const make = (name: keyof typeof given) => tensor(name, given[name].dtype, given[name].shape);
    const tensors = { rows: make("rows"), rotary: make("rotary"), qkv: make("qkv"), cache: make("cache") };
    const plan = record("rope", (run) => void run(rope, "rope", tensors, { H, K, E, eps: 0, INTERLEAVED }));
    for (const name of Object.keys(given) as (keyof typeof given)[]) gpu.write(tensors[name], given[name].data);
    const prepared = await gpu.prepare(plan);
    const [qkv, cache] = await prepared.run({ read: [tensors.qkv, tensors.cache] });
    let worst = 0;
    const near = (got: number, want: number): void => void (worst = Math.max(worst, Math.abs(got - want)));
    for (let n = 0; n < N; n++) {
      for (let head = 0; head < H + K; head++) {
        for (let i = 0; i < E / 2; i++) {
          const start = (n * (H + 2 * K) + head) * E;
          const pair = INTERLEAVED ? [2 * i, 2 * i + 1] : [i, i + E / 2];
          const [a, b] = pair.map((e) => given.qkv.data[start + e]);
          const turned = vec2.rotate([a, b], [0, 0], angle(at(n), i));
          pair.forEach((e, side) => {
            near(qkv[start + e], turned[side]);
            if (head >= H) near(cache[(slotOf(n) * 2 * K + head - H) * E + e], turned[side]);
          });
        }
      }
    }
    assert.ok(worst < 5e-7, `must be within 5e-7, got ${worst}`); // measured 1.2e-7
    prepared.dispose();
    gpu.memory.free(Object.values(tensors));
  });
}
