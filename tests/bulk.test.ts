import type { ChildProcess } from "node:child_process";
import type { Job } from "bullmq";
import { DeviceError, load, pipeline } from "../src/index.js";
import { type Example, type Task, withExample } from "./support/bulk.js";
import { assert, device, folder, readFile, refuses, suite } from "./support/harness.js";

const test = suite("bulk work over a queue", { deno: "workers run in Node", chrome: "workers run in Node" });

const KNOWN = { boat: "B OW1 T", sail: "S EY1 L", transformer: "T R AE0 N S F AO1 R M ER0" };
const POISON = "42"; // characters that the model has not

/** Lines for the producer: words with names of their own, and one that the model cannot take. */
async function jsonLines(count: number): Promise<readonly string[]> {
  const held = new TextDecoder().decode(await readFile("models/g2p-en/heldout.tsv"));
  const words = [...Object.keys(KNOWN), ...held.split("\n").map((line) => line.split("\t")[0])].slice(0, count);
  return [...words, POISON].map((text, at) => JSON.stringify({ id: `word ${at}`, text }));
}

/** A worker whose second batch runs, and is never acknowledged. */
const HANGING = `import { openModel } from "./model.mjs";
import { work } from "./worker.mjs";
const model = await openModel("models/g2p-en");
let batches = 0;
const run = async (...given) => {
  const results = await model.run(...given);
  return ++batches === 2 ? new Promise(() => {}) : results;
};
const { signal } = new AbortController();
await work("words", { ...model, run, budget: 3000, lock: 1000, signal, log: console.error });
`;

/** Resolves when a worker has said a word this many times. */
const says = ({ stderr }: ChildProcess, word: string, times: number): Promise<void> =>
  new Promise((resolve) => {
    let log = "";
    stderr?.on("data", (text) => {
      log += String(text);
      if (log.split(`${word} `).length > times) resolve();
    });
  });

/** Runs two workers, and kills the one that hangs in a batch while the other works. Resolves to the exit code of this one. */
async function killOne({ start, path }: Example): Promise<number> {
  const { writeFile } = await import("node:fs/promises");
  await writeFile(path("hanging.mjs"), HANGING);
  const first = start(["hanging"]);
  await says(first, "runs", 2);
  const second = start(["work", "words", "models/g2p-en", "--budget", "3000", "--lock", "1", "--drain"]);
  const ended = new Promise<number>((resolve) => second.once("close", resolve));
  await says(second, "ran", 1);
  first.kill("SIGKILL");
  return ended;
}

test("of two workers one is killed in a batch: nothing is lost, nothing is twice, and a second run adds nothing", () =>
  withExample(async (example) => {
    const { readFile: read, truncate, writeFile, appendFile } = await import("node:fs/promises");
    const { run, path } = example;
    const [input, output] = [path("words.jsonl"), path("output.jsonl")];
    const lines = await jsonLines(60);
    await writeFile(input, lines.join("\n"));
    assert.equal(await run("add", "words", input), { code: 0, printed: ["61 added, 0 there before"] });

    assert.is(await killOne(example), 0);
    await run("collect", "words", output);
    const whole = await read(output, "utf8");
    const results = whole.trim().split("\n");
    const texts = new Map(
      results.map((line) => {
        const { id, results } = JSON.parse(line) as { id: string; results: { generated_text: string }[] };
        return [id, results[0].generated_text];
      }),
    );
    assert.is(results.length, 60);
    assert.equal(
      [...texts.keys()].sort(),
      lines
        .slice(0, 60)
        .map((line) => (JSON.parse(line) as Task).id)
        .sort(),
    );
    assert.equal(
      Object.values(KNOWN),
      [0, 1, 2].map((at) => texts.get(`word ${at}`)),
    );

    await truncate(output, whole.length - 20); // a collector that died as it wrote
    const added = ["add", "words", input] as const;
    const [, again, { printed: dead }] = await Promise.all([
      run("collect", "words", output),
      run(...added),
      run("dead", "words"),
    ]);
    assert.equal((await read(output, "utf8")).split("\n").sort(), whole.split("\n").sort());
    assert.equal(again, { code: 0, printed: ["0 added, 61 there before"] });
    assert.is(dead.length, 1);
    assert.match(dead[0], /"id":"word 60",.*"reason":".*vocabulary.*","tries":1/);

    await appendFile(input, '\n{"id":"word 0","text":"other"}');
    const [{ code: refused, printed }, retried] = await Promise.all([run(...added), run("dead", "words", "--retry")]);
    assert.is(refused, 1);
    assert.match(printed.join("\n"), /id word 0 must name one task, got another/);
    assert.equal(retried, { code: 0, printed: ["1 back in the queue"] });
  }));

