import { openCheckpoint } from "../src/model/checkpoint/checkpoint.js";
import type { ProgressEvent } from "../src/model/checkpoint/progress.js";
import type { WeightRow } from "../src/model/checkpoint/rows.js";
import type { WeightFormat } from "../src/model/checkpoint/weight_formats.js";
import { loadWeights, type Weights } from "../src/model/checkpoint/weights.js";
import { CheckpointError } from "../src/runtime/errors.js";
import type { Gpu } from "../src/runtime/gpu.js";
import { bf16ToF16, bf16ToF32, f16ToF32, f32ToBf16, f32ToF16, fromF16, toF16 } from "../src/runtime/half.js";
import { dequantise, quantise } from "../src/runtime/quant.js";
import { byteLength, describe, elements, storage, type Tensor, type TypedArray } from "../src/runtime/tensor.js";
import { assert, device, randoms, refuses, suite } from "./support/harness.js";
import { inMemory, safetensors, stored, storedF32 } from "./support/safetensors.js";

const test = suite("weights");
const half = suite("half");

const config = { model_type: "test" };

interface Options {
  readonly ignored?: readonly RegExp[];
  readonly format?: WeightFormat;
  readonly progress?: (event: ProgressEvent) => void;
  readonly signal?: AbortSignal;
}

/** Loads rows from files in memory and hands the weights and a reader of their values to `body`; frees them. */
async function loaded(
  files: Readonly<Record<string, object>>,
  rows: readonly WeightRow[],
  { ignored = [], format = "auto", ...hooks }: Options,
  body: (w: Weights, values: (name: string) => Promise<TypedArray>) => unknown,
): Promise<void> {
  const gpu = await device();
  const checkpoint = await openCheckpoint(inMemory({ "config.json": config, ...files }));
  const w = await loadWeights(gpu, checkpoint, rows, { ignored, format, ...hooks });
  try {
    await body(w, async (name) => (await gpu.read(w.get(name)))[0]);
  } finally {
    gpu.memory.free(w.tensors);
  }
}

const row = (ours: string, shape: readonly number[], theirs = [ours]): WeightRow => ({ ours, theirs, shape });
const one = (tensors: Parameters<typeof safetensors>[0]) => ({ "model.safetensors": safetensors(tensors) });
const two = (first: Parameters<typeof safetensors>[0], second: Parameters<typeof safetensors>[0]) => ({
  "model.safetensors.index.json": {
    weight_map: Object.fromEntries(
      [first, second].flatMap((part, at) => Object.keys(part).map((name) => [name, `model-${at + 1}.safetensors`])),
    ),
  },
  "model-1.safetensors": safetensors(first),
  "model-2.safetensors": safetensors(second),
});

test("parts of a row land in the order of the row, whatever theirs in the file", () =>
  loaded(
    one({ v: storedF32([1, 2], [5, 6]), q: storedF32([1, 2], [1, 2]), k: storedF32([1, 2], [3, 4]) }),
    [row("qkv", [3, 2], ["q", "k", "v"])],
    {},
    async (_, values) => assert.equal([...(await values("qkv"))], [1, 2, 3, 4, 5, 6]),
  ));

test("parts may be vectors", () =>
  loaded(
    one({ q: storedF32([2], [1, 2]), k: storedF32([2], [3, 4]) }),
    [row("qk", [4], ["q", "k"])],
    {},
    async (_, values) => assert.equal([...(await values("qk"))], [1, 2, 3, 4]),
  ));

test("a part may be stored in a shape of its own", () =>
  loaded(one({ b: storedF32([1, 3], [1, 2, 3]) }), [{ ...row("bias", [3], ["b"]), stored: [1, 3] }], {}, (w) =>
    assert.is(describe(w.get("bias")), "bias f32[3]"),
  ));

test("rows of the same tensor share one tensor", () =>
  loaded(
    one({ a: storedF32([2, 2], [1, 2, 3, 4]) }),
    [row("embed", [2, 2], ["a"]), row("head", [2, 2], ["a"])],
    {},
    (w) => assert.is(w.get("embed"), w.get("head")),
  ));

test("rows of the same tensor take its memory once", async () => {
  const gpu = await device();
  const before = gpu.use().weight;
  await loaded(
    one({ a: storedF32([64, 64], new Float32Array(4096)) }),
    [row("embed", [64, 64], ["a"]), row("head", [64, 64], ["a"])],
    {},
    () => assert.is(gpu.use().weight - before, 16384 + 256),
  ); // with guard words
});

