import { InputError } from "../src/index.js";
import { createBatcher } from "../src/server/batcher.js";
import { ApiError } from "../src/server/errors.js";
import { createKeyCheck } from "../src/server/keys.js";
import { createMetrics } from "../src/server/metrics.js";
import { optionsOf } from "../src/server/options.js";
import { createStopCutter } from "../src/server/stops.js";
import { subRip, webVtt } from "../src/server/subtitles.js";
import { assert, randoms, refuses, suite } from "./support/harness.js";

const test = suite("parts of serve", { chrome: "a page cannot be a server" });

test("a text is cut at the first stop string, however it is divided", () => {
  const random = randoms(11);
  const letters = (count: number): string =>
    Array.from({ length: count }, () => "ab"[Math.floor(2 * Math.abs(random())) % 2]).join("");
  for (let round = 0; round < 300; round++) {
    const text = letters(12);
    const stop = letters(2 + (round % 4));
    const at = text.includes(stop) ? text.indexOf(stop) : text.length;
    const cut = createStopCutter([stop, "c"]);
    let got = "";
    for (let start = 0; start < text.length;) {
      const end = start + 1 + (round % 3);
      got += cut(text.slice(start, end), end >= text.length);
      assert.ok(text.slice(0, at).startsWith(got), "nothing is given that may be part of a stop string");
      start = end;
    }
    assert.is(got, text.slice(0, at), `${text} with ${stop}`);
  }
});

const LIMITS = { size: 4, waiting: 3, retryAfter: () => 7 };
const never = new AbortController().signal;

test("inputs of several requests run together, and each gets its own results", async () => {
  const calls: number[][] = [];
  const batcher = createBatcher(async (inputs: readonly number[], { times }: { times: number }) => {
    calls.push([...inputs]);
    return inputs.map((input) => input * times);
  }, LIMITS);
  const [one, two, three] = [
    batcher.run([1], { times: 2 }, never),
    batcher.run([2, 3], { times: 2 }, never),
    batcher.run([4], { times: 3 }, never),
  ];
  await refuses(() => batcher.run([5], { times: 2 }, never), ApiError, /^at most 3 requests may wait/);
  assert.equal([await one, await two, await three], [[2], [4, 6], [12]]);
  assert.equal(calls, [[1], [2, 3], [4]]);
  assert.is(batcher.open, 0);
  assert.equal(await batcher.run([1, 2, 3, 4, 5, 6], { times: 1 }, never), [1, 2, 3, 4, 5, 6]);
  assert.equal(calls.slice(3), [
    [1, 2, 3, 4],
    [5, 6],
  ]);
});

test("an input that is refused fails its own request alone, and one that leaves ends no other", async () => {
  let open = (): void => {};
  const held = new Promise<void>((resolve) => (open = resolve));
  const stopped: boolean[] = [];
  const batcher = createBatcher(async (inputs: readonly string[], _: object, signal: AbortSignal) => {
    await held;
    stopped.push(signal.aborted);
    const index = inputs.indexOf("bad");
    if (index >= 0) throw new InputError(`task: input ${index}: is bad`, { index, cause: new InputError("is bad") });
    return inputs.map((input) => input.toUpperCase());
  }, LIMITS);
  const left = new AbortController();
  const first = batcher.run(["held"], {}, left.signal);
  const bad = batcher.run(["good", "bad"], {}, never);
  const fine = batcher.run(["fine"], {}, never);
  left.abort(new Error("left"));
  await refuses(() => first, Error, /^left$/);
  open();
  await refuses(() => bad, InputError, /^input 1: is bad$/);
  assert.equal(await fine, ["FINE"]);
  assert.is(stopped[0], true, "a call that nobody waits for is ended");
});

test("keys are compared whole", async () => {
  const holds = createKeyCheck(["abc", "def"]);
  const asked = (authorization?: string): Promise<boolean> =>
    holds(new Request("http://server", authorization === undefined ? {} : { headers: { authorization } }));
  for (const good of ["Bearer abc", "bearer def"]) assert.ok(await asked(good));
  for (const bad of [undefined, "", "abc", "Bearer ab", "Bearer abcd", "Bearer abc,def", "Basic abc"])
    assert.not.ok(await asked(bad), bad);
});

test("labels are escaped, and histograms add up", () => {
  const metrics = createMetrics("x_", {
    hits: ["counter", "Hits."],
    took: ["histogram", "Time."],
    now: ["gauge", "Now."],
  });
  metrics.count("hits", { name: 'a"b\\c\nd' });
  metrics.count("hits", { name: 'a"b\\c\nd' }, 2);
  metrics.observe("took", {}, 0.3, 2);
  metrics.observe("took", {}, 1000);
  const lines = metrics.text([{ name: "now", labels: {}, value: 4 }]).split("\n");
  assert.ok(lines.includes('x_hits{name="a\\"b\\\\c\\nd"} 3'));
  assert.ok(lines.includes('x_took_bucket{le="0.25"} 0') && lines.includes('x_took_bucket{le="0.5"} 2'));
  assert.ok(lines.includes('x_took_bucket{le="+Inf"} 3') && lines.includes("x_took_sum 1000.6"));
  assert.ok(lines.includes("x_now 4"));
  assert.is(metrics.mean("took")?.toFixed(3), "333.533");
});

test("fields become options: how tokens are drawn", () => {
  const of = (fields: object, usual: object = {}, encodes = false): object =>
    JSON.parse(JSON.stringify(optionsOf({ ...fields }, { options: usual } as never, encodes))) as object;
  const drawn = { do_sample: true, temperature: 1, top_k: 0 };
  assert.equal(of({}), drawn);
  assert.equal(of({}, { temperature: 0.6, top_k: 20 }), { ...drawn, temperature: 0.6, top_k: 20 });
  assert.equal(of({ temperature: 0.5, top_k: 3, seed: 4 }, { num_beams: 4 }), {
    ...{ num_beams: 1, do_sample: true, temperature: 0.5, top_k: 3, seed: 4 },
  });
  assert.equal(of({ temperature: 0, top_p: 0.5, seed: 4 }), { num_beams: 1, do_sample: false });
  assert.equal(of({ num_beams: 3, length_penalty: 2 }), { num_beams: 3, length_penalty: 2 });
  assert.equal(of({}, { num_beams: 6 }, true), {});
  assert.equal(of({ n: 2, stop: "x", num_beams: 2 }), { num_beams: 2, num_return_sequences: 2, stop_strings: ["x"] });
});

test("subtitles", () => {
  const chunks = [
    { text: " One.", timestamp: [0, 1.5] },
    { text: " Two.", timestamp: [3599.9996, 3661.25] },
  ] as const;
  assert.is(subRip(chunks), "1\n00:00:00,000 --> 00:00:01,500\nOne.\n\n2\n01:00:00,000 --> 01:01:01,250\nTwo.\n");
  assert.is(webVtt(chunks.slice(0, 1)), "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nOne.\n");
});
