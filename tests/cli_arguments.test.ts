import type { OptionTable } from "../src/cli/arguments.js";
import { OptionError } from "../src/index.js";
import { FLAG, oneOf, type Rule, wholeNumber } from "../src/runtime/checks.js";
import { campaign } from "./support/campaign.js";
import { built } from "./support/command_line.js";
import { assert, suite } from "./support/harness.js";

const test = suite("command line arguments", {
  deno: "the command line runs in Node",
  chrome: "the command line runs in Node",
});

const LIST: Rule = {
  words: "a list of numbers",
  holds: (value) => Array.isArray(value) && value.every(Number.isFinite),
};
const TABLE: OptionTable = Object.fromEntries(
  Object.entries({
    top_k: wholeNumber(-9),
    do_sample: FLAG,
    early_stopping: oneOf(true, false, "never"),
    rows: LIST,
    prefix: { words: "a text", holds: (value: unknown) => typeof value === "string" },
  }).map(([name, rule]) => [name, { rule, doc: "", short: { top_k: "k", do_sample: "s" }[name] }]),
);

async function parse(...words: readonly string[]) {
  return (await built()).parseArguments("run", words, TABLE);
}

test("options in each spelling, with values by their rules, and texts", async () => {
  const words = ["m", "--top-k", "-4", "a text", "--rows=[2,3]", "--do_sample", "--prefix=x=y\nz", "5"];
  assert.equal(await parse(...words), {
    positional: ["m", "a text", "5"],
    options: { top_k: -4, rows: [2, 3], do_sample: true, prefix: "x=y\nz" },
  });
  assert.equal(await parse("-k5", "-s", "--rows", "1,8", "--prefix", "7"), {
    positional: [],
    options: { top_k: 5, do_sample: true, rows: [1, 8], prefix: "7" },
  });
  assert.equal(await parse("-sk", "2", "--", "--rows", "--"), {
    positional: ["--rows", "--"],
    options: { do_sample: true, top_k: 2 },
  });
});

test("a switch takes the word after it only if it is one of its values", async () => {
  assert.equal(await parse("--do_sample", "word"), { positional: ["word"], options: { do_sample: true } });
  assert.equal(await parse("--do_sample", "false", "word"), { positional: ["word"], options: { do_sample: false } });
  assert.equal(await parse("--early_stopping", "never", "never"), {
    positional: ["never"],
    options: { early_stopping: "never" },
  });
  assert.equal(await parse("--do_sample", "--", "false"), { positional: ["false"], options: { do_sample: true } });
});

const PIECES = [
  "--",
  "-",
  "=",
  "k",
  "top_k",
  "rows",
  "__proto__",
  "constructor",
  " ",
  "\n",
  "\0",
  "é",
  "😀",
  "\ud800",
  "[",
  "1",
];

test("any words are taken apart, or refused in a line", async () => {
  const { parseArguments } = await built();
  const counts = await campaign("command lines", { cases: 6000, seconds: 2 }, async ({ whole, pick, chance }) => {
    const word = () => Array.from({ length: whole(0, 4) }, () => pick(PIECES)).join("");
    const words = Array.from({ length: whole(0, 5) }, word);
    if (chance(0.01)) words.push("--x".repeat(1e5));
    try {
      const { positional, options } = parseArguments("run", words, TABLE);
      assert.ok(
        Object.keys(options).every(
          (name) => Object.hasOwn(TABLE, name) && TABLE[name].rule.holds(options[name as never]),
        ),
      );
      assert.ok(positional.length + Object.keys(options).length <= 2 * words.length);
      assert.is(Object.getPrototypeOf(options), Object.prototype);
      return "right";
    } catch (error) {
      assert.is((error as Error).name, new OptionError("").name, String(error));
      assert.ok((error as Error).message.length < 400);
      return "refused";
    }
  });
  assert.ok(counts.right > 0 && counts.refused > 0);
});