test("a tensor may serve alone and as a part", () =>
  loaded(
    one({ a: storedF32([1, 2], [1, 2]), b: storedF32([1, 2], [3, 4]) }),
    [row("both", [2, 2], ["a", "b"]), row("b", [1, 2])],
    {},
    async (_, values) =>
      assert.equal(
        [[...(await values("both"))], [...(await values("b"))]],
        [
          [1, 2, 3, 4],
          [3, 4],
        ],
      ),
  ));

test("a row derived from nothing needs no tensor and stays f32", () =>
  loaded(
    one({ a: storedF32([1], [1]) }),
    [row("a", [1]), { ours: "p", theirs: [], shape: [1, 3], derive: () => Float32Array.of(1, 2, 3) }],
    { format: "f16" },
    async (w, values) => assert.equal([describe(w.get("p")), ...(await values("p"))], ["p f32[1,3]", 1, 2, 3]),
  ));

const plusOne = ([stored]: readonly Float32Array[]) => Float32Array.from(stored, (value) => 1 + value);
const twice = ([stored]: readonly Float32Array[]) => Float32Array.from(stored, (value) => 2 * value);

for (const [dtype, a] of Object.entries({
  F32: storedF32([2, 2], [0, 1, -2, 0.5]),
  F16: stored("F16", [2, 2], Uint16Array.of(0, 0x3c00, 0xc000, 0x3800)),
  BF16: stored("BF16", [2, 2], Uint16Array.of(0, 0x3f80, 0xc000, 0x3f00)),
}))
  test(`a row is derived from the f32 values of ${dtype}`, () =>
    loaded(one({ a }), [{ ...row("b", [2, 2], ["a"]), derive: plusOne }], { format: "f32" }, async (_, values) =>
      assert.equal([...(await values("b"))], [1, 2, -1, 1.5]),
    ));

test("a row may be derived to another shape, from several tensors, one of them zeros", () => {
  const derive = ([x, none, y]: readonly Float32Array[]) => Float32Array.of(...y, ...none, ...x);
  return loaded(
    one({ x: storedF32([2], [1, 2]), y: storedF32([2], [3, 4]) }),
    [{ ours: "z", theirs: ["x", null, "y"], shape: [6, 1], stored: [2], derive }],
    {},
    async (_, values) => assert.equal([...(await values("z"))], [3, 4, 0, 0, 1, 2]),
  );
});

for (const [format, dtype] of [
  ["f32", "f32"],
  ["f16", "f16"],
  ["int8", "i8"],
  ["int4", "i4"],
] as const)
  test(`a derived matrix follows dtype "${format}"`, () =>
    loaded(
      one({ a: storedF32([2, 32], new Float32Array(64)) }),
      [{ ...row("a", [2, 32]), derive: plusOne }],
      { format },
      (w) => assert.is(w.get("a").dtype, dtype),
    ));

test("rows that are derived differently from one tensor do not share it", () =>
  loaded(
    one({ a: storedF32([2], [1, 2]) }),
    [row("plain", [2], ["a"]), ...[plusOne, twice].map((derive) => ({ ...row(derive.name, [2], ["a"]), derive }))],
    {},
    async (_, values) =>
      assert.equal(
        [[...(await values("plain"))], [...(await values("plusOne"))], [...(await values("twice"))]],
        [
          [1, 2],
          [2, 3],
          [2, 4],
        ],
      ),
  ));

test("rows that are derived alike from one tensor share it", () =>
  loaded(
    one({ a: storedF32([2], [1, 2]) }),
    ["x", "y"].map((ours) => ({ ...row(ours, [2], ["a"]), derive: plusOne })),
    {},
    (w) => assert.is(w.get("x"), w.get("y")),
  ));

test("a transposed row does not share the tensor of a row that is not", () =>
  loaded(
    one({ a: storedF32([2, 2], [1, 2, 3, 4]) }),
    [row("x", [2, 2], ["a"]), { ...row("y", [2, 2], ["a"]), transpose: true }],
    {},
    async (_, values) => assert.equal([...(await values("x")), ...(await values("y"))], [1, 2, 3, 4, 1, 3, 2, 4]),
  ));

test("a row derived with the wrong number of values is refused", () =>
  refuses(
    () =>
      loaded(
        one({ a: storedF32([2], [1, 2]) }),
        [{ ...row("b", [3], ["a"]), stored: [2], derive: twice }],
        {},
        () => {},
      ),
    Error,
    /b \[3\] must be derived with 3 values, got 2/,
  ));

const pair = { q: storedF32([2, 2], [1, 2, 3, 4]), v: storedF32([2, 2], [5, 6, 7, 8]) };
for (const [how, more, want] of [
  ["between the others", {}, [1, 2, 3, 4, 0, 0, 0, 0, 5, 6, 7, 8]],
  ["alternating with them", { interleave: true }, [1, 2, 0, 0, 5, 6, 3, 4, 0, 0, 7, 8]],
  ["beside transposed ones", { transpose: true }, [1, 3, 2, 4, 0, 0, 0, 0, 5, 7, 6, 8]],
] as const)
  test(`a part that is not stored is zeros, ${how}`, () =>
    loaded(one(pair), [{ ours: "qkv", theirs: ["q", null, "v"], shape: [6, 2], ...more }], {}, async (_, values) =>
      assert.equal([...(await values("qkv"))], want),
    ));

