import type { Node, Tree } from "./forest.js";

/** Where a node is drawn: the middle of its left edge, and its width. */
export interface Place {
  readonly x: number;
  readonly y: number;
  readonly width: number;
}

export interface Layout {
  readonly places: ReadonlyMap<Node, Place>;
  readonly width: number;
  readonly height: number;
}

const LETTER = 7.3; // pixels of a letter of the labels
const PADDING = 9; // between a label and the sides of its box
const EDGE = 38; // between two columns
const NARROWEST = 38; // a score fits in
const GAPS = { kept: 35, finished: 35, cut: 18 }; // pixels of height
const WEIGHTS = { kept: 1, finished: 0.5, cut: 0.01 }; // how firmly a node stays beside its parent
const STRAIGHT = 0.9; // the rest pulls to the height of the root

/**
 * Lays a tree out from left to right, a column a step. Children are in the order of their parents, so that no edges cross, and
 * as near to their parents as the gaps between them allow. Columns that were there before a step stay as they were, but for
 * their common height.
 */
export function layTree({ columns }: Tree, labelOf: (node: Node) => string, shown: (node: Node) => boolean): Layout {
  const places = new Map<Node, Place>();
  const order = new Map<Node, number>();
  let x = 0;
  for (const column of columns) {
    const parent = (node: Node): number => (node.parent ? (order.get(node.parent) ?? 0) : 0);
    const nodes = column.filter(shown).sort((a, b) => parent(a) - parent(b) || a.rank - b.rank);
    const wanted = nodes.map((node) => STRAIGHT * ((node.parent && places.get(node.parent)?.y) ?? 0));
    const heights = spread(
      wanted,
      nodes.map(({ fate }) => GAPS[fate]),
      nodes.map(({ fate }) => WEIGHTS[fate]),
    );
    const widths = nodes.map((node) =>
      Math.max(node.fate === "cut" ? 0 : NARROWEST, LETTER * Array.from(labelOf(node)).length + 2 * PADDING),
    );
    nodes.forEach((node, i) => {
      order.set(node, i);
      places.set(node, { x, y: heights[i], width: widths[i] });
    });
    x += Math.max(0, ...widths) + EDGE;
  }
  const all = [...places].map(([{ fate }, { y }]) => [y - GAPS[fate] / 2, y + GAPS[fate] / 2]);
  const top = Math.min(...all.map(([low]) => low));
  for (const [node, place] of places) places.set(node, { ...place, y: place.y - top });
  return { places, width: x - EDGE, height: Math.max(...all.map(([, high]) => high)) - top };
}

/**
 * Places in the order given, neighbours half of each one's gap apart at least, with the least sum of weighted squared
 * distances from `wanted`: isotonic regression by pooling neighbours that would be too near.
 */
export function spread(wanted: readonly number[], gaps: readonly number[], weights: readonly number[]): number[] {
  const offsets = gaps.map(() => 0);
  for (let i = 1; i < gaps.length; i++) offsets[i] = offsets[i - 1] + (gaps[i - 1] + gaps[i]) / 2;
  const pools: { mean: number; weight: number; count: number }[] = [];
  wanted.forEach((value, i) => {
    let pool = { mean: value - offsets[i], weight: weights[i], count: 1 };
    for (let last = pools.at(-1); last && last.mean > pool.mean; last = pools.at(-1)) {
      const weight = last.weight + pool.weight;
      const mean = (last.weight * last.mean + pool.weight * pool.mean) / weight;
      pool = { mean, weight, count: last.count + pool.count };
      pools.pop();
    }
    pools.push(pool);
  });
  return pools.flatMap(({ mean, count }) => Array<number>(count).fill(mean)).map((place, i) => place + offsets[i]);
}
