import { type Entry, readHeader } from "../src/model/checkpoint/safetensors.js";
import { CheckpointError } from "../src/runtime/errors.js";
import { assert, refuses, suite } from "./support/harness.js";
import { rawFile, recordingFile, safetensors, stored, storedF32 } from "./support/safetensors.js";

const test = suite("safetensors");

const read = (bytes: Uint8Array<ArrayBuffer>): Promise<Entry[]> =>
  readHeader("model.safetensors", recordingFile(bytes));
const entry = (dtype: unknown, shape: unknown, data_offsets: unknown) => ({ dtype, shape, data_offsets });

for (const [dtype, data] of [
  ["F32", Float32Array.of(1, 2, 3, 4, 5, 6)],
  ["F16", Uint16Array.of(1, 2, 3, 4, 5, 6)],
  ["BF16", Uint16Array.of(1, 2, 3, 4, 5, 6)],
] as const) {
  test(`gives every ${dtype} tensor with its shape and its bytes of the file`, async () => {
    const bytes = safetensors({ a: storedF32([1], [7]), b: stored(dtype, [2, 3], data) });
    const [, b] = await read(bytes);
    assert.equal(b, {
      name: "b",
      dtype,
      shape: [2, 3],
      file: "model.safetensors",
      start: bytes.length - data.byteLength,
      end: bytes.length,
    });
  });
}

test("accepts __metadata__ and makes no tensor of it", async () => {
  const entries = await read(rawFile({ __metadata__: { format: "pt" }, a: entry("F32", [1], [0, 4]) }, 4));
  assert.equal(
    entries.map(({ name }) => name),
    ["a"],
  );
});

test("accepts names with quotes, colons, braces and escapes", async () => {
  const names = ['a"b', "a:b", '":{', "\\", '\\":', "\n", "é", "__proto__"];
  const text = names.map((name) => `${JSON.stringify(name)}\n:{"dtype":"F32","shape":[0],"data_offsets":[0,0]}`);
  const entries = await read(rawFile(`{${text.join(" ,")}}`));
  assert.equal(
    entries.map(({ name }) => name),
    names,
  );
});

test("accepts dtypes that nothing here can use", async () => {
  const found = await read(
    rawFile({ a: entry("F4", [6], [0, 3]), b: entry("F8_E8M0", [2], [3, 5]), c: entry("F6_E2M3", [4], [5, 8]) }, 8),
  );
  assert.equal(
    found.map(({ dtype }) => dtype),
    ["F4", "F8_E8M0", "F6_E2M3"],
  );
});

test("accepts a header padded with spaces", async () => {
  assert.is((await read(rawFile(`${JSON.stringify({ a: entry("F32", [1], [0, 4]) })}     `, 4))).length, 1);
});

test("accepts a header whose order is not that of the file", async () => {
  assert.is((await read(rawFile({ b: entry("F32", [1], [4, 8]), a: entry("F32", [1], [0, 4]) }, 8))).length, 2);
});

test("accepts scalars and tensors without elements", async () => {
  assert.is((await read(rawFile({ a: entry("F32", [], [0, 4]), b: entry("F16", [0, 3], [4, 4]) }, 4))).length, 2);
});

test("reads the header's bytes and nothing else", async () => {
  const file = recordingFile(safetensors({ a: storedF32([64, 64], new Float32Array(4096)) }));
  await readHeader("model.safetensors", file);
  assert.equal(file.ranges, [
    [0, 8],
    [8, file.size - 16384],
  ]);
});

