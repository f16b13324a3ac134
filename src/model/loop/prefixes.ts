import type { Slots } from "./slots.js";

/** Beginnings of sequences whose keys and values are kept, so that no one reads them twice. Each slot has a reference from here. */
export interface Prefixes {
  /** How many slots are kept. */
  readonly size: number;
  /** The slots of the longest known beginning of `ids`, each with a reference for the caller. They are used now. */
  match(ids: readonly number[]): number[];
  /** Remembers the slots of `ids`; of a beginning that is known, those known stay, and those given are not held. */
  add(ids: readonly number[], itsSlots: readonly number[]): void;
  /**
   * Forgets the ends of sequences that were not used for longest, of those that no one else holds, until `count` slots
   * became free or there are no more. Returns how many did.
   */
  evict(count: number): number;
  /** Forgets everything. */
  clear(): void;
}

/** Tokens that follow one another in every sequence that has the first of them, after those of the parent. */
interface Node {
  ids: readonly number[];
  slots: readonly number[];
  parent: Node | undefined;
  readonly children: Map<number, Node>;
}

/**
 * No beginnings, of at most `budget` slots in all: beyond that the ends that were not used for longest are forgotten.
 * They are a radix tree over tokens (Morrison 1968), with its nodes in the order of their last use: each comes before
 * its parent, so that the first one is always a leaf.
 */
export function createPrefixes(slots: Slots, budget: number): Prefixes {
  const root: Node = { ids: [], slots: [], parent: undefined, children: new Map() };
  const nodes = new Set<Node>(); // least recently used first, without the root
  let size = 0;
  const use = (node: Node): void => {
    for (let at: Node | undefined = node; at?.parent; at = at.parent) {
      nodes.delete(at);
      nodes.add(at);
    }
  };
  const split = (node: Node, length: number): Node => {
    const { ids, slots, parent } = node;
    const head = { ids: ids.slice(0, length), slots: slots.slice(0, length), parent, children: new Map() };
    parent?.children.set(ids[0], head);
    head.children.set(ids[length], node);
    Object.assign(node, { ids: ids.slice(length), slots: slots.slice(length), parent: head });
    return head;
  };
  /** The node where the longest known beginning of `ids` ends, which is used now, and its length. */
  const find = (ids: readonly number[]): { node: Node; length: number } => {
    let node = root;
    let length = 0;
    for (let child = root.children.get(ids[0]); child; child = node.children.get(ids[length])) {
      const agreed = agreement(child.ids, ids, length);
      node = agreed < child.ids.length ? split(child, agreed) : child;
      length += agreed;
    }
    use(node);
    return { node, length };
  };
  /** Drops the last `count` tokens of a leaf. */
  const drop = (leaf: Node, count: number): void => {
    const left = leaf.ids.length - count;
    slots.release(leaf.slots.slice(left));
    size -= count;
    if (left > 0) Object.assign(leaf, { ids: leaf.ids.slice(0, left), slots: leaf.slots.slice(0, left) });
    else {
      leaf.parent?.children.delete(leaf.ids[0]);
      nodes.delete(leaf);
    }
  };
  return {
    get size() {
      return size;
    },
    match(ids) {
      const parts: (readonly number[])[] = [];
      for (let at: Node | undefined = find(ids).node; at; at = at.parent) parts.unshift(at.slots);
      const matched = parts.flat();
      slots.hold(matched);
      return matched;
    },
    add(ids, itsSlots) {
      const { node: parent, length } = find(ids);
      if (length === ids.length) return;
      const leaf = { ids: ids.slice(length), slots: itsSlots.slice(length), parent, children: new Map() };
      slots.hold(leaf.slots);
      parent.children.set(ids[length], leaf);
      size += leaf.ids.length;
      use(leaf);
      for (const node of nodes) {
        if (size <= budget) return;
        drop(node, Math.min(node.ids.length, size - budget));
      }
    },
    evict(count) {
      let freed = 0;
      for (const node of nodes) {
        if (freed >= count) break;
        if (node.children.size > 0) continue; // something after it is held
        const held = node.slots.findLastIndex((slot) => slots.references(slot) > 1);
        const dropped = Math.min(node.ids.length - 1 - held, count - freed);
        if (dropped > 0) drop(node, dropped);
        freed += dropped;
      }
      return freed;
    },
    clear() {
      for (const node of nodes) drop(node, node.ids.length);
    },
  };
}

/** How many tokens of `ids` agree with those of `others` from `at` on. */
function agreement(ids: readonly number[], others: readonly number[], at: number): number {
  const end = ids.findIndex((id, i) => id !== others[at + i]);
  return end < 0 ? ids.length : end;
}