test("a vector may lack a part too, of its own size, and a row all of them", () =>
  loaded(
    one({ q: storedF32([1], [1]), v: storedF32([2], [5, 6]) }),
    [
      { ours: "bias", theirs: ["q", null, "v"], shape: [6], parts: [1, 3, 2] },
      { ours: "none", theirs: [null], shape: [2, 2] },
    ],
    { format: "f16" },
    async (_, values) =>
      assert.equal([...(await values("bias")), ...(await values("none"))], [1, 0, 0, 0, 5, 6, 0, 0, 0, 0]),
  ));

test("a part that is not stored does not keep the others from f16", () =>
  loaded(
    one({ a: stored("F16", [1, 2], Uint16Array.of(1, 2)) }),
    [{ ours: "ab", theirs: ["a", null], shape: [2, 2] }],
    {},
    async (w, values) => assert.equal([w.get("ab").dtype, ...(await values("ab"))], ["f16", 1, 2, 0, 0]),
  ));

/** A device that keeps what is written to it, and splits weights larger than `weightLimit` bytes. */
async function recordingDevice(weightLimit = Infinity) {
  const { memory } = await device();
  const written: Float32Array[] = [];
  const gpu = {
    memory: { ...memory, weightLimit },
    write: (_: unknown, data: Float32Array) => void written.push(data),
  };
  return { written, gpu: gpu as unknown as Gpu };
}

test("an f32 tensor that needs no change is uploaded from the bytes that were read", async () => {
  const files = { "config.json": config, ...one({ a: storedF32([2, 2], [1, 2, 3, 4]) }) };
  const checkpoint = await openCheckpoint(inMemory(files));
  const buffers = new Set<ArrayBuffer>();
  const watched: typeof checkpoint = {
    ...checkpoint,
    read: (entries, visit, hooks) =>
      checkpoint.read(
        entries,
        (entry, bytes, row) => {
          buffers.add(bytes.buffer);
          return visit(entry, bytes, row);
        },
        hooks,
      ),
  };
  const { gpu, written } = await recordingDevice();
  await loadWeights(gpu, watched, [row("a", [2, 2])], { ignored: [], format: "auto" });
  assert.equal([...written[0]], [1, 2, 3, 4]);
  assert.ok(buffers.has(written[0].buffer as ArrayBuffer));
});

test("a derived weight is split as others are", async () => {
  const files = { "config.json": config, ...one({ a: storedF32([20, 2], new Float32Array(40)) }) };
  const { gpu, written } = await recordingDevice(64);
  const rows = [{ ...row("a", [20, 2]), derive: plusOne }];
  const w = await loadWeights(gpu, await openCheckpoint(inMemory(files)), rows, { ignored: [], format: "auto" });
  assert.equal(w.parts("a").map(describe), ["a f32[8,2]", "a f32[8,2]", "a f32[4,2]"]);
  assert.equal(
    written.map(({ length }) => length),
    [16, 16, 8],
  );
});

// Blocks: a tensor of more than 8 MiB comes in several.
const BIG = [3000, 1024] as const;
const random = randoms(7);
const big = Float32Array.from({ length: BIG[0] * BIG[1] }, () => random() - 0.5);
const bigFile = one({ a: storedF32(BIG, big), b: storedF32([1], [1]) });

/** The bytes that are written for a row, put together by their places, and the events and writes on the way. */
async function writtenFor(files: Readonly<Record<string, object>>, wanted: WeightRow, options: Options = {}) {
  const { memory } = await device();
  const placed = new Map<unknown, Uint8Array>();
  let [writes, settled] = [0, 0];
  const gpu = {
    memory: { ...memory, weightLimit: Infinity },
    settle: async () => void settled++,
    write: (t: Tensor, data: TypedArray, at = 0) => {
      writes++;
      const whole = placed.get(t) ?? new Uint8Array(byteLength(t));
      whole.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
      placed.set(t, whole);
    },
  } as unknown as Gpu;
  const checkpoint = await openCheckpoint(inMemory({ "config.json": config, ...files }));
  const { format = "auto", ...hooks } = options;
  const w = await loadWeights(gpu, checkpoint, [wanted], { ignored: [/^b$/], format, ...hooks });
  return { bytes: placed.get(w.get(wanted.ours)) as Uint8Array<ArrayBuffer>, writes, settled };
}