const REFUSED: Readonly<Record<string, readonly [bytes: Uint8Array<ArrayBuffer>, message: RegExp]>> = {
  "an empty file": [new Uint8Array(0), /must have at least 10 bytes, got 0/],
  "nine bytes": [new Uint8Array(9), /must have at least 10 bytes, got 9/],
  "a header of no bytes": [rawFile("{}", 0, 0n), /the header must have 2 to 2 bytes, its length says 0/],
  "a header of one byte": [rawFile("{}", 0, 1n), /the header must have 2 to 2 bytes, its length says 1/],
  "a header larger than the file": [rawFile("{}", 4, 7n), /the header must have 2 to 6 bytes, its length says 7/],
  "a header of 2^63 bytes": [rawFile("{}", 0, 2n ** 63n), /its length says 92233720368547\d+/],
  "a header that is not JSON": [rawFile("{a: 1}"), /the header must be JSON, it is not/],
  "a header that is not UTF-8": [rawFile("{}", 4, 6n).fill(0xff, 8), /the header must be JSON, it is not/],
  "a header that is an array": [rawFile([]), /the header must be a JSON object/],
  "a header that is null": [rawFile("null"), /the header must be a JSON object/],
  "an unknown dtype": [rawFile({ w: entry("F7", [1], [0, 4]) }, 4), /w: dtype must be one of F64 .*, got "F7"/],
  "a dtype that only JavaScript knows": [
    rawFile({ w: entry("toString", [], [0, 4]) }, 4),
    /w: dtype must be one of .*, got "toString"/,
  ],
  "a tensor that is no object": [rawFile({ w: null }), /w: dtype must be one of .*, got nothing/],
  "a negative size": [rawFile({ w: entry("F32", [-1], [0, 4]) }, 4), /w: shape must be a list of sizes, got \[-1\]/],
  "a fractional size": [
    rawFile({ w: entry("F32", [1.5], [0, 6]) }, 6),
    /w: shape must be a list of sizes, got \[1.5\]/,
  ],
  "a shape that is no list": [rawFile({ w: entry("F32", 1, [0, 4]) }, 4), /w: shape must be a list of sizes, got 1/],
  "three offsets": [
    rawFile({ w: entry("F32", [1], [0, 2, 4]) }, 4),
    /w: data_offsets must be two positions, got \[0,2,4\]/,
  ],
  "offsets that disagree with the shape": [
    rawFile({ w: entry("F32", [3], [0, 8]) }, 8),
    /w: F32\[3\] must take 12 bytes, data_offsets give 8/,
  ],
  "offsets that disagree with the dtype": [
    rawFile({ w: entry("F16", [2], [0, 8]) }, 8),
    /w: F16\[2\] must take 4 bytes, data_offsets give 8/,
  ],
  "offsets in the wrong order": [
    rawFile({ w: entry("F32", [1], [4, 0]) }, 4),
    /w: F32\[1\] must take 4 bytes, data_offsets give -4/,
  ],
  "tensors that overlap": [
    rawFile({ v: entry("F32", [2], [0, 8]), w: entry("F32", [2], [4, 12]) }, 12),
    /w: must not overlap the tensor before it, starts 4 bytes early/,
  ],
  "a hole between tensors": [
    rawFile({ v: entry("F32", [1], [0, 4]), w: entry("F32", [1], [12, 16]) }, 16),
    /w: must follow the tensor before it, leaves a hole of 8 bytes/,
  ],
  "a name that occurs twice": [
    rawFile(
      '{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
      4,
    ),
    /no name in the header must occur twice, one does/,
  ],
  "a name that occurs twice, once in escapes": [
    rawFile(
      '{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"\\u0077" : {"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
      4,
    ),
    /no name in the header must occur twice, one does/,
  ],
  "a field that occurs twice": [
    rawFile('{"w":{"dtype":"F32","shape":[1],"shape":[1],"data_offsets":[0,4]}}', 4),
    /no name in the header must occur twice, one does/,
  ],
  "metadata that are a list": [rawFile({ __metadata__: [] }), /__metadata__ must be an object of texts, got \[\]/],
  "metadata that are a number": [rawFile({ __metadata__: 5 }), /__metadata__ must be an object of texts, got 5/],
  "metadata that hold a number": [rawFile({ __metadata__: { a: 1 } }), /__metadata__ must be an object of texts/],
  "truncated data": [
    safetensors({ w: storedF32([2], [1, 2]) }).slice(0, -1),
    /the file must have (\d+) bytes, got \d+ \(truncated\)/,
  ],
  "bytes after the last tensor": [
    rawFile({ w: entry("F32", [1], [0, 4]) }, 5),
    /the file must have (\d+) bytes, got \d+; fetch/,
  ],
};
for (const [name, [bytes, message]] of Object.entries(REFUSED)) {
  test(`refuses ${name}, naming the file and the cure`, () =>
    refuses(() => read(bytes), CheckpointError, new RegExp(`^model\\.safetensors: .*${message.source}`)));
}

test("tells an aborted read from a broken header", async () => {
  const reason = new Error("enough");
  const signal = AbortSignal.abort(reason);
  const file = {
    size: 100,
    read: async () => {
      throw signal.reason;
    },
  };
  await refuses(() => readHeader("model.safetensors", file, signal), Error, /^enough$/);
});
