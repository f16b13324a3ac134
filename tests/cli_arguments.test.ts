import { parseArguments } from "../src/cli/arguments.js";
import { OptionError } from "../src/index.js";
import { checkNames } from "../src/runtime/checks.js";
import { campaign, outcome } from "./support/campaign.js";
import { assert, suite } from "./support/harness.js";

const test = suite("command line arguments");

test("options in each spelling, and texts", () => {
  const words = ["run", "m", "--a", "1", "a text", "--b=[2,3]", "--c", "--d=x=y\nz", "--e", "null", "--f", "-4"];
  assert.equal(parseArguments(words), {
    positional: ["run", "m", "a text"],
    options: { a: 1, b: [2, 3], c: true, d: "x=y\nz", e: null, f: -4 },
  });
  assert.equal(parseArguments(["--a", "--", "--b", "--"]), { positional: ["--b", "--"], options: { a: true } });
});

test("names of the object prototype are names like others", () => {
  const { options } = parseArguments(["--__proto__", '{"dtype":"int3"}', "--constructor=1"]);
  assert.equal(Object.keys(options), ["__proto__", "constructor"]);
  assert.is((options as { dtype?: unknown }).dtype, undefined);
  assert.is(Object.getPrototypeOf(options), Object.prototype);
});

const PIECES = [
  "--",
  "-",
  "=",
  "a",
  "top_k",
  "__proto__",
  "constructor",
  " ",
  "\n",
  "\0",
  "é",
  "😀",
  "\ud800",
  "[",
  "{}",
  "1e999",
  "null",
  "-5",
  '"',
];

test("any words are taken apart, or refused in a line", async () => {
  const counts = await campaign("command lines", { cases: 20_000, seconds: 5 }, async ({ whole, pick, chance }) => {
    const word = () => Array.from({ length: whole(0, 4) }, () => pick(PIECES)).join("");
    const words = Array.from({ length: whole(0, 5) }, word);
    if (chance(0.01)) words.push("--x".repeat(1e5));
    return outcome(() => {
      try {
        const { positional, options } = parseArguments(words);
        checkNames(OptionError, "run", options, ["top_k", "a"]);
        assert.ok(positional.length + 2 * Object.keys(options).length <= words.length + Object.keys(options).length);
        assert.is(Object.getPrototypeOf(options), Object.prototype);
      } catch (error) {
        assert.ok((error as Error).message.length < 300);
        throw error;
      }
    });
  });
  assert.ok(counts.right > 0 && counts.OptionError > 0);
});
