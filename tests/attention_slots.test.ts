import { NO_ID } from "../src/kernels/constants.js";
import { attention, attentionStep } from "../src/kernels/index.js";
import { TABLES, tableAt } from "../src/kernels/search_state.js";
import type { Kernel } from "../src/runtime/kernel.js";
import type { TypedArray } from "../src/runtime/tensor.js";
import { assert, device, randoms, suite } from "./support/harness.js";
import { type Args, f16, f32, recordLaunch, shuffled, u32, u32Rows } from "./support/launch.js";

const elsewhere = "Node has Chrome's shader compiler, and the kernels' own tests run there";
const test = suite("attention in slots", { deno: elsewhere, chrome: elsewhere });

const [H, K, E] = [4, 2, 16];
const WIDTH = (H + 2 * K) * E;
const SLOT = 2 * K * E;

/** What each variant that the device has writes, by the names of arguments. */
async function written(
  typed: unknown,
  args: Args,
  values: Readonly<Record<string, number>>,
): Promise<[variant: string, Readonly<Record<string, TypedArray>>][]> {
  const gpu = await device();
  const kernel = typed as Kernel;
  const found: [string, Readonly<Record<string, TypedArray>>][] = [];
  for (const variant of kernel.variants) {
    const { launch, inputs, outputs } = recordLaunch({ ...kernel, variants: [variant] }, args, values);
    const able = (variant.needs ?? []).every((name) => gpu.class.features.has(name));
    if (!able || variant.fits?.(launch.dims, gpu.class) === false) continue;
    for (const [t, { data }] of inputs) gpu.write(t, data);
    const prepared = await gpu.prepare({ name: kernel.name, launches: [launch] });
    const results = await prepared.run({ read: outputs });
    found.push([variant.name, Object.fromEntries(outputs.map(({ name }, i) => [name, results[i]]))]);
    prepared.dispose();
    gpu.memory.free([...inputs.map(([t]) => t), ...outputs]);
  }
  return found;
}

/** A row of a step: its position, what is projected of its token, and the keys and values of those before. */
interface Row {
  readonly position: number;
  readonly qkv: readonly number[];
  readonly past: readonly (readonly number[])[];
}

const M = 90;
const numbers = (count: number, random: () => number): number[] => Array.from({ length: count }, random);
const rowOf = (position: number, seed: number): Row => {
  const random = randoms(seed);
  const past = Array.from({ length: position }, () => numbers(SLOT, random));
  return { position, qkv: numbers(WIDTH, random), past };
};

/** A step of rows, some of them idle, whose tokens lie in any of Z slots; those with one past share its first slots. */
function stepOf(rows: readonly (Row | undefined)[], Z: number, half: boolean, random: () => number) {
  const free = shuffled(Z, random);
  const cache = Array.from({ length: Z }, () => Array<number>(SLOT).fill(9));
  const known = new Map<readonly number[], number>();
  const slotOf = (token: readonly number[]): number => {
    const slot = known.get(token) ?? free.splice(-1)[0];
    known.set(token, slot);
    cache[slot] = [...token];
    return slot;
  };
  const tables = new Uint32Array(rows.length * TABLES * M).map(() => free[0]);
  const own = rows.map((row, r) => {
    const at = (TABLES * r + tableAt(row?.position ?? 0)) * M;
    row?.past.forEach((token, t) => (tables[at + t] = slotOf(token)));
    const slot = free.pop() as number;
    tables[at + (row?.position ?? 0)] = slot;
    return slot;
  });
  const args = {
    rows: u32Rows(rows.map((row, r) => [5, row?.position ?? 0, row ? r : NO_ID, 0])),
    qkv: f32([rows.length, WIDTH], (i) => rows[Math.floor(i / WIDTH)]?.qkv[i % WIDTH] ?? 3),
    indirection: u32([rows.length, TABLES, M], (i) => tables[i]),
    cache: (half ? f16 : f32)([Z, SLOT], (i) => cache[Math.floor(i / SLOT)][i % SLOT]),
  };
  return { args, own, before: args.cache.data };
}

