import { type Gpu, gpu as openGpu, load, type Model, WgformerError } from "../src/index.js";
import { openDevice } from "../src/runtime/device.js";
import { seed } from "./support/campaign.js";
import { type Call, CALLS, type FaultyDevice, injectFaults, unhandled, type Way, waysOf } from "./support/faults.js";
import { assert, folder, runtime, share, suite } from "./support/harness.js";
import { padded } from "./support/rows.js";
import { tinyMarian } from "./support/tiny.js";

const CHROME = { chrome: "compiles for minutes; Node and Deno show it" };
const test = suite("faults", CHROME);

/** A model and a call of which the numbers can be compared. */
interface Scenario {
  readonly open: (gpu: Gpu) => Promise<Model>;
  readonly call: (model: Model) => Promise<readonly number[]>;
}

const tiny = tinyMarian({ D: 32, V: 40, layers: 1 }, 5);

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  "beams of an encoder-decoder": {
    open: (gpu) => load(tiny, { gpu }),
    async call(model) {
      const { sequences } = await model.generate({ input_ids: [[5, 9, 33]] }, { max_new_tokens: 3, num_beams: 2 });
      return sequences.flat();
    },
  },
  "a stream": {
    open: (gpu) => load(tiny, { gpu }),
    async call(model) {
      const ids: number[] = [];
      for await (const { token_ids } of model.stream({ input_ids: [[5, 9, 33]] }, { max_new_tokens: 4 }))
        ids.push(...token_ids);
      return ids;
    },
  },
  "three batches of an encoder": {
    open: (gpu) => load(folder("tests/fixtures/bert"), { gpu }),
    async call(model) {
      const inputs = padded([[5, 9, 33, 2, 7], [1, 2, 3], [4]], "right");
      return [...(await model.encode(inputs, { batch_tokens: 5 })).last_hidden_state.data];
    },
  },
};

/** Another variant of a kernel may round otherwise. */
const agree = (got: readonly number[], want: readonly number[]): boolean =>
  got.length === want.length && got.every((value, index) => Math.abs(value - want[index]) <= 1e-4);

/** What became of a call: its result is right, or it throws a typed error. */
async function outcome(call: () => Promise<readonly number[]>, want: readonly number[]): Promise<string> {
  try {
    return agree(await call(), want) ? "right" : "WRONG";
  } catch (error) {
    return error instanceof WgformerError ? error.name : `UNTYPED ${String(error)}`;
  }
}

/** Loads, calls while the device fails, calls again, and frees all. Returns what went wrong, if anything did. */
async function faulted(
  gpu: Gpu,
  faulty: FaultyDevice,
  { open, call }: Scenario,
  want: readonly number[],
): Promise<{ readonly first: string; readonly came: boolean; readonly faults: readonly string[] }> {
  let model: Model | undefined;
  let first = "";
  const faults: string[] = [];
  const strays = await unhandled(async () => {
    first = await outcome(async () => call((model = await open(gpu))), want);
  });
  const came = faulty.end();
  if (strays.length) faults.push(`unhandled: ${strays.join()}`);
  if (!["right", "DeviceError"].includes(first)) faults.push(first);
  const next = await outcome(async () => call((model ??= await open(gpu))), want);
  if (next !== "right") faults.push(`the next call: ${next}`);
  model?.dispose();
  const { staging: _, total: __, ...held } = gpu.use();
  for (const [kind, bytes] of Object.entries(held)) if (bytes > 0) faults.push(`${bytes} bytes of ${kind} are left`);
  return { first, came, faults };
}

/**
 * The next call to fail: of the first scenario every one of the first, then ever fewer; of the others every second of
 * these, by the seed; in other runtimes than Node only some.
 */
const after = (k: number, stride: number): number =>
  k + (runtime === "node" ? stride : 2 * share) * (1 + Math.floor(k / 3));
/** Where to begin: `stride` runs with other seeds fail other calls. */
const begin = (stride: number): number => seed % stride;

/** Fails the k-th call for every k, until a run has no such call. */
async function everyCall(
  scenario: Scenario,
  call: Call,
  way: Way,
  stride: number,
  counts: Record<string, number>,
): Promise<string[]> {
  const { device } = await openDevice({});
  const faulty = injectFaults(device);
  const compiles = call === "createShaderModule" || call === "createComputePipelineAsync";
  let gpu = await openGpu({ device, tuned: false });
  const model = await scenario.open(gpu);
  const want = await scenario.call(model);
  model.dispose();
  const found: string[] = [];
  for (let k = begin(stride), came = true; came; k = after(k, stride)) {
    if (compiles) gpu.dispose(); // pipelines are compiled once for a Gpu
    if (compiles) gpu = await openGpu({ device, tuned: false });
    faulty.fail(call, k, way);
    const tried = await faulted(gpu, faulty, scenario, want);
    found.push(...tried.faults.map((text) => `${call} ${k} ${way}: ${text}`));
    came = tried.came;
    counts[tried.first] = (counts[tried.first] ?? 0) + 1;
  }
  gpu.dispose();
  if (faulty.live.size > 0) found.push(`${call} ${way}: ${faulty.live.size} buffers are left`);
  device.pushErrorScope("validation");
  await device.popErrorScope();
  const empty = await device.popErrorScope().then(
    () => false,
    () => true,
  );
  if (!empty) found.push(`${call} ${way}: an error scope is left open`);
  device.destroy();
  return found;
}

/** What fails alike under every scenario is the runtime's, and one scenario shows it. */
const ONE = { ...CHROME, deno: "one scenario shows it; Node runs all" };

for (const [index, [name, scenario]] of Object.entries(SCENARIOS).entries()) {
  const only = index ? ONE : CHROME;
  const stride = index ? 2 : 1;
  test(
    `${name}: whatever call fails, the result is right or the error typed, and the next call is right`,
    async () => {
      const counts: Record<string, number> = {};
      const found: string[] = [];
      for (const call of CALLS)
        for (const way of waysOf(call)) found.push(...(await everyCall(scenario, call, way, stride, counts)));
      console.log(
        `${runtime}  ${name}: ${Object.entries(counts)
          .map((pair) => pair.join(" "))
          .join(", ")}`,
      );
      assert.equal(found, []);
      assert.ok(counts.DeviceError > 0);
    },
    only,
  );

  test(
    `${name}: at whatever call the device is lost, the next call is right on another`,
    async () => {
      const found: string[] = [];
      const plain = await openGpu({ tuned: false });
      const model = await scenario.open(plain);
      const want = await scenario.call(model);
      plain.dispose();
      for (let k = begin(stride), came = true; came; k = after(k, stride)) {
        const gpu = await openGpu({ tuned: false });
        const faulty = injectFaults(gpu.device);
        faulty.fail("any", k, "loses");
        const tried = await faulted(gpu, faulty, scenario, want);
        found.push(...tried.faults.map((text) => `lost at call ${k}: ${text}`));
        came = tried.came;
        gpu.dispose();
      }
      assert.equal(found, []);
    },
    only,
  );
}