/** Adds jobs whose inputs are their ids, with short pauses between tries; `after` gives what became of each. */
async function addAll({ queue }: Example, inputs: readonly string[]) {
  const opened = queue("queue");
  const opts = { attempts: 3, backoff: { type: "fixed", delay: 20 } };
  const jobs = await opened.addBulk(
    inputs.map((input) => ({ name: "task", data: { id: input, input }, opts: { ...opts, jobId: `job-${input}` } })),
  );
  const after = async <T>(field: (job: Job<Task>) => T): Promise<readonly T[]> =>
    Promise.all(jobs.map(async ({ id }) => field((await opened.getJob(String(id))) as Job<Task>)));
  return { opened, after };
}

const never = new AbortController().signal;
const FAKE = { sizeOf: () => 1, isLost: () => false, budget: 4, signal: never, drain: true, log: () => undefined };

test("failures are tried again, what stays bad is a dead letter, and its fellows have their results", () =>
  withExample(async (example) => {
    const { opened, after } = await addAll(example, ["fine", "bad", "flaky", "refused", "good"]);
    let flaked = false;
    const run = async (inputs: readonly string[]): Promise<readonly string[]> => {
      if (inputs.includes("bad")) throw new Error("always");
      if (inputs.includes("refused")) throw Object.assign(new Error("too long"), { name: "InputError" });
      const alone = inputs.length === 1;
      if (inputs.includes("flaky") && !flaked) throw new Error(`once ${(flaked = alone)}`);
      return inputs.map((input) => input.toUpperCase());
    };
    await example.work("queue", { ...FAKE, run });
    const want = [
      ["FINE", undefined, 1],
      [null, "always", 3],
      ["FLAKY", "once true", 2],
      [null, "too long", 1],
      ["GOOD", undefined, 1],
    ];
    assert.equal(
      await after(({ returnvalue, failedReason, attemptsMade }) => [
        returnvalue as unknown,
        failedReason,
        attemptsMade,
      ]),
      want,
    );
    await opened.close();
  }));

test("a worker of an encoder makes vectors", () =>
  withExample(async (example) => {
    const texts = ["The old boat sails at dawn.", "A ship.", "The committee approved the budget."];
    const { opened, after } = await addAll(example, texts);
    const model = await example.openModel("models/bert-pos", {}, "feature-extraction");
    await example.work("queue", { ...FAKE, ...model, budget: 12 });
    model.dispose();
    const embed = await pipeline("feature-extraction", "models/bert-pos", { gpu: await device() });
    const want = await embed(texts, { pooling: "mean" });
    const got = await after(({ returnvalue }) => (returnvalue as { readonly embedding: readonly number[] }).embedding);
    want.forEach(({ embedding = [] }, at) => {
      assert.is(got[at].length, 192);
      assert.equal(Float32Array.from(got[at]), Float32Array.from(embedding));
    });
    embed.dispose();
    await opened.close();
  }));

test("a signal ends the work after the batch that runs", () =>
  withExample(async (example) => {
    const { opened } = await addAll(example, ["a", "b", "c", "d", "e"]);
    const stop = new AbortController();
    const run = async (inputs: readonly string[]): Promise<readonly string[]> => {
      stop.abort();
      return inputs;
    };
    await example.work("queue", { ...FAKE, budget: 2, run, signal: stop.signal });
    const { completed, waiting, active } = await opened.getJobCounts();
    assert.equal({ completed, waiting, active }, { completed: 2, waiting: 3, active: 0 });
    await opened.close();
  }));

