import { createPrefixes } from "../src/model/loop/prefixes.js";
import { createRanges } from "../src/model/loop/ranges.js";
import { createSlots, type Slots } from "../src/model/loop/slots.js";
import { assert, randoms, suite } from "./support/harness.js";

const test = suite("slots and prefixes", { chrome: "Node shows it", deno: "Node shows it" });

/** Whole numbers below `size`, the same in every run. */
const below = (seed: number): ((size: number) => number) => {
  const random = randoms(seed);
  return (size) => Math.floor(((random() + 1) / 2) * size);
};

const run = (at: number, count: number): number[] => Array.from({ length: count }, (_, i) => at + i);

/** The first of `count` neighbours that all are 0, in a plain list. */
const firstFit = (taken: readonly number[], count: number): number | undefined => {
  const at = taken.findIndex((_, i) => i + count <= taken.length && taken.slice(i, i + count).every((n) => n === 0));
  return at < 0 ? undefined : at;
};

test("ranges: the lowest that fits, as in a plain list", () => {
  const pick = below(1);
  const taken = Array<number>(40).fill(0);
  const ranges = createRanges(taken.length);
  const held: { at: number; count: number }[] = [];
  for (let step = 0; step < 2000; step++) {
    if (pick(2)) {
      const count = 1 + pick(8);
      const at = ranges.take(count);
      assert.is(at, firstFit(taken, count));
      if (at === undefined) continue;
      taken.fill(1, at, at + count);
      held.push({ at, count });
    } else if (held.length) {
      const [{ at, count }] = held.splice(pick(held.length), 1);
      ranges.release(at, count);
      taken.fill(0, at, at + count);
    } else if (taken.length < 60) {
      taken.push(0, 0, 0);
      ranges.grow(taken.length);
    }
    ranges.check();
    assert.equal([ranges.used, ranges.total], [taken.filter(Boolean).length, taken.length]);
  }
});

test("ranges: what is free cannot be released", () => {
  const ranges = createRanges(8);
  assert.is(ranges.take(9), undefined);
  assert.is(ranges.take(5), 0);
  assert.throws(() => ranges.release(4, 2), /must be taken to be released/);
  assert.throws(() => ranges.release(7, 2), /must be taken to be released/);
  ranges.release(1, 2);
  assert.throws(() => ranges.release(0, 4), /must be taken to be released/);
  assert.equal(ranges.free, [
    { at: 1, count: 2 },
    { at: 5, count: 3 },
  ]);
});

test("slots: references as in a plain list", () => {
  const pick = below(2);
  const counts = Array<number>(30).fill(0);
  const slots = createSlots(counts.length);
  const held: number[][] = [];
  for (let step = 0; step < 3000; step++) {
    const action = pick(5);
    if (action < 2) {
      const count = pick(9);
      const free = counts.flatMap((references, slot) => (references ? [] : [slot]));
      const at = firstFit(counts, count);
      const expected = at === undefined ? free.slice(0, count) : run(at, count);
      const taken = slots.take(count);
      assert.equal(taken, free.length < count ? undefined : expected);
      if (taken) held.push(taken);
      taken?.forEach((slot) => counts[slot]++);
    } else if (action < 3 && held.length) {
      const shared = held[pick(held.length)].filter(() => pick(2));
      slots.hold(shared);
      held.push(shared);
      shared.forEach((slot) => counts[slot]++);
    } else if (held.length) {
      const [released] = held.splice(pick(held.length), 1);
      slots.release(released);
      released.forEach((slot) => counts[slot]--);
    } else if (counts.length < 60) {
      counts.push(0, 0);
      slots.grow(counts.length);
    }
    slots.check();
    assert.equal(run(0, counts.length).map(slots.references), counts);
    assert.equal(
      [slots.used, slots.free, slots.total],
      [counts.filter(Boolean).length, counts.filter((n) => !n).length, counts.length],
    );
  }
});

test("slots: who holds none can give none back, and thousands a call are few runs", () => {
  const slots = createSlots(1 << 16);
  const all = slots.take(1 << 16) ?? [];
  assert.equal(all, run(0, 1 << 16));
  slots.hold(all);
  slots.release(all);
  assert.is(slots.used, 1 << 16);
  slots.release(all.filter((slot) => slot % 2));
  slots.check();
  assert.equal(slots.take(3), [1, 3, 5]);
  slots.release(all.filter((slot) => slot % 2 === 0));
  assert.throws(() => slots.release([0]), /slot 0 of 65536 must be held to be released, it is free/);
  assert.throws(() => slots.hold([7]), /slot 7 of 65536 must be held to be held again, it is free/);
  slots.check();
});

/** Beginnings in a trie of single tokens: a plain form of `createPrefixes`. Its slots count how often each is held here. */
interface Token {
  readonly slot: number;
  readonly children: Map<number, Token>;
  used: number;
}