test("a large tensor is converted and uploaded by blocks", async () => {
  const { bytes, writes, settled } = await writtenFor(bigFile, row("a", BIG));
  assert.equal(new Float32Array(bytes.buffer), big);
  assert.ok(writes > 1 && settled === 0, `${writes} writes`);
  const half = await writtenFor(bigFile, row("a", BIG), { format: "f16" });
  assert.equal(new Uint16Array(half.bytes.buffer), f32ToF16(big));
});
for (const [format, kind] of [
  ["int8", "i8"],
  ["int4", "i4"],
] as const)
  test(`a large tensor is quantised to ${format} by blocks, as it is whole`, async () => {
    const { bytes, writes } = await writtenFor(bigFile, row("a", BIG), { format });
    assert.equal(new Uint32Array(bytes.buffer), storage(kind).quantise?.(big, BIG[1]));
    assert.ok(writes > 2, `${writes} writes`);
  });
test("a large tensor is transposed by blocks", async () => {
  const [O, I] = [BIG[1], BIG[0]];
  const { bytes } = await writtenFor(bigFile, { ...row("a", [O, I]), transpose: true });
  const got = new Float32Array(bytes.buffer);
  const wrong = got.findIndex((value, at) => value !== big[(at % I) * O + Math.floor(at / I)]);
  assert.is(wrong, -1);
});
test("large tensors alternate by blocks", async () => {
  const twice = big.map((value) => 2 * value);
  const files = one({ a: storedF32(BIG, big), c: storedF32(BIG, twice), b: storedF32([1], [1]) });
  const { bytes } = await writtenFor(files, { ...row("ac", [2 * BIG[0], BIG[1]], ["a", "c"]), interleave: true });
  const got = new Float32Array(bytes.buffer);
  const wrong = got.findIndex((value, at) => {
    const [r, i] = [Math.floor(at / BIG[1]), at % BIG[1]];
    return value !== (r % 2 ? twice : big)[(r >> 1) * BIG[1] + i];
  });
  assert.is(wrong, -1);
});
test("halves of which a part begins at an odd element are put together first", async () => {
  const files = one({
    a: stored("F16", [1, 3], Uint16Array.of(1, 2, 3)),
    c: stored("F16", [2, 3], Uint16Array.of(4, 5, 6, 7, 8, 9)),
    b: storedF32([1], [1]),
  });
  const { bytes } = await writtenFor(files, { ...row("ac", [3, 3], ["a", "c"]), parts: [1, 2] });
  assert.equal([...new Uint16Array(bytes.buffer, 0, 9)], [1, 2, 3, 4, 5, 6, 7, 8, 9]);
});
test("progress is told in the middle of a large tensor, and an abort ends it there", async () => {
  const controller = new AbortController();
  const loadedBytes: number[] = [];
  const progress = ({ status, loaded: bytes }: ProgressEvent): void => {
    if (status !== "progress") return;
    loadedBytes.push(bytes ?? NaN);
    if (loadedBytes.length === 1) controller.abort(new Error("enough"));
  };
  const before = (await device()).use().weight;
  await refuses(
    () => loaded(bigFile, [row("a", BIG), row("b", [1])], { progress, signal: controller.signal }, () => {}),
    Error,
    /^enough$/,
  );
  assert.is(loadedBytes.length, 1);
  assert.ok(loadedBytes[0] < 2 ** 23 + 4096);
  assert.is((await device()).use().weight, before);
});

// Numbers that no model works with.
const HUGE = 1e5; // finite, but not in f16
const BAD: readonly (readonly [
  what: string,
  dtype: string,
  words: Uint16Array<ArrayBuffer> | Float32Array<ArrayBuffer>,
])[] = [
  ["NaN", "F32", Float32Array.of(NaN)],
  ["Infinity", "F32", Float32Array.of(Infinity)],
  ["-Infinity", "F32", Float32Array.of(-Infinity)],
  ["NaN", "F16", Uint16Array.of(0x7e00)],
  ["NaN", "F16", Uint16Array.of(0xfc01)],
  ["-Infinity", "F16", Uint16Array.of(0xfc00)],
  ["NaN", "BF16", Uint16Array.of(0x7fc0)],
  ["Infinity", "BF16", Uint16Array.of(0x7f80)],
];
for (const [what, dtype, [word]] of BAD)
  for (const format of ["auto", "f32", "f16", "bf16", "int8", "int4"] as const)
    test(`${what} in ${dtype} is refused by the tensor's name with dtype "${format}"`, async () => {
      for (const shape of [[2, 32], [64], [35], [1]]) {
        const words = dtype === "F32" ? new Float32Array(elements({ shape })) : new Uint16Array(elements({ shape }));
        words[words.length - 1] = word;
        await refuses(
          () => loaded(one({ a: stored(dtype, shape, words) }), [row("ours", shape, ["a"])], { format }, () => {}),
          CheckpointError,
          new RegExp(`^a: must hold finite numbers, got ${what};`),
        );
      }
    });
