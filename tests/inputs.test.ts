import { packInputs, packRows, packSpans, readSequences } from "../src/model/inputs.js";
import { InputError } from "../src/runtime/errors.js";
import { assert, refuses, suite } from "./support/harness.js";

const test = suite("inputs");

const read = (rows: unknown, masks?: unknown) => readSequences("input_ids", rows, masks, 10, 4);

test("plain rows of different lengths are taken as they are", () =>
  assert.equal(read([[1, 2, 3], [4]]), { ids: [[1, 2, 3], [4]], offsets: [0, 0], pads: [[], []], width: 3 }));
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
    { ids: [[1, 2], [4]], offsets: [0, 0], pads: [[], []], width: 3 },
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
    { ids: [[1, 2], [4]], offsets: [1, 2], pads: [[9], [9, 9]], width: 3 },
  ));
test("padding at both ends is stripped", () =>
  assert.equal(read([[9, 1, 9]], [[0, 1, 0]]), { ids: [[1]], offsets: [1], pads: [[9]], width: 3 }));
test("padding may hold any id", () => assert.equal(read([[1, -100]], [[1, 0]]).ids, [[1]]));
test("padding that is no token is none for the rules", () => assert.equal(read([[-100, 1]], [[0, 1]]).pads, [[]]));
test("padding of several tokens is none for the rules", () => assert.equal(read([[3, 4, 1]], [[0, 0, 1]]).pads, [[]]));
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
    rows: Uint32Array.of(7, 0, 0, 0, 8, 1, 0, 1, 9, 0, 1, 0),
    spans: Uint32Array.of(0, 2, 2, 1),
  }));
const one = { features: Float32Array.of(5, 6), length: 1 };
const two = { features: Float32Array.of(1, 2, 3, 4), length: 2 };
test("inputs of features are packed with the numbers of their rows as ids", () =>
  assert.equal(packInputs([two, one], 2), {
    rows: Uint32Array.of(0, 0, 0, 0, 1, 1, 0, 0, 2, 0, 1, 0),
    spans: Uint32Array.of(0, 2, 2, 1),
    features: Float32Array.of(1, 2, 3, 4, 5, 6),
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