function createTrie(slots: Slots, budget: number) {
  const root: Token = { slot: -1, children: new Map(), used: 0 };
  let clock = 0;
  const leaves = (from: Token): { parent: Token; id: number; leaf: Token }[] =>
    Array.from(from.children, ([id, leaf]) =>
      leaf.children.size ? leaves(leaf) : [{ parent: from, id, leaf }],
    ).flat();
  const count = (from: Token): number =>
    Array.from(from.children.values(), (token) => 1 + count(token)).reduce((a, b) => a + b, 0);
  const path = (ids: readonly number[]): Token[] => {
    const found: Token[] = [];
    for (let at = root.children.get(ids[0]); at; at = at.children.get(ids[found.length])) found.push(at);
    return found;
  };
  const use = (tokens: readonly Token[]): void => {
    clock++;
    tokens.forEach((token) => (token.used = clock));
  };
  const dropOldest = (droppable: (token: Token) => boolean): boolean => {
    const [oldest] = leaves(root)
      .filter(({ leaf }) => droppable(leaf))
      .sort((a, b) => a.leaf.used - b.leaf.used);
    if (!oldest) return false;
    oldest.parent.children.delete(oldest.id);
    slots.release([oldest.leaf.slot]);
    return true;
  };
  return {
    size: () => count(root),
    match(ids: readonly number[]) {
      const found = path(ids);
      use(found);
      const matched = found.map(({ slot }) => slot);
      slots.hold(matched);
      return matched;
    },
    add(ids: readonly number[], its: readonly number[]) {
      const found = path(ids);
      for (let t = found.length; t < ids.length; t++) {
        slots.hold([its[t]]);
        const token = { slot: its[t], children: new Map<number, Token>(), used: 0 };
        (found[t - 1] ?? root).children.set(ids[t], token);
        found.push(token);
      }
      use(found);
      while (count(root) > budget) dropOldest(() => true);
    },
    evict(wanted: number) {
      let freed = 0;
      while (freed < wanted && dropOldest(({ slot }) => slots.references(slot) === 1)) freed++;
      return freed;
    },
  };
}

test("prefixes: what is known, kept and forgotten as in a trie of single tokens", () => {
  for (const [seed, budget] of [
    [3, 25],
    [4, 12],
    [5, 1000],
  ]) {
    const pick = below(seed);
    const slots = createSlots(80);
    const others = createSlots(80);
    const prefixes = createPrefixes(slots, budget);
    const trie = createTrie(others, budget);
    const held: number[][] = [];
    const both = <T>(act: (slots: Slots) => T): T => {
      const result = act(slots);
      assert.equal(result, act(others));
      return result;
    };
    for (let step = 0; step < 1500; step++) {
      const ids = Array.from({ length: pick(10) }, () => pick(3));
      const action = pick(6);
      if (action < 3) {
        const matched = prefixes.match(ids);
        assert.equal(matched, trie.match(ids));
        const fresh = both((slots) => slots.take(ids.length - matched.length));
        const its = [...matched, ...(fresh ?? [])];
        held.push(its);
        if (action === 0 || !fresh) continue;
        prefixes.add(ids, its);
        trie.add(ids, its);
      } else if (action < 5 && held.length) {
        const [released] = held.splice(pick(held.length), 1);
        both((slots) => slots.release(released));
      } else {
        const count = pick(6);
        const before = slots.used;
        const freed = prefixes.evict(count);
        assert.is(freed, trie.evict(count));
        assert.is(before - slots.used, freed);
      }
      assert.is(prefixes.size, trie.size());
      assert.equal(run(0, 80).map(slots.references), run(0, 80).map(others.references));
      slots.check();
    }
    held.forEach((its) => slots.release(its));
    assert.is(slots.used, prefixes.size);
    prefixes.clear();
    assert.equal([slots.used, prefixes.size], [0, 0]);
    slots.check();
  }
});

test("prefixes: known slots stay, others' are not held, and what others hold is not evicted", () => {
  const slots = createSlots(16);
  const prefixes = createPrefixes(slots, 6);
  const first = slots.take(4) ?? [];
  const second = slots.take(4) ?? [];
  prefixes.add([5, 6, 7, 8], first);
  prefixes.add([5, 6, 9, 9], second);
  assert.is(prefixes.size, 6);
  assert.equal(second.map(slots.references), [1, 1, 2, 2]);
  slots.release(first);
  assert.is(prefixes.evict(16), 2); // 7 and 8; someone has what follows 5 and 6
  assert.equal(prefixes.match([5, 6, 7, 8]), [0, 1]);
  slots.release([0, 1, ...second]);
  prefixes.add([1, 2, 3, 4, 5], slots.take(5) ?? []); // beyond the budget
  assert.is(prefixes.size, 6);
  assert.equal(prefixes.match([5, 6]), [0]);
});
