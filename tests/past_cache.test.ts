import { createPastCache, type PastCache } from "../src/model/decode/past_cache.js";
import type { PastPool } from "../src/model/decode/past_pool.js";
import type { Pool } from "../src/model/loop/pool.js";
import { createSlots, type Slots } from "../src/model/loop/slots.js";
import { createQueue } from "../src/model/queue.js";
import { assert, randoms, suite } from "./support/harness.js";

const test = suite("caches of pasts", { chrome: "Node shows it", deno: "Node shows it" });

type Rows = readonly (readonly number[])[];

/** Slots whose keys are texts: of each token, and all those before it. */
function createTexts() {
  const texts = new Map<number, string>();
  let slots: Slots | undefined;
  const copied: (string | undefined)[] = [];
  let fails = false;
  let pasts = 0;
  const pool: PastPool = {
    queue: createQueue(),
    get slots() {
      return slots;
    },
    async take(count) {
      slots ??= createSlots(4);
      if (slots.free < count) slots.grow(2 * slots.total + count);
      return slots.take(count) as number[];
    },
    async read(pieces) {
      if (fails) throw new Error("no memory");
      for (const { ids, slots: own } of pieces)
        ids.forEach((id, i) => {
          const at = own.length - ids.length + i;
          texts.set(own[at], `${at ? texts.get(own[at - 1]) : ""} ${id}`);
        });
    },
    async copyInto(_, from, to) {
      assert.is(from.length, to.length);
      copied.push(...from.map((slot) => texts.get(slot)));
    },
    join: () => void pasts++,
    leave: () => void pasts--,
  };
  return {
    pool,
    /** What a cache has of these tokens: their number, and their keys. */
    async heldBy(cache: PastCache, tokens: Rows) {
      copied.length = 0;
      const lengths = await cache.copyInto(
        {} as Pool,
        tokens.map((ids, row) => ({ row, ids, slots: [...ids.keys()] })),
      );
      return { lengths, keys: [...copied] };
    },
    fail: (now: boolean) => (fails = now),
    lose: () => (slots = undefined),
    counts: () => ({ pasts, used: slots?.used ?? 0 }),
    check: () => slots?.check(),
  };
}

const keysOf = (rows: Rows): string[] =>
  rows.flatMap((row) =>
    row.map((_, t) =>
      row
        .slice(0, t + 1)
        .map((id) => ` ${id}`)
        .join(""),
    ),
  );

test("caches that share slots hold what each of them read, and count what they hold", async () => {
  const random = randoms(7);
  const pick = (size: number): number => Math.floor(((random() + 1) / 2) * size);
  const texts = createTexts();
  const caches: PastCache[] = [createPastCache(texts.pool, 2, 9)];
  const tokens = (): number[][] => Array.from({ length: 2 }, () => Array.from({ length: pick(9) }, () => pick(3)));
  for (let round = 0; round < 1500; round++) {
    const cache = caches[pick(caches.length)];
    const wanted = tokens();
    const action = pick(20);
    if (action < 10) {
      await cache.read(wanted);
      assert.equal(await texts.heldBy(cache, wanted), {
        lengths: wanted.map(({ length }) => length),
        keys: keysOf(wanted),
      });
    } else if (action < 12) await cache.trim(wanted);
    else if (action < 15 && caches.length < 6) caches.push(await cache.fork(wanted, 9));
    else if (action < 17 && caches.length > 1) caches.splice(caches.indexOf(cache), 1)[0].dispose();
    else if (action < 18) {
      texts.fail(true);
      await cache.read(wanted).catch(() => {});
      texts.fail(false);
    } else if (action < 19 && pick(4) === 0) texts.lose();
    const { lengths, keys } = await texts.heldBy(caches[0], wanted);
    assert.equal(keys, keysOf(wanted.map((row, b) => row.slice(0, lengths[b]))));
    assert.is(texts.counts().pasts, caches.length);
    texts.check();
  }
  for (const cache of caches) cache.dispose();
  assert.equal(texts.counts(), { pasts: 0, used: 0 });
});
