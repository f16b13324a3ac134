import { packInputs, packRows, packSpans } from "../src/model/inputs.js";
import { type RowLimits, readSequences } from "../src/model/sequences.js";
import { InputError } from "../src/runtime/errors.js";
import { assert, refuses, suite } from "./support/harness.js";

const test = suite("inputs");

const read = (rows: unknown, masks?: unknown, limits: Partial<RowLimits> = {}) =>
  readSequences("input_ids", rows, masks, { V: 10, P: 4, ...limits });

test("plain rows of different lengths are taken as they are", () =>
  assert.equal(read([[1, 2, 3], [4]]), {
    ids: [[1, 2, 3], [4]],
    columns: [[0, 1, 2], [0]],
    given: [[1, 2, 3], [4]],
    masked: [[], []],
    width: 3,
  }));
test("padding on the right is stripped", () =>
  assert.equal(
    read(
      [
        [1, 2, 9],
        [4, 9, 9],
      ],
      [
        [1, 1, 0],
        [1, 0, 0],
      ],
    ),
    { ids: [[1, 2], [4]], columns: [[0, 1], [0]], given: [[1, 2], [4]], masked: [[], []], width: 3 },
  ));
test("padding on the left is stripped and its width kept", () =>
  assert.equal(
    read(
      [
        [9, 1, 2],
        [9, 9, 4],
      ],
      [
        [0, 1, 1],
        [0, 0, 1],
      ],
    ),
    {
      ids: [[1, 2], [4]],
      columns: [[1, 2], [2]],
      given: [
        [9, 1, 2],
        [9, 9, 4],
      ],
      masked: [[9], [9, 9]],
      width: 3,
    },
  ));
test("padding at both ends is stripped", () =>
  assert.equal(read([[9, 1, 9]], [[0, 1, 0]]), {
    ids: [[1]],
    columns: [[1]],
    given: [[9, 1]],
    masked: [[9]],
    width: 3,
  }));
test("padding may hold any id", () => assert.equal(read([[1, -100]], [[1, 0]]).ids, [[1]]));
test("what is masked comes back as it was given, and counts for the rules where it is in the vocabulary", () =>
  assert.equal(read([[-100, 3, 4, 1]], [[0, 0, 0, 1]]), {
    ids: [[1]],
    columns: [[3]],
    given: [[-100, 3, 4, 1]],
    masked: [[3, 4]],
    width: 4,
  }));
test("what is masked must be whole numbers", async () => {
  for (const odd of [NaN, undefined, 1.5, null, "1"])
    await refuses(
      () => read([[1], [odd as number, 2]], [[1], [0, 1]]),
      InputError,
      /^input_ids: what is masked must be whole numbers too, got .* in row 1$/,
    );
});
test("columns of padding are not counted against the position table", () =>
  assert.equal(read([[...Array<number>(90).fill(0), 1, 2]], [[...Array<number>(90).fill(0), 1, 1]]).ids, [[1, 2]]));
test("holes between tokens are left out where asked for", () =>
  assert.equal(read([[5, 9, 6, 7, 8, 9]], [[1, 0, 0, 1, 1, 1]], { holes: "drop" }), {
    ids: [[5, 7, 8, 9]],
    columns: [[0, 3, 4, 5]],
    given: [[5, 9, 6, 7, 8, 9]],
    masked: [[9, 6]],
    width: 6,
  }));
test("tokens that keep their distance must fit the position table with their holes", () =>
  refuses(
    () => read([[5, 9, 6, 7, 8]], [[1, 0, 0, 0, 1]], { holes: "keep" }),
    InputError,
    /at most 4 tokens .* got 5/,
  ));
test("without a mask the padding token is left out wherever it stands", () => {
  const rows = [
    [0, 0, 5, 7],
    [1, 0, 3, 0],
  ];
  assert.equal(read(rows, undefined, { pad: 0, holes: "drop" }).ids, [
    [5, 7],
    [1, 3],
  ]);
});
test("a mask has precedence over the padding token", () =>
  assert.equal(read([[0, 5]], [[1, 1]], { pad: 0 }).ids, [[0, 5]]));
test("a row of nothing but padding tokens is a row of tokens", () =>
  assert.equal(read([[0], [0, 1]], undefined, { pad: 0 }).ids, [[0], [1]]));
