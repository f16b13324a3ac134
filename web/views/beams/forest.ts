import type { SearchStep, SentenceStep, StepCandidate } from "../../../src/index.js";

/** A token that a search considered, and what became of it. */
export interface Node extends Omit<StepCandidate, "parent" | "beam"> {
  /** Its tree, its step and its place there: unique, and the same when the same search runs again. */
  readonly key: string;
  /** 0 for what all beams begin with. */
  readonly step: number;
  readonly parent?: Node;
  /** The tokens that lead here, its own at the end. */
  readonly ids: readonly number[];
  /** Which of its sentence's candidates it is, 0 the best. */
  readonly rank: number;
  /** Whether it is one of the next tokens that alternatives go on from. */
  readonly branches?: boolean;
}

/** A part of a search with beams of its own. */
interface Part {
  /** Beams that go on, in the order that the next step's `parent` counts them. */
  readonly open: readonly Node[];
  /** Best first, so far. */
  readonly finished: SentenceStep["finished"];
  readonly done?: SentenceStep["done"];
}

/** The search of one sentence, as far as it is known. */
export interface Tree {
  /** Which of the groups of beams it is. */
  readonly group: number;
  /** Nodes by step, those of a part best first; the first column is the root alone. */
  readonly columns: Node[][];
  /** One, or with alternatives one for each of them. */
  parts: readonly Part[];
}

const ROOT = { token_id: -1, logprob: 0, score: 0, ranking_score: 0, fate: "kept", rank: 0, ids: [], step: 0 } as const;

/** A tree for each group of beams after these steps of a search; with alternatives there is one group. */
export function growForest(steps: readonly SearchStep[], alternatives: boolean): Tree[] {
  const trees: Tree[] = [];
  for (const { sentences } of steps) {
    for (const sentence of sentences) {
      const tree = (trees[sentence.sentence] ??= plant(sentence.sentence));
      if (!alternatives) tree.parts = [addNodes(tree, sentence, newColumn(tree), 0)];
      else if (sentence.alternative === undefined) tree.parts = branch(tree, sentence);
    }
    if (alternatives && sentences[0]?.alternative !== undefined) goOn(trees[0], sentences);
  }
  return trees;
}

function plant(group: number): Tree {
  const root: Node = { ...ROOT, key: `${group}/0/0` };
  return { group, columns: [[root]], parts: [{ open: [root], finished: [] }] };
}

function newColumn({ columns }: Tree): Node[] {
  const column: Node[] = [];
  columns.push(column);
  return column;
}

/** Adds the candidates of a part's sentence to a column. */
function addNodes({ group, columns, parts }: Tree, sentence: SentenceStep, column: Node[], part: number): Part {
  const step = columns.length - 1;
  const first = column.length;
  const { candidates, beams, finished, done } = sentence;
  candidates.forEach(({ parent, beam: _, ...candidate }, rank) => {
    const from = parts[part].open[parent];
    const key = `${group}/${step}/${first + rank}`;
    column.push({ ...candidate, key, step, rank, parent: from, ids: [...from.ids, candidate.token_id] });
  });
  const open = beams.map((_, beam) => column[first + candidates.findIndex((candidate) => candidate.beam === beam)]);
  return { open, finished, done };
}

/** The step that finds the next tokens: its hypotheses are what the alternatives go on from. */
function branch(tree: Tree, sentence: SentenceStep): Part[] {
  const column = newColumn(tree);
  addNodes(tree, sentence, column, 0);
  column.forEach((node, at) => {
    if (node.fate === "finished") column[at] = { ...node, fate: "kept", branches: true };
  });
  return sentence.finished.map(({ token_ids }) => ({
    open: column.filter(({ token_id }) => token_id === token_ids[0]),
    finished: [],
  }));
}

/** A step of the alternatives that are not done. */
function goOn(tree: Tree, sentences: readonly SentenceStep[]): void {
  const column = newColumn(tree);
  const parts = [...tree.parts];
  for (const sentence of sentences) {
    const { alternative = 0 } = sentence;
    parts[alternative] = addNodes(tree, sentence, column, alternative);
  }
  tree.parts = parts;
}

/** The nodes of the best results so far, from the root on: one of each part. */
export function bestPaths({ columns, parts }: Tree): ReadonlySet<Node> {
  const path = new Set<Node>();
  for (const { finished } of parts) {
    const ids = finished.at(0)?.token_ids ?? [];
    const leads = (node: Node): boolean => node.ids.length === ids.length && node.ids.every((id, at) => id === ids[at]);
    for (let node = ids.length ? columns.at(ids.length)?.find(leads) : undefined; node; node = node.parent)
      path.add(node);
  }
  return path;
}