for (const half of [false, true])
  test(`a row of a step has the same bits in any slots and beside any rows, with a cache in ${half ? "f16" : "f32"}`, async () => {
    const [one, two, three] = [rowOf(67, 1), rowOf(3, 2), rowOf(0, 3)];
    const twin: Row = { ...one, qkv: numbers(WIDTH, randoms(4)) };
    const values = { H, K, E, Y: E, scale: E ** -0.5, eps: 1e-6 };
    const alone = new Map<Row, Awaited<ReturnType<typeof written>>>();
    const stored = (results: Readonly<Record<string, TypedArray>>, slot: number) =>
      results.cache.slice(slot * SLOT, (slot + 1) * SLOT);
    for (const [seed, rows] of [
      [11, [one]],
      [12, [two]],
      [13, [three]],
      [14, [twin]],
      [15, [undefined, one, two, undefined, three, twin]],
      [16, [twin, undefined, three, one, undefined, two, undefined]],
    ] as const) {
      const { args, own, before } = stepOf(rows, 90 + 20 * rows.length, half, randoms(seed));
      const found = await written(attentionStep, args, values);
      for (const [v, [name, results]] of found.entries()) {
        const rest = results.cache.slice();
        for (const [r, row] of rows.entries()) {
          const what = `${name}: row ${r} of ${rows.length}`;
          const out = results.out.slice(r * H * E, (r + 1) * H * E);
          if (!row) {
            assert.equal(out, new Float32Array(H * E), what);
            continue;
          }
          rest.set(before.subarray(own[r] * SLOT, (own[r] + 1) * SLOT), own[r] * SLOT);
          const solo = alone.get(row)?.[v][1];
          if (!solo) continue;
          assert.equal(out, solo.out, what);
          assert.equal(stored(results, own[r]), solo.stored, what);
        }
        assert.equal(rest, before, `${name}: slots that belong to no row's new token`);
      }
      const [row] = rows;
      if (rows.length === 1 && row)
        alone.set(
          row,
          found.map(([name, results]) => [name, { out: results.out, stored: stored(results, own[0]) }]),
        );
    }
  });

test("prompts have the same bits in any slots, beside padding and with a beginning that they share", async () => {
  const lengths = [37, 5, 70];
  const random = randoms(21);
  const S = lengths.reduce((a, b) => a + b, 0);
  const tokens = Array.from({ length: S }, () => numbers(WIDTH, random));
  const first = lengths.map((_, b) => lengths.slice(0, b).reduce((a, c) => a + c, 0));
  for (let t = 0; t < 30; t++) tokens[first[2] + t] = tokens[t];
  const places = lengths.flatMap((length, b) => Array.from({ length }, (_, t) => [5, t, b, 0]));
  const values = { H, K, E, scale: E ** -0.5, CAUSAL: 1 };
  const spans = u32Rows(lengths.map((length, b) => [first[b], length]));
  const packed = f32([S, WIDTH], (i) => tokens[Math.floor(i / WIDTH)][i % WIDTH]);
  const want = await written(
    attention,
    { rows: u32Rows(places), spans, q: packed, kv: packed },
    { ...values, k_at: H * E, v_at: (H + K) * E },
  );
  const Z = 2 * S;
  const slots = shuffled(Z, random).slice(0, S);
  for (let t = 0; t < 30; t++) slots[first[2] + t] = slots[t];
  const kv = new Float32Array(Z * SLOT).fill(NaN);
  slots.forEach((slot, n) => kv.set(tokens[n].slice(H * E), slot * SLOT));
  const from = places.flatMap((_, n) => (n % 5 ? [n] : [-1, n])); // a row of padding before each fifth
  const args = {
    rows: u32Rows(from.map((n) => (n < 0 ? [0, 0, NO_ID, 0] : places[n]))),
    spans,
    q: f32([from.length, WIDTH], (i) => tokens[Math.max(0, from[Math.floor(i / WIDTH)])][i % WIDTH]),
    kv: f32([Z, SLOT], (i) => kv[i]),
    slots: u32([S], (i) => slots[i]),
  };
  const got = await written(attention, args, { ...values, k_at: 0, v_at: K * E });
  assert.equal(
    got.map(([name]) => name),
    want.map(([name]) => name),
  );
  for (const [v, [name, { out }]] of got.entries())
    from.forEach((n, i) => {
      const row = n < 0 ? new Float32Array(H * E) : want[v][1].out.slice(n * H * E, (n + 1) * H * E);
      assert.equal(out.slice(i * H * E, (i + 1) * H * E), row, `${name}: row ${i}`);
    });
});