for (const value of [HUGE, -65520, 3e38])
  test(`${value} is refused where it is stored as f16, and loads otherwise`, async () => {
    const files = one({ a: storedF32([2, 32], new Float32Array(64).fill(value, 40, 41)) });
    const refused = (wanted: WeightRow, format: WeightFormat) =>
      refuses(
        () => loaded(files, [wanted], { format }, () => {}),
        CheckpointError,
        /^a: must hold numbers up to 65504 to be stored as f16, got -?\d.*; load with dtype "auto" or "f32"/,
      );
    await refused(row("a", [2, 32]), "f16");
    await refused({ ...row("a", [2, 32]), lookup: true }, "int8");
    for (const format of ["auto", "f32", "int8"] as const)
      await loaded(files, [row("a", [2, 32])], { format }, () => {});
  });
test("the largest numbers of f16 load as f16", () =>
  loaded(one({ a: storedF32([1, 2], [65519, -65504]) }), [row("a", [1, 2])], { format: "f16" }, async (_, values) =>
    assert.equal([...(await values("a"))], [0x7bff, 0xfbff]),
  ));
test("numbers that no row uses are not looked at", () =>
  loaded(one({ a: storedF32([1], [1]), "other.x": storedF32([1], [NaN]) }), [row("a", [1])], {}, (w) =>
    assert.equal(w.unused, ["other.x"]),
  ));
test("a message names twenty faults and counts the rest", async () => {
  const files = one({ a: storedF32([1], [1]) });
  const rows = Array.from({ length: 3000 }, (_, i) => row(`${"n".repeat(900)}${i}`, [1]));
  let message = "";
  await loaded(files, [row("a", [1]), ...rows], {}, () => {}).catch((error: Error) => ({ message } = error));
  assert.match(message, /3000 do not:/);
  assert.match(message, /and 2980 more$/);
  assert.ok(message.length < 8192, `${message.length} characters`);
});

test("an ignored tensor may be there without use", () =>
  loaded(
    one({ a: storedF32([1], [1]), "a.copy": storedF32([1], [1]) }),
    [row("a", [1])],
    { ignored: [/\.copy$/] },
    (w) => assert.is(w.tensors.size, 1),
  ));

test("a name that no row gives is not found", () =>
  loaded(one({ a: storedF32([1], [1]) }), [row("a", [1])], {}, (w) => assert.is(w.find("b"), undefined)));

// Values that every format holds exactly.
const VALUES = [0, 1, -2, 0.5, 96, -0.375];
const HALVES = [0, 0x3c00, 0xc000, 0x3800, 0x5600, 0xb600];
const BRAINS = [0, 0x3f80, 0xc000, 0x3f00, 0x42c0, 0xbec0];
const matrices = {
  F32: storedF32([2, 3], VALUES),
  F16: stored("F16", [2, 3], Uint16Array.from(HALVES)),
  BF16: stored("BF16", [2, 3], Uint16Array.from(BRAINS)),
};
const vectors = {
  F32: storedF32([6], VALUES),
  F16: stored("F16", [6], Uint16Array.from(HALVES)),
  BF16: stored("BF16", [6], Uint16Array.from(BRAINS)),
};
for (const from of ["F32", "F16", "BF16"] as const) {
  for (const [format, to] of [
    ["auto", ({ F32: "f32", F16: "f16", BF16: "bf16" } as const)[from]],
    ["f32", "f32"],
    ["f16", "f16"],
    ["bf16", "bf16"],
  ] as const) {
    test(`a matrix of ${from} becomes ${to} with dtype "${format}", its values kept`, () =>
      loaded(one({ a: matrices[from] }), [row("a", [2, 3])], { format }, async (w, values) =>
        assert.equal(
          [w.get("a").dtype, ...(await values("a"))],
          [to, ...{ f16: HALVES, bf16: BRAINS, f32: VALUES }[to]],
        ),
      ));
  }
  test(`a vector of ${from} becomes f32 whatever the dtype`, () =>
    loaded(one({ a: vectors[from] }), [row("a", [6])], { format: "f16" }, async (w, values) =>
      assert.equal([w.get("a").dtype, ...(await values("a"))], ["f32", ...VALUES]),
    ));
}

test("parts of several formats become f32 with dtype auto", () =>
  loaded(one({ a: matrices.F16, b: matrices.BF16 }), [row("ab", [4, 3], ["a", "b"])], {}, async (w, values) =>
    assert.equal([w.get("ab").dtype, ...(await values("ab"))], ["f32", ...VALUES, ...VALUES]),
  ));