/** Starts a worker on the one job of the queue, which the server then gives up. Resolves to what ends the worker. */
async function giveUp({ work, tell }: Example, lock: string, log: string[]): Promise<() => Promise<void>> {
  const stop = new AbortController();
  let finish = (_: readonly string[]): void => undefined;
  const late = new Promise<readonly string[]>((resolve) => (finish = resolve));
  let ended: Promise<void> | undefined;
  await new Promise<void>((begun) => {
    const run = (): Promise<readonly string[]> => {
      begun();
      return late;
    };
    ended = work("queue", { ...FAKE, lock: 300, signal: stop.signal, log: (line: string) => log.push(line), run });
  });
  await tell(`DEL ${lock}`);
  return async () => {
    finish(["late"]);
    stop.abort();
    await ended;
  };
}

test("the result of a worker that was given up is refused", () =>
  withExample(async (example) => {
    const { opened, after } = await addAll(example, ["only"]);
    const log: string[] = [];
    const end = await giveUp(example, opened.toKey("job-only:lock"), log);
    await example.work("queue", { ...FAKE, lock: 300, run: async () => ["in time"] });
    await end();
    assert.equal(await after(({ returnvalue }) => returnvalue as unknown), ["in time"]);
    assert.ok(log.some((line) => line.startsWith("only: no longer ours")));
    await opened.close();
  }));

test("a job with which workers died too often is a dead letter", () =>
  withExample(async (example) => {
    const { opened, after } = await addAll(example, ["deadly"]);
    await example.tell(`HSET ${opened.toKey("job-deadly")} stc 3`); // workers that died with it
    const end = await giveUp(example, opened.toKey("job-deadly:lock"), []);
    let runs = 0;
    await example.work("queue", { ...FAKE, lock: 300, run: async () => [++runs] });
    await end();
    assert.is(runs, 0);
    assert.equal(await after(({ failedReason }) => failedReason), ["job stalled more than allowable limit"]);
    await opened.close();
  }));

test("a job that was begun twice before runs alone, as does one whose tokens cannot be counted", () =>
  withExample(async (example) => {
    const { opened } = await addAll(example, ["a", "b", "suspect", "c", "odd", "d", "odder"]);
    await example.tell(`HSET ${opened.toKey("job-suspect")} ats 2`);
    const batches: (readonly string[])[] = [];
    const run = async (inputs: readonly string[]): Promise<readonly string[]> => {
      batches.push(inputs);
      return inputs;
    };
    const sizeOf = ({ input }: Task): number => {
      if (input === "odd") throw new Error("no text");
      return input === "odder" ? NaN : 1;
    };
    await example.work("queue", { ...FAKE, run, sizeOf });
    assert.equal(batches, [["a", "b"], ["suspect"], ["c"], ["odd"], ["d"], ["odder"]]);
    await opened.close();
  }));

test("a worker whose device is lost gives its jobs back, and another one does them", () =>
  withExample(async (example) => {
    await using model = await load(folder("tests/fixtures/marian"));
    const { opened, after } = await addAll(example, ["5 6 7 0", "9 0"]);
    let lost = false;
    model.gpu.listen({ onDeviceLost: () => (lost = true) });
    const generate = async (inputs: readonly string[]): Promise<readonly unknown[]> =>
      (await model.generate({ input_ids: inputs.map((ids) => ids.split(" ").map(Number)) })).sequences;
    const want = await generate(["5 6 7 0", "9 0"]);
    const errors: unknown[] = [];
    const run = (inputs: readonly string[]): Promise<readonly unknown[]> => {
      const results = generate(inputs);
      model.gpu.device.destroy();
      results.catch((error: unknown) => errors.push(error));
      return results;
    };
    const isLost = (): boolean => lost;
    await refuses(
      () => example.work("queue", { ...FAKE, run, isLost }),
      Error,
      /^the device was lost; its jobs are back/,
    );
    assert.ok(errors.length === 1 && errors[0] instanceof DeviceError);
    assert.equal(await after(({ attemptsMade }) => attemptsMade), [0, 0]);
    assert.is((await opened.getJobCounts()).waiting, 2);
    await example.work("queue", { ...FAKE, run: generate });
    assert.equal(
      await after(({ returnvalue }) => returnvalue as unknown),
      want.map((row) => Array.from(row as number[])),
    );
    await opened.close();
  }));
