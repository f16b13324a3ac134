import { packRules } from "../../kernels/logits_process.js";
import { lengthOf, longest, totalLength } from "../inputs.js";
import type { Job } from "../decode/job.js";
import { type Generation, hasRules } from "../decode/resolve.js";

/** What a loop has memory for. */
export interface LoopSizes {
  /** Rows: beams and samples of all sentences. */
  readonly R: number;
  /** Sentences. */
  readonly B: number;
  /** Cache slots. */
  readonly Z: number;
  /** Tokens of a row. */
  readonly M: number;
  /** Rows of sources. */
  readonly S: number;
  /** Beams of a sentence. */
  readonly W: number;
  /** Hypotheses that a sentence keeps. */
  readonly A: number;
  /** Candidates of a row. */
  readonly C: number;
  /** Numbers in the lists of rules and in what the rules see in place of tokens. */
  readonly X: number;
  /** Prompts that are read together, and the tokens of all their pasts. */
  readonly prompts: number;
  readonly U: number;
  /** Rows of the prompts that are vectors. */
  readonly vectors: number;
  /** Rows of a source whose coverage counts. */
  readonly covered: number;
  /** Whether calls come one by one: inputs are padded then to few sizes, so that plans stay prepared. */
  readonly joined: boolean;
  /** Whether the host changes scores. */
  readonly host: boolean;
}

const roundUp = (value: number, to: number): number => Math.ceil(value / to) * to;

/** Tokens of a row of prompt b that its beams share, and those that a row may feed itself. */
export const slotsOf = (job: Job, b: number, { n, W, newTokens }: Pick<Generation, "n" | "W" | "newTokens">): number =>
  job.prompts[b].length - 1 + n * W * newTokens;

/** How many ids the rules see in place of the tokens of prompt b. */
export const leadLength = ({ leads }: Job, b: number, g: Generation): number =>
  leads && hasRules(g) ? leads[b].ids.length : 0;

/** The sizes that a job needs, rounded up so that calls of about the same size can share memory. */
export function sizeOf(job: Job, g: Generation): LoopSizes {
  const { prompts, sources, vectors } = job;
  const { n, W } = g;
  const sum = (of: (b: number) => number): number => prompts.reduce((total, _, b) => total + of(b), 0);
  return {
    R: prompts.length * n * W,
    B: prompts.length * n,
    Z: roundUp(
      sum((b) => slotsOf(job, b, g)),
      64,
    ),
    M: roundUp(longest(prompts) + g.newTokens, 16),
    S: sources ? roundUp(totalLength([...new Set(sources)]), 64) : 1,
    W,
    A: g.beamStep.A,
    C: Math.max(g.C, g.shown),
    X: roundUp(packRules(g.lists).length + sum((b) => leadLength(job, b, g)), 16),
    prompts: prompts.length,
    U: roundUp(totalLength(prompts), 64),
    vectors: vectors ? roundUp(totalLength(prompts), 64) : 0,
    covered: g.beamStep.coverage_penalty ? roundUp(Math.max(0, ...(sources ?? []).map(lengthOf)), 16) : 0,
    joined: false,
    host: g.logits_processor !== undefined,
  };
}

/** The sizes that jobs need together. */
export function joinSizes(all: readonly LoopSizes[]): LoopSizes {
  const sum = (name: "R" | "B" | "Z" | "S" | "X" | "prompts" | "U" | "vectors"): number =>
    all.reduce((total, sizes) => total + sizes[name], 0);
  const most = (name: "M" | "W" | "A" | "C" | "covered"): number => Math.max(...all.map((sizes) => sizes[name]));
  return {
    R: sum("R"),
    B: sum("B"),
    Z: sum("Z"),
    M: most("M"),
    S: sum("S"),
    W: most("W"),
    A: most("A"),
    C: most("C"),
    X: sum("X"),
    prompts: sum("prompts"),
    U: sum("U"),
    vectors: sum("vectors"),
    covered: most("covered"),
    joined: false,
    host: all.some(({ host }) => host),
  };
}
