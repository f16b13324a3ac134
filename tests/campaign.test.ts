import { OptionError } from "../src/index.js";
import { campaign, inProcess, outcome } from "./support/campaign.js";
import { assert, refuses, suite } from "./support/harness.js";

const test = suite("campaign");
const ends = await inProcess("how processes end", async (how: string) => {
  if (how === "rejects") void Promise.reject(new Error("nobody handles this"));
  if (how === "hangs") await new Promise((resolve) => setTimeout(resolve, 1e6));
  await new Promise((resolve) => setTimeout(resolve, 10));
  return { how };
});

test("cases are drawn anew and alike in each run, and counted by outcome", async () => {
  const drawn: number[][] = [[], []];
  for (const list of drawn) {
    const counts = await campaign("of the tests", { cases: 40 }, async ({ whole, chance }) => {
      list.push(whole(0, 1e9));
      return outcome(() => {
        if (chance(0.5)) throw new OptionError("refused");
      });
    });
    assert.is(counts.right + counts.OptionError, list.length);
  }
  assert.equal(drawn[0], drawn[1]);
  assert.is(new Set(drawn[0]).size, drawn[0].length);
});

test("an untyped error, a case that never ends and a stray rejection fail, with seed and case", async () => {
  const run = (body: () => Promise<string>) => campaign("of failures", { cases: 1, patience: 0.1 }, body);
  await refuses(
    () => run(() => outcome(() => Promise.reject(new TypeError("slip")))),
    Error,
    /SEED=\d+\ncase 0: .*slip/,
  );
  await refuses(() => run(() => new Promise(() => {})), Error, /case 0: .*has not ended after 0.1 s/);
  const stray = async () => {
    void Promise.reject(new Error("stray"));
    await new Promise((resolve) => setTimeout(resolve, 20));
    return "right";
  };
  await refuses(() => run(stray), Error, /case 0: a rejection that nobody handles: Error: stray/);
});

test(
  "a process of its own: its result, its death, its end by the clock",
  async () => {
    const { code, output, megabytes = 0 } = await ends("well");
    assert.equal([code, output], [0, { how: "well" }]);
    assert.ok(megabytes > 10);
    const dead = await ends("rejects");
    assert.equal([dead.code, dead.output], [1, undefined]);
    assert.match(dead.errors, /nobody handles this/);
    assert.is((await ends("hangs", { seconds: 1 })).signal, "SIGKILL");
  },
  { deno: "processes are started in Node", chrome: "processes are started in Node" },
);
