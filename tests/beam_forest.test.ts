import { pipeline, type SearchStep } from "../src/index.js";
import { bestPaths, growForest, type Node, type Tree } from "../web/views/beams/forest.js";
import { layTree, spread } from "../web/views/beams/layout.js";
import { assert, device, folder, randoms, suite } from "./support/harness.js";

const elsewhere = "the trees of the page are made of the same steps in all runtimes";
const test = suite("forest of beams", { deno: elsewhere, chrome: elsewhere });

const SEARCHES = {
  beams: { num_beams: 4, num_return_sequences: 4 },
  groups: { num_beams: 4, num_beam_groups: 2, diversity_penalty: 10, num_return_sequences: 4 },
  alternatives: { num_beams: 2, num_return_sequences: 3, return_alternatives: true },
  "many beams": { num_beams: 8 },
};

interface Searched {
  readonly steps: SearchStep[];
  /** The tokens of each result. */
  readonly results: number[][];
}

/** The steps and results of searches for the pronunciations of a word. */
async function searchAll(): Promise<Record<string, Searched>> {
  const { model, tokenizer, dispose } = await pipeline("text2text", folder("models/g2p-en"), { gpu: await device() });
  const { ids } = tokenizer.encode("transformer");
  const found: Record<string, Searched> = {};
  for (const [name, options] of Object.entries(SEARCHES)) {
    const steps: SearchStep[] = [];
    const onStep = (step: SearchStep): void => void steps.push(step);
    const { sequences, lengths } = await model.generate({ input_ids: [ids] }, { ...options, onStep });
    found[name] = { steps, results: sequences.map((row, i) => row.slice(1, lengths[i])) };
  }
  dispose();
  return found;
}
let all: ReturnType<typeof searchAll> | undefined;
const searched = async (name: keyof typeof SEARCHES): Promise<Searched> => (await (all ??= searchAll()))[name];

const nodesOf = ({ columns }: Tree): Node[] => columns.flat();
const name = (ids: readonly number[]): string => ids.join(" ");

test("every result is the end of a path from the root, and the best of them is marked", async () => {
  const { steps, results } = await searched("beams");
  const [tree, ...others] = growForest(steps, false);
  assert.is(others.length, 0);
  const ends = nodesOf(tree).filter(({ fate }) => fate === "finished");
  for (const result of results) assert.ok(ends.some(({ ids }) => name(ids) === name(result)));
  const best = [...bestPaths(tree)].sort((a, b) => a.step - b.step);
  assert.equal(
    best.slice(1).map(({ token_id }) => token_id),
    results[0],
  );
  for (const node of nodesOf(tree).filter(({ step }) => step > 0))
    assert.equal(node.ids, [...(node.parent?.ids ?? []), node.token_id]);
});

test("groups of beams are trees of their own", async () => {
  const { steps } = await searched("groups");
  const trees = growForest(steps, false);
  assert.equal(
    trees.map(({ group }) => group),
    [0, 1],
  );
  const [[first], [second]] = trees.map(({ columns }) => columns[1].filter(({ fate }) => fate === "kept"));
  assert.is.not(first.token_id, second.token_id);
});

test("alternatives are branches of one tree, each of which leads to its result", async () => {
  const { steps, results } = await searched("alternatives");
  const [tree] = growForest(steps, true);
  const branches = tree.columns[1].filter(({ branches }) => branches);
  assert.equal(
    branches.map(({ token_id }) => token_id),
    results.map(([id]) => id),
  );
  const paths = new Set([...bestPaths(tree)].map(({ ids }) => name(ids)));
  for (const result of results) assert.ok(paths.has(name(result)));
});

test("no two nodes overlap and no edges cross", async () => {
  const { steps } = await searched("many beams");
  const [tree] = growForest(steps, false);
  const { places, height } = layTree(
    tree,
    ({ token_id }) => String(token_id),
    () => true,
  );
  for (const column of tree.columns) {
    const sorted = column.map((node) => ({ node, y: places.get(node)!.y })).sort((a, b) => a.y - b.y);
    for (const [i, { node, y }] of sorted.entries()) {
      assert.ok(y >= 0 && y <= height);
      if (i === 0) continue;
      assert.ok(y - sorted[i - 1].y >= 18 - 1e-9);
      const [above, below] = [sorted[i - 1].node.parent, node.parent].map((parent) => places.get(parent!)!.y);
      assert.ok(above <= below);
    }
  }
});

test("spread keeps the gaps with the least weighted squares", () => {
  assert.equal(spread([0, 100], [10, 10], [1, 1]), [0, 100]);
  assert.equal(spread([0, 0], [10, 10], [1, 1]), [-5, 5]);
  assert.equal(spread([0, 0], [10, 10], [1, 3]), [-7.5, 2.5]);
  const random = randoms(7);
  const [wanted, gaps, weights] = [20, 10, 1].map((scale) =>
    Array.from({ length: 12 }, () => scale * (random() + 1.5)),
  );
  const cost = (places: readonly number[]): number =>
    places.reduce((sum, place, i) => sum + weights[i] * (place - wanted[i]) ** 2, 0);
  const found = spread(wanted, gaps, weights);
  const keeps = (places: readonly number[]): boolean =>
    places.every((place, i) => i === 0 || place - places[i - 1] >= (gaps[i] + gaps[i - 1]) / 2 - 1e-9);
  assert.ok(keeps(found));
  for (let trial = 0; trial < 200; trial++) {
    const other = found.map((place) => place + 0.5 * random());
    if (keeps(other)) assert.ok(cost(other) >= cost(found) - 1e-9);
  }
});