test("refuses a padding token between tokens where holes cannot be, with the cure", () =>
  refuses(
    () =>
      read(
        [
          [1, 2],
          [1, 0, 3],
        ],
        undefined,
        { pad: 0 },
      ),
    InputError,
    /^input_ids: pad_token_id=0 must be at one end of a row or both, row 1 has it at 1; give attention_mask$/,
  ));
test("130,000 rows are read, packed and measured", () => {
  const { ids, width } = read(Array.from({ length: 130_000 }, () => [1, 2]));
  assert.is(width, 2);
  assert.is(packRows(ids).length, 4 * 260_000);
  assert.is(packSpans(ids).length, 260_000);
});
test("padding does not count as length", () =>
  assert.equal(read([[1, 2, 9, 9, 9, 9]], [[1, 1, 0, 0, 0, 0]]).ids, [[1, 2]]));
test("a row of the largest length and id is taken", () => assert.equal(read([[9, 9, 9, 9]]).ids, [[9, 9, 9, 9]]));
test("ids may be bigint", () => assert.equal(read([[1n, 2n]], [[1n, 1n]]).ids, [[1, 2]]));
test("masks may be true and false", () => assert.equal(read([[1, 2]], [[true, false]]).ids, [[1]]));
for (const row of [
  Int32Array.of(1, 2),
  Uint32Array.of(1, 2),
  BigInt64Array.of(1n, 2n),
  Float32Array.of(1, 2),
  Uint8Array.of(1, 2),
]) {
  test(`rows may be ${row.constructor.name}`, () => assert.equal(read([row], [Uint8Array.of(1, 1)]).ids, [[1, 2]]));
}

const refusesRows = (name: string, rows: unknown, message: RegExp, masks?: unknown): void =>
  test(`refuses ${name}`, () => refuses(() => read(rows, masks), InputError, message));

refusesRows("no rows at all", undefined, /^input_ids: must be a list of lists of token ids, got nothing$/);
refusesRows("null", null, /^input_ids: must be a list of lists of token ids, got null$/);
refusesRows("a text", "one two", /^input_ids: must be a list of lists of token ids, got "one two"$/);
refusesRows("one row that is not in a list", [1, 2], /^input_ids: must be a list of lists of token ids, got \[1,2\]$/);
refusesRows(
  "one row of bigint that is not in a list",
  [1n, 2n],
  /^input_ids: must be a list of lists of token ids, got \["1n","2n"\]$/,
);
refusesRows(
  "a typed array that is not in a list",
  Int32Array.of(1, 2),
  /^input_ids: must be a list of lists of token ids, got /,
);
refusesRows(
  "a bigint array that is not in a list",
  BigInt64Array.of(1n),
  /^input_ids: must be a list of lists of token ids, got /,
);
refusesRows("a list with holes", Array(2), /^input_ids: must be a list of lists of token ids, got \[null,null\]$/);
refusesRows("rows in a DataView", [new DataView(new ArrayBuffer(8))], /^input_ids: must be a list of lists/);
refusesRows("lists in rows", [[[1]]], /^input_ids: ids must be whole numbers from 0 to 9, got \[1\] in row 0$/);
const cyclic: unknown[] = [];
cyclic.push(cyclic, 1);
refusesRows(
  "a list that holds itself",
  cyclic,
  /^input_ids: must be a list of lists of token ids, got what JSON cannot hold$/,
);
refusesRows(
  "an object whose toJSON throws",
  {
    toJSON() {
      throw new Error("no");
    },
  },
  /^input_ids: must be a list of lists of token ids, got what JSON cannot hold$/,
);
refusesRows("a list of texts", ["one"], /^input_ids: must be a list of lists of token ids, got \["one"\]$/);
refusesRows("an empty batch", [], /^input_ids: must hold at least one row, got an empty batch$/);
refusesRows("an empty row, naming it", [[1], []], /^input_ids: row 1 must hold at least one token, got none$/);
refusesRows(
  "a row that is all padding, naming it",
  [
    [1, 2],
    [3, 4],
  ],
  /^input_ids: row 1 must hold at least one token/,
  [
    [1, 1],
    [0, 0],
  ],
);
refusesRows(
  "a row longer than the position table, naming it and the cure",
  [[1], [1, 2, 3, 4, 5]],
  /^input_ids: row 1 must have at most 4 tokens .*got 5; split or shorten it$/,
);
for (const [name, id, shown] of [
  ["an id past the vocabulary", 10, "10"],
  ["a bigint past the vocabulary", 10n, "10n"],
  ["a negative id", -1, "-1"],
  ["a fractional id", 1.5, "1\\.5"],
  ["NaN", NaN, "NaN"],
  ["infinity", Infinity, "Infinity"],
  ["a text as id", "5", '"5"'],
  ["null as id", null, "null"],
  ["a hole in the list", undefined, "nothing"],
] as const) {
  refusesRows(
    `${name}, naming it and its row`,
    [[1], [2, id]],
    new RegExp(`^input_ids: ids must be whole numbers from 0 to 9, got ${shown} in row 1$`),
  );
}
refusesRows("a mask of fewer rows", [[1], [2]], /^attention_mask: must have the 2 rows of input_ids, got 1$/, [[1]]);
refusesRows("a mask that is no list", [[1]], /^attention_mask: must have the 1 rows of input_ids, got 1$/, 1);
refusesRows(
  "a mask row of another length, naming it",
  [[1], [2, 3]],
  /^attention_mask: row 1 must have the 2 entries of input_ids, got 1$/,
  [[1], [1]],
);
for (const [name, bit, shown] of [
  ["null", null, "null"],
  ["a text", "1", '"1"'],
  ["a list", [1], "\\[1\\]"],
] as const)
  refusesRows(`a mask with ${name}`, [[1, 2]], new RegExp(`must hold 0 and 1, got ${shown} in row 0$`), [[1, bit]]);