for (const stored of ["BF16", "F32"] as const) {
  const kept = stored === "BF16" ? "bf16" : "f32";
  test(`a matrix that needs its accuracy is ${kept} with dtype "bf16" if it is stored as ${stored}`, () =>
    loaded(one({ a: matrices[stored] }), [{ ...row("a", [2, 3]), precise: true }], { format: "bf16" }, (w) =>
      assert.is(w.get("a").dtype, kept),
    ));
}

for (const [format, dtype] of [
  ["int8", "i8"],
  ["int4", "i4"],
] as const) {
  test(`rows of any width become ${dtype}, each in groups of its own`, () => {
    const rows = [Array.from({ length: 37 }, (_, i) => i / 8), Array.from({ length: 37 }, (_, i) => -i * 100)];
    return loaded(one({ a: storedF32([2, 37], rows.flat()) }), [row("a", [2, 37])], { format }, async (w, values) => {
      assert.is(w.get("a").dtype, dtype);
      const got = dequantise(dtype, (await values("a")) as Uint32Array, 37);
      assert.is(got.length, 74);
      const step = dtype === "i8" ? 254 : 16;
      rows.flat().forEach((want, i) => {
        const [first, row] = [i % 37 < 32 ? 0 : 32, rows[Math.floor(i / 37)]];
        const most = Math.max(...row.slice(first, first + 32).map(Math.abs));
        assert.ok(Math.abs(got[i] - want) <= (most / step) * 2.01, `${i}: ${got[i]} for ${want}`);
      });
    });
  });
}

test("an odd number of halves is stored whole", () =>
  loaded(one({ a: stored("F16", [1, 3], Uint16Array.of(1, 2, 3)) }), [row("a", [1, 3])], {}, async (_, values) =>
    assert.equal([...(await values("a"))], [1, 2, 3]),
  ));

test("a tensor that lies at an odd place of the file is converted right", () =>
  loaded(
    one({ x: stored("F16", [1], Uint16Array.of(0)), a: vectors.F32 }),
    [row("x", [1]), row("a", [6])],
    {},
    async (_, values) => assert.equal([...(await values("a"))], VALUES),
  ));

test("every shard of an index is read", () =>
  loaded(
    two({ a: storedF32([2], [1, 2]) }, { b: storedF32([2], [3, 4]) }),
    [row("a", [2]), row("b", [2])],
    {},
    async (_, values) =>
      assert.equal(
        [[...(await values("a"))], [...(await values("b"))]],
        [
          [1, 2],
          [3, 4],
        ],
      ),
  ));

test("parts of one row may lie in several shards", () =>
  loaded(
    two({ k: storedF32([2], [3, 4]) }, { q: storedF32([2], [1, 2]) }),
    [row("qk", [4], ["q", "k"])],
    {},
    async (_, values) => assert.equal([...(await values("qk"))], [1, 2, 3, 4]),
  ));

test("progress ends at the size of every file", async () => {
  const done: (string | undefined)[] = [];
  const progress = ({ status, file, loaded: bytes, total }: ProgressEvent): void => {
    if (status === "done" && bytes === total) done.push(file);
  };
  await loaded(
    two({ a: storedF32([2], [1, 2]) }, { b: storedF32([2], [3, 4]) }),
    [row("a", [2]), row("b", [2])],
    { progress },
    () => assert.equal(done, ["model-1.safetensors", "model-2.safetensors"]),
  );
});

test("bytes that share their memory with others are converted right", async () => {
  // A source of the caller's own may hand out views, such as Node's Buffer, whose slice() shares memory.
  class Shared extends Uint8Array<ArrayBuffer> {
    override slice(start?: number, end?: number): Shared {
      return this.subarray(start, end);
    }
  }
  const files: Readonly<Record<string, Uint8Array<ArrayBuffer>>> = {
    "config.json": new TextEncoder().encode(JSON.stringify(config)),
    ...one({ x: vectors.F32, a: vectors.F16 }),
  };
  const own = {
    label: "own",
    open: async (name: string) =>
      files[name] && {
        size: files[name].length,
        read: async (start: number, end: number) => new Shared(files[name].buffer, start, end - start),
      },
  };
  const gpu = await device();
  const w = await loadWeights(gpu, await openCheckpoint(own), [row("x", [6]), row("a", [6])], {
    ignored: [],
    format: "auto",
  });
  const [values] = await gpu.read(w.get("a"));
  gpu.memory.free(w.tensors);
  assert.equal([...values], VALUES);
});

