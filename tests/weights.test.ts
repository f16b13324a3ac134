import { openCheckpoint, type ProgressEvent } from "../src/model/checkpoint/checkpoint.js";
import { loadWeights, type WeightFormat, type WeightRow, type Weights } from "../src/model/checkpoint/weights.js";
import { CheckpointError } from "../src/runtime/errors.js";
import { fromBF16, fromF16, toF16 } from "../src/runtime/half.js";
import { describe, type TypedArray } from "../src/runtime/tensor.js";
import { assert, device, refuses, suite } from "./support/harness.js";
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
  const w = await loadWeights(gpu, checkpoint, rows, ignored, format, hooks);
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

test("a computed row needs no tensor and stays f32", () =>
  loaded(
    one({ a: storedF32([1], [1]) }),
    [row("a", [1]), { ours: "p", theirs: [], shape: [1, 3], compute: () => Float32Array.of(1, 2, 3) }],
    { format: "f16" },
    async (w, values) => assert.equal([describe(w.get("p")), ...(await values("p"))], ["p f32[1,3]", 1, 2, 3]),
  ));

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
    ["auto", from === "F16" ? "f16" : "f32"],
    ["f32", "f32"],
    ["f16", "f16"],
  ] as const) {
    test(`a matrix of ${from} becomes ${to} with dtype "${format}", its values kept`, () =>
      loaded(one({ a: matrices[from] }), [row("a", [2, 3])], { format }, async (w, values) =>
        assert.equal([w.get("a").dtype, ...(await values("a"))], [to, ...(to === "f16" ? HALVES : VALUES)]),
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
  // A Source of the caller's own may hand out views, such as Node's Buffer, whose slice() shares memory.
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
  const w = await loadWeights(gpu, await openCheckpoint(own), [row("x", [6]), row("a", [6])], [], "auto", {});
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
  /a must lie in one shard, lies in model-1\.safetensors and model-2\.safetensors/,
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
  stray: storedF32([1], [1]),
  good: storedF32([1], [1]),
});
const FAULTY_ROWS = [row("good", [1]), row("absent", [4, 2]), row("shape", [3]), row("type", [1])];
for (const fault of [
  /^a function: the weights must fit test, 4 do not:/,
  /missing: absent \[4,2\]/,
  /misshapen: shape must be \[3\], got \[2\]/,
  /mistyped: type must be F32, F16 or BF16, got I64/,
  /extra: stray$/,
])
  refusesLoad(`all faults in one error, with ${fault.source}`, FAULTY, FAULTY_ROWS, fault);

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
half("every bf16 is the upper half of an f32", () =>
  assert.is(
    firstWrong((bits) => !Object.is(fromBF16(bits), new Float32Array(Uint32Array.of(bits * 65536).buffer)[0])),
    undefined,
  ),
);