refusesRows("a mask with a hole in the list", [[1, 2]], /must hold 0 and 1, got nothing in row 0$/, [Array(2)]);
refusesRows("a mask with other values", [[1, 2]], /^attention_mask: must hold 0 and 1, got 0\.5 in row 0$/, [[1, 0.5]]);
refusesRows(
  "a mask with a hole, naming row and place",
  [
    [1, 2],
    [3, 4, 5],
  ],
  /row 1 has a hole at 1$/,
  [
    [1, 1],
    [1, 0, 1],
  ],
);

test("packed rows give id, position and sentence of every token", () =>
  assert.equal([...packRows([[7, 8], [9]])], [7, 0, 0, 0, 8, 1, 0, 0, 9, 0, 1, 0]));
test("spans give first row and length of every sentence", () =>
  assert.equal([...packSpans([[7, 8], [9], [1, 2, 3]])], [0, 2, 2, 1, 3, 3]));
test("inputs of token ids are packed with their segments", () =>
  assert.equal(packInputs([{ ids: [7, 8], segments: [0, 1] }, { ids: [9] }], 2), {
    kind: "ids",
    rows: Uint32Array.of(7, 0, 0, 0, 8, 1, 0, 1, 9, 0, 1, 0),
    spans: Uint32Array.of(0, 2, 2, 1),
    width: 2,
  }));
const one = { features: Float32Array.of(5, 6), length: 1 };
const two = { features: Float32Array.of(1, 2, 3, 4), length: 2 };
test("inputs of features are packed with the numbers of their rows as ids", () =>
  assert.equal(packInputs([two, one], 2), {
    kind: "features",
    rows: Uint32Array.of(0, 0, 0, 0, 1, 1, 0, 0, 2, 0, 1, 0),
    spans: Uint32Array.of(0, 2, 2, 1),
    vectors: Float32Array.of(1, 2, 3, 4, 5, 6),
    width: 2,
  }));
test("refuses a batch of ids and features, with the cure", () =>
  refuses(
    () => packInputs([{ ids: [7] }, one], 2),
    InputError,
    /^encoder: a batch must be all token ids or all features, got 1 of 2 as ids; run each kind alone$/,
  ));
test("refuses features of another width, naming the sequence", () =>
  refuses(
    () => packInputs([two, { ...one, length: 2 }], 2),
    InputError,
    /^encoder: features must be length\*D numbers with D=2, sequence 1 has 2 for length 2$/,
  ));