const refusesLoad = (
  name: string,
  files: Readonly<Record<string, object>>,
  rows: readonly WeightRow[],
  message: RegExp,
): void => test(`refuses ${name}`, () => refuses(() => loaded(files, rows, {}, () => {}), CheckpointError, message));

const { "model-2.safetensors": _, ...oneShort } = two({ a: storedF32([1], [1]) }, { b: storedF32([1], [1]) });
refusesLoad(
  "a missing shard, naming it and the cure",
  oneShort,
  [],
  /must hold model-2\.safetensors, found none; fetch every shard/,
);
refusesLoad(
  "a tensor in two shards, naming both",
  {
    ...two({ a: storedF32([1], [1]) }, { b: storedF32([1], [1]) }),
    "model-2.safetensors": safetensors({ a: storedF32([1], [1]), b: storedF32([1], [1]) }),
  },
  [],
  /a must be in one shard, is in model-1\.safetensors and model-2\.safetensors/,
);
refusesLoad(
  "an index without a map",
  { "model.safetensors.index.json": {} },
  [],
  /model\.safetensors\.index\.json: weight_map must give a file name/,
);
refusesLoad(
  "an index that leaves the folder",
  { "model.safetensors.index.json": { weight_map: { a: "../x" } } },
  [],
  /weight_map must give a file name/,
);
refusesLoad("a folder without weights", {}, [], /must hold model\.safetensors, found none/);
refusesLoad("a config that is no object", { "config.json": [] }, [], /config\.json: must be a JSON object/);
refusesLoad(
  "a config that is not JSON",
  { "config.json": new TextEncoder().encode("{") },
  [],
  /config\.json: must be JSON, /,
);

const FAULTY = one({
  shape: storedF32([2], [1, 2]),
  type: stored("I64", [1], BigInt64Array.of(1n)),
  "good.stray": storedF32([1], [1]),
  good: storedF32([1], [1]),
});
const FAULTY_ROWS = [row("good", [1]), row("absent", [4, 2]), row("shape", [3]), row("type", [1])];
for (const fault of [
  /^a function: the weights must fit test, 4 do not:/,
  /missing: absent \[4,2\]/,
  /misshapen: shape must be \[3\], got \[2\]/,
  /mistyped: type must be F32, F16 or BF16, got I64/,
  /extra: good\.stray$/,
])
  refusesLoad(`all faults in one error, with ${fault.source}`, FAULTY, FAULTY_ROWS, fault);

test("faults of derived rows and of rows that lack a part are told with the others", () =>
  refuses(
    () =>
      loaded(
        one({ b: storedF32([2], [1, 2]) }),
        [
          { ...row("derived", [4, 4], ["a"]), stored: [3], derive: plusOne },
          { ours: "fused", theirs: ["b", null, "c"], shape: [9] },
        ],
        {},
        () => {},
      ),
    CheckpointError,
    /3 do not:\n  missing: a \[3\]\n  misshapen: b must be \[3\], got \[2\]\n  missing: c \[3\]$/,
  ));

test("faults are found before anything is uploaded", async () => {
  const gpu = await device();
  const before = gpu.use().weight;
  await loaded(FAULTY, FAULTY_ROWS, {}, () => {}).catch(() => {});
  assert.is(gpu.use().weight, before);
});

// An independent reference: the definition in IEEE 754-2008, section 3.4, in plain arithmetic.
function definedF16(bits: number): number {
  const [sign, exponent, fraction] = [bits < 32768 ? 1 : -1, Math.floor(bits / 1024) % 32, bits % 1024];
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : (fraction / 1024) * 2 ** -14);
}
const allBits = Array.from({ length: 65536 }, (_, bits) => bits);
const nans = allBits.filter((bits) => Number.isNaN(definedF16(bits)));
const steps = allBits.slice(0, 0x7bff); // every finite magnitude that has a larger one
const middle = (bits: number): number => (definedF16(bits) + definedF16(bits + 1)) / 2;
const nextF32 = (value: number, by: 1 | -1): number => {
  const words = new Uint32Array(Float32Array.of(value).buffer);
  words[0] += by;
  return new Float32Array(words.buffer)[0];
};
const firstWrong = (wrong: (bits: number) => boolean, among = allBits): number | undefined => among.find(wrong);

half("every f16 has the value that IEEE 754 defines", () =>
  assert.is(
    firstWrong((bits) => !Object.is(fromF16(bits), definedF16(bits))),
    undefined,
  ),
);
half("every f16 that is a number survives the way to f32 and back", () =>
  assert.is(
    firstWrong((bits) => !Number.isNaN(definedF16(bits)) && toF16(fromF16(bits)) !== bits),
    undefined,
  ),
);
half("every f16 NaN stays NaN", () =>
  assert.is(
    firstWrong((bits) => !Number.isNaN(fromF16(toF16(fromF16(bits)))), nans),
    undefined,
  ),
);
half("a tie between neighbours goes to the even one", () =>
  assert.is(
    firstWrong((bits) => toF16(middle(bits)) !== bits + (bits % 2), steps),
    undefined,
  ),
);
half("a number just below a tie goes down", () =>
  assert.is(
    firstWrong((bits) => toF16(nextF32(middle(bits), -1)) !== bits, steps),
    undefined,
  ),
);
half("a number just above a tie goes up", () =>
  assert.is(
    firstWrong((bits) => toF16(nextF32(middle(bits), 1)) !== bits + 1, steps),
    undefined,
  ),
);
half("negative numbers round as positive ones do", () =>
  assert.is(
    firstWrong((bits) => toF16(-middle(bits)) !== 0x8000 + bits + (bits % 2), steps),
    undefined,
  ),
);
for (const [value, bits] of [
  [65519.99, 0x7bff],
  [65520, 0x7c00],
  [-65520, 0xfc00],
  [1e30, 0x7c00],
  [Infinity, 0x7c00],
  [-Infinity, 0xfc00],
  [0, 0],
  [-0, 0x8000],
  [2 ** -24, 1],
  [2 ** -25, 0],
  [2 ** -25 * 1.001, 1],
  [1e-40, 0],
  [-1e-40, 0x8000],
  [2 ** -14 - 2 ** -24, 0x3ff],
] as const)
  half(`${Object.is(value, -0) ? "-0" : value} becomes 0x${bits.toString(16)}`, () => assert.is(toF16(value), bits));
half("every bf16 is the upper half of an f32", () => {
  const values = bf16ToF32(Uint16Array.from(allBits));
  assert.is(
    firstWrong((bits) => !Object.is(values[bits], new Float32Array(Uint32Array.of(bits * 65536).buffer)[0])),
    undefined,
  );
});

half("an f32 becomes the nearest bf16, of two the even one", () => {
  const step = 2 ** -7; // between neighbours above 1
  for (const [value, want] of [
    [1 + step / 2, 1],
    [1 + step * 0.501, 1 + step],
    [1 + step * 1.5, 1 + 2 * step],
    [-1 - step * 1.499, -1 - step],
    [3.4e38, Infinity],
    [1e-40, 2 ** -133],
    [-0, -0],
    [Infinity, Infinity],
    [NaN, NaN],
  ])
    assert.ok(Object.is(bf16ToF32(f32ToBf16(Float32Array.of(value)))[0], Math.fround(want)), String(value));
  const quiet = new Float32Array(Uint32Array.of(0x7f800001).buffer); // a NaN whose upper half is infinity
  assert.is(f32ToBf16(quiet)[0], 0x7fc0);
  const numbers = allBits.filter((bits) => (bits & 0x7fff) <= 0x7f80);
  assert.equal([...f32ToBf16(bf16ToF32(Uint16Array.from(numbers)))], numbers);
});

half("every bf16 becomes the nearest f16, as through f32", () => {
  const halves = Uint16Array.from(allBits);
  assert.equal(bf16ToF16(halves), f32ToF16(bf16ToF32(halves)));
});

half("numbers are converted in memory that is given, of which nothing is left", () => {
  const into = new Uint16Array(3).fill(7);
  assert.is(f32ToF16(Float32Array.of(1, 0, -2), into), into);
  assert.equal(into, Uint16Array.of(0x3c00, 0, 0xc000));
  const used = new Uint8Array(4096).fill(255).buffer;
  const values = Float32Array.from({ length: 74 }, (_, i) => i - 40);
  for (const format of ["i8", "i4"] as const)
    assert.equal(quantise(format, values, 37, used).slice(), quantise(format, values, 37));
});

half("groups whose scale would be subnormal are zeros", () => {
  for (const format of ["i8", "i4"] as const)
    for (const largest of [1e-38, -1e-38, 1e-44])
      assert.equal(
        [...dequantise(format, quantise(format, Float32Array.of(largest, 0, largest / 3), 3), 3)],
        [0, 0, 0],
      );
});

half("lists are converted as their elements are", () => {
  const halves = Uint16Array.from(allBits);
  const f16 = f16ToF32(halves);
  const same = (got: ArrayLike<number>, want: (i: number) => number): number | undefined =>
    firstWrong((i) => !Object.is(got[i], want(i)));
  assert.is(
    same(f16, (i) => fromF16(i)),
    undefined,
  );
  const between = f16.map((value, i) => value + (f16[i + 1] - value) / 3);
  assert.is(
    same(f32ToF16(between), (i) => toF16(between[i])),
    undefined,
  );
  assert.equal([...f32ToF16(f16.subarray(1, 3))], [1, 2]);
});
