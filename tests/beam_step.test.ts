import { beamStep } from "../src/kernels/index.js";
import { EARLY_STOPPING } from "../src/kernels/beam_step.js";
import { ABSENT, NO_ID } from "../src/kernels/constants.js";
import { checkKernel, f32, u32 } from "./support/kernel.js";

type Size = Readonly<Record<string, number>>;
const { false: patient, true: early, never } = EARLY_STOPPING;

/** What `topk` leaves for R rows. `steps` a unit: log-probabilities of few values, exact in f32, that tie. */
function lists({ B, W, G, C, V, steps = 0, sorted = 0, faulty = 0 }: Size, random: () => number) {
  const uniform = (): number => (random() + 1) / 2;
  const [values, indices]: [number[], number[]] = [[], []];
  const length = Math.ceil(V / G);
  for (let part = 0; part < B * W * G; part++) {
    const begin = (part % G) * length;
    const ids = Array.from({ length: Math.max(0, Math.min(length, V - begin)) }, (_, i) => begin + i);
    const fall = sorted ? 8 : 0;
    const logit = (id: number): number => (steps ? -Math.ceil(8 * uniform()) / steps : 4 * random() - fall * id);
    const logits = new Map(ids.map((id) => [id, logit(id)]));
    const best = ids.sort((a, b) => logits.get(b)! - logits.get(a)! || a - b).slice(0, C);
    values.push(...Array.from({ length: C }, (_, c) => (c < best.length ? logits.get(best[c])! : ABSENT)));
    values.push(best.length ? logits.get(best[0])! : ABSENT, part < faulty ? -1 : best.length && 1 + 3 * uniform());
    indices.push(...Array.from({ length: C }, (_, c) => best[c] ?? NO_ID));
  }
  return { values, indices };
}

/** Faults that all variants can have. */
const mutants: Readonly<Record<string, (wgsl: string) => string>> = {
  "a penalty for every group": (wgsl) => wgsl.replace("other < b; other++", "other <= b; other++"),
  "a penalty that counts once": (wgsl) => wgsl.replace("count += 1.0", "count = 1.0"),
  "a penalty from groups that are done": (wgsl) => wgsl.replace("{ continue; }\n    for (var w", "{}\n    for (var w"),
  "penalties on heads alone": (wgsl) => wgsl.replace("params.C, diverse);", "first + 1u, diverse);"),
  "a missing log-sum": (wgsl) => wgsl.replace(" - log_sum[w];", ";"),
  "end ids that go on": (wgsl) => wgsl.replace(/ \|\| is_end\((id|own\.choice % params\.V)\)/, ""),
  "only the first end id": (wgsl) => wgsl.replace("i < params.X; i++", "i < min(1u, params.X); i++"),
  "a limit one step late": (wgsl) => wgsl.replace("if (length + 1u >= limit ||", "if (length >= limit ||"),
  "hypotheses of any rank": (wgsl) => wgsl.replace(/rank < (BEAMS|params\.W)\) \{/, "rank < params.C) {"),
  "a length that counts the prompt": (wgsl) => wgsl.replace(/(penalised\(.*length \+ 1u) - start\)/, "$1)"),
  "a horizon at the limit for long sentences": (wgsl) => wgsl.replace("&& params.length_penalty > 0.0", ""),
  "a horizon that is always now": (wgsl) => wgsl.replace("params.early_stopping == 2u", "false"),
  "the tables exchanged": (wgsl) =>
    wgsl
      .replace("((length - 1u) & 1u)", "(length & 1u)")
      .replace("next_table = (length & 1u)", "next_table = ((length - 1u) & 1u)"),
  "log-probabilities of the finished that are not stored": (wgsl) =>
    wgsl.replace("  scores[last + at] = log_prob;\n", ""),
  "log-probabilities of the finished that do not move with them": (wgsl) =>
    wgsl.replace("    scores[last + i] = scores[last + i - 1u];\n", ""),
  "a past that is the beam's own": (wgsl) => wgsl.replace("(table + parent) * params.M", "(table + r) * params.M"),
  "a last step that is the beam's own": (wgsl) =>
    wgsl.replace("indirection[to + length - 1u] = parent;", "indirection[to + length - 1u] = r;"),
  "faults that are not counted": (wgsl) => wgsl.replace("atomicAdd(&status[1], 1u);", ""),
  "a grid without y": (wgsl) => wgsl.replace("group.y * grid.x + group.x", "group.x"),
};

checkKernel(beamStep, {
  // sentence b is `length + b % spread` long; `finished` hypotheses of it are there; of every `closed` sentences,
  // the last is done
  args: (size, random) => {
    const { B, W, G, C, M, X = 1, V, length, spread = 1, start = 1, limit = 99 } = size;
    const { finished = 0, worst = 9, first = 0, base = 0, closed = 0, steps = 0, chosen = 0 } = size;
    const R = B * W;
    const beam = (): number => Math.floor(((random() + 1) / 2) * W);
    const { values, indices } = lists(size, random);
    const score = (w: number): number => -w - (steps ? Math.ceil(random() * 4) / 4 : (random() + 1) / 2);
    const running = Array.from({ length: R }, (_, r) =>
      first ? (r % W ? -1e9 : -base) : score(r % W) / (steps ? 1 : 4),
    );
    const done = (b: number): boolean => closed > 0 && b % closed === closed - 1;
    const open = Array.from({ length: B }, (_, b) => b).filter((b) => !done(b)).length;
    return {
      values: f32([R, G, C + 2], (i) => values[i]),
      indices: u32([R, G, C], (i) => indices[i]),
      end_ids: u32([X], (i) => (5 * i + 1) % V),
      rows: u32([R, 4], (i) => (chosen ? i % (chosen + 1) : i)), // `chosen` ids repeat
      // running; finished; log-probabilities of the rows' tokens and of the finished ones' last, each another
      scores: f32([4, R], (i) => {
        const [part, there] = [Math.floor(i / R), Number(i % W < finished)];
        return [running[i], there * (-worst - (i % W) / 256), -(i % 31) / 8, there * (-4 - (i % 31) / 8)][part];
      }),
      sentences: u32([B, 4 + 3 * W], (i) => {
        const [b, field] = [Math.floor(i / (4 + 3 * W)), i % (4 + 3 * W)];
        if (field < 4) return [length + (b % spread), start, limit, Number(done(b))][field];
        return field < 4 + 3 * finished ? [length, i % W, i % V][(field - 4) % 3] : 0;
      }),
      // any beam of the same sentence, and another in the table of the other parity
      indirection: u32([2, R, M], (i) => Math.floor((Math.floor(i / M) % R) / W) * W + beam()),
      status: u32([2], (i) => [open, 0][i]),
    };
  },
  values: ({ W, V, stop = patient, penalty = 1, steps = 0, groups = 1, group = 0, diversity = 0 }) => ({
    W,
    V,
    early_stopping: stop,
    length_penalty: penalty,
    groups,
    group,
    diversity_penalty: diversity,
    LOG_PROBS: Number(steps > 0),
  }),
  tolerance: 5e-7, // measured 1.1e-7
  cases: {
    // first the sizes that compile fast (long lists are not unrolled), so that the mutants are caught soon
    "32 beams": { B: 5, W: 32, G: 2, C: 64, V: 96, M: 8, length: 4, spread: 3, start: 2, finished: 30, worst: 2 },
    "32 beams at the first step": { B: 5, W: 32, G: 2, C: 64, V: 96, M: 8, length: 1, first: 1 },
    "32 beams at the limit": { B: 5, W: 32, G: 2, C: 64, V: 96, M: 8, length: 6, limit: 7, finished: 1 },
    "32 beams, one before the limit": { B: 5, W: 32, G: 2, C: 64, V: 96, M: 8, length: 5, limit: 7, finished: 1 },
    "32 beams, all finished, never": {
      B: 5,
      W: 32,
      G: 2,
      C: 64,
      V: 96,
      M: 8,
      length: 4,
      limit: 12,
      finished: 32,
      worst: 0.05,
      stop: never,
    },
    "32 beams, all finished, length penalty -1, never": {
      B: 5,
      W: 32,
      G: 2,
      C: 64,
      V: 96,
      M: 8,
      length: 4,
      limit: 12,
      finished: 32,
      worst: 7.5,
      penalty: -1,
      stop: never,
    },
    "32 beams, three end ids, done sentences": {
      B: 7,
      W: 32,
      G: 2,
      C: 128,
      X: 3,
      V: 96,
      M: 8,
      length: 3,
      spread: 3,
      closed: 3,
    },
    "the first of three groups": {
      B: 6,
      W: 2,
      G: 2,
      C: 8,
      V: 20,
      M: 8,
      length: 3,
      groups: 3,
      group: 0,
      diversity: 0.7,
    },
    "the last of three groups, few ids": {
      B: 9,
      W: 2,
      G: 1,
      C: 8,
      V: 9,
      M: 8,
      length: 3,
      groups: 3,
      group: 2,
      diversity: 0.7,
      chosen: 4,
      closed: 4,
    },
    "the last of three groups, one id chosen by all": {
      B: 90,
      W: 2,
      G: 1,
      C: 8,
      V: 9,
      M: 8,
      length: 3,
      groups: 3,
      group: 2,
      diversity: 0.4,
      chosen: 1,
    },
    "the last of four groups of one beam": {
      B: 8,
      W: 1,
      G: 1,
      C: 5,
      V: 12,
      M: 8,
      length: 2,
      groups: 4,
      group: 3,
      diversity: 2,
      chosen: 3,
    },
    "32 beams, ties": { B: 5, W: 32, G: 2, C: 64, V: 96, M: 8, length: 3, steps: 2 },
    "32 beams, ties with finished ones, faulty parts": {
      B: 20,
      W: 32,
      G: 2,
      C: 128,
      X: 3,
      V: 96,
      M: 8,
      length: 2,
      start: 2,
      finished: 32,
      worst: 0.5,
      steps: 4,
      faulty: 3,
    },
    "three end ids": { B: 40, W: 3, G: 2, C: 12, V: 8, M: 6, length: 3, X: 3 },
    greedy: { B: 5, W: 1, G: 1, C: 1, V: 3, M: 8, length: 3, spread: 3, stop: early },
    "greedy, patient": { B: 5, W: 1, G: 1, C: 1, V: 3, M: 8, length: 3, spread: 3, stop: patient },
    "greedy, two end ids": { B: 9, W: 1, G: 1, C: 1, V: 3, M: 8, length: 3, X: 2, stop: early },
    "an even length": { B: 6, W: 3, G: 2, C: 6, V: 12, M: 9, length: 4 },
    "an odd length": { B: 6, W: 3, G: 2, C: 6, V: 12, M: 9, length: 5 },
    "a first step": { B: 3, W: 3, G: 2, C: 6, V: 20, M: 4, length: 1, first: 1 },
    "a first step of few tokens": { B: 3, W: 3, G: 2, C: 6, V: 5, M: 4, length: 1, first: 1, sorted: 1 },
    "no end id": { B: 3, W: 3, G: 2, C: 6, V: 8, M: 6, length: 3, X: 0 },
    "the limit": { B: 4, W: 3, G: 2, C: 6, V: 12, M: 12, length: 9, limit: 10, finished: 1 },
    "one before the limit": { B: 4, W: 3, G: 2, C: 6, V: 12, M: 12, length: 8, limit: 10, finished: 1 },
    "done sentences": { B: 7, W: 3, G: 2, C: 6, V: 9, M: 8, length: 4, spread: 4, closed: 3 },
    "finished in part": { B: 9, W: 3, G: 2, C: 6, V: 6, M: 8, length: 4, start: 2, finished: 2, worst: 0.5 },
    "finished in full": { B: 9, W: 3, G: 2, C: 6, V: 6, M: 8, length: 4, finished: 3, worst: 1 },
    "finished in full, early": { B: 9, W: 3, G: 2, C: 6, V: 6, M: 8, length: 4, finished: 2, worst: 1, stop: early },
    "finished in full, never": {
      B: 9,
      W: 3,
      G: 2,
      C: 6,
      V: 6,
      M: 8,
      length: 4,
      limit: 12,
      finished: 3,
      worst: 0.2,
      stop: never,
    },
    "length penalty 0.6": {
      B: 9,
      W: 3,
      G: 2,
      C: 6,
      V: 7,
      M: 8,
      length: 5,
      start: 2,
      finished: 3,
      worst: 1.5,
      penalty: 0.6,
    },
    "length penalty 0.6, never": {
      B: 9,
      W: 3,
      G: 2,
      C: 6,
      V: 7,
      M: 8,
      length: 5,
      limit: 20,
      finished: 3,
      worst: 0.5,
      penalty: 0.6,
      stop: never,
    },
    "length penalty 0": { B: 9, W: 3, G: 2, C: 6, V: 7, M: 8, length: 5, finished: 3, worst: 2, penalty: 0 },
    "length penalty -1": { B: 9, W: 3, G: 2, C: 6, V: 7, M: 8, length: 5, finished: 3, worst: 9, penalty: -1 },
    "length penalty -1, never": {
      B: 9,
      W: 3,
      G: 2,
      C: 6,
      V: 7,
      M: 8,
      length: 5,
      limit: 12,
      finished: 3,
      worst: 9,
      penalty: -1,
      stop: never,
    },
    ties: { B: 6, W: 3, G: 2, C: 6, V: 12, M: 6, length: 3, steps: 2 },
    "parts shorter than C, an empty part": { B: 2, W: 2, G: 4, C: 4, V: 9, M: 5, length: 3 },
    "scores that round to ties keep the order of their list": {
      B: 4,
      W: 4,
      G: 1,
      C: 8,
      V: 40,
      M: 6,
      length: 2,
      first: 1,
      base: 1e7,
    },
    "one list short of the lanes": { B: 3, W: 3, G: 21, C: 6, V: 200, M: 8, length: 3, faulty: 63, steps: 4 },
    "a list a lane": { B: 3, W: 4, G: 16, C: 8, V: 200, M: 8, length: 3, faulty: 64, steps: 4 },
    "one list over the lanes": { B: 3, W: 5, G: 13, C: 10, V: 200, M: 8, length: 3, faulty: 65, steps: 4 },
    "lanes of two and three lists, ties": { B: 3, W: 5, G: 30, C: 10, V: 90, M: 8, length: 3, steps: 2 },
    "all candidates in one list": { B: 3, W: 4, G: 16, C: 12, X: 2, V: 640, M: 8, length: 1, first: 1, sorted: 1 },
    "all candidates in the lists of one lane": {
      B: 3,
      W: 2,
      G: 65,
      C: 10,
      X: 4,
      V: 130,
      M: 8,
      length: 1,
      first: 1,
      sorted: 1,
    },
    "lanes of two lists, groups": {
      B: 6,
      W: 4,
      G: 20,
      C: 8,
      V: 90,
      M: 8,
      length: 3,
      groups: 3,
      group: 2,
      diversity: 0.7,
      chosen: 5,
    },
    "greedy, a list a lane": { B: 3, W: 1, G: 64, C: 1, V: 500, M: 8, length: 3, spread: 3, stop: early },
    "greedy, as many lists as fit": { B: 3, W: 1, G: 512, C: 1, V: 2000, M: 8, length: 3, spread: 3, stop: early },
    "a past around the lanes": { B: 6, W: 3, G: 2, C: 6, V: 40, M: 72, length: 62, spread: 6 },
    "a long past": { B: 3, W: 4, G: 2, C: 8, V: 40, M: 700, length: 513, spread: 3, limit: 699 },
    "workgroups past 65535": { B: 65537, W: 1, G: 1, C: 1, V: 4, M: 4, length: 2, spread: 2, closed: 5, stop: early },
  },
  mutants: {
    direct: {
      ...mutants,
      "ties to the larger id": (wgsl) => wgsl.replace("flat < choice", "flat > choice"),
      "log-probabilities that are not stored": (wgsl) =>
        wgsl.replace("    scores[2u * params.B * BEAMS + r] = next_log_prob[w];\n", ""),
      "log-probabilities that add up": (wgsl) =>
        wgsl.replace("next_log_prob[taken] = log_prob;", "next_log_prob[taken] = score;"),
      "finished ties before the older": (wgsl) =>
        wgsl.replace("scores[best + at] >= score", "scores[best + at] > score"),
      "parts that are summed as they are": (wgsl) => wgsl.replace("* exp(values[part] - peak)", ""),
      "a done flag that is not heeded": (wgsl) => wgsl.replace("if (sentences[sentence + 3u] == 1u) { return; }", ""),
    },
    shared: {
      ...mutants,
      "ties to the larger id": (wgsl) => wgsl.replace("a.choice < b.choice", "a.choice > b.choice"),
      "log-probabilities that are not stored": (wgsl) =>
        wgsl.replace("      scores[2u * params.B * params.W + r] = next[w].log_prob;\n", ""),
      "log-probabilities that add up": (wgsl) =>
        wgsl.replace("Candidate(running[w] + own, own,", "Candidate(running[w] + own, running[w] + own,"),
      "finished ties before the older": (wgsl) =>
        wgsl.replace("scores[first + at] >= score", "scores[first + at] > score"),
      "parts that are summed as they are": (wgsl) => wgsl.replace("* exp(peaks[l] - peak)", ""),
      "a done flag that is not heeded": (wgsl) => wgsl.replace("if (before.w == 1u) { return; }", ""),
      "lists without heads": (wgsl) => wgsl.replace("diverse = params.diversity_penalty != 0.0", "diverse = true"),
      "heads that do not move": (wgsl) => wgsl.replace("      heads[own.list]++;\n", ""),
      "a loser that keeps its best": (wgsl) => wgsl.replace("if (lost) { own =", "if (rank == 0u) { own ="),
      "lists past the lanes that no one looks at": (wgsl) =>
        wgsl.replace(/l \+= LANES(\) \{\n +\/\/ Lists)/, "l += 2u * LANES$1"),
      "sums past the lanes that no one loads": (wgsl) =>
        wgsl.replace(/l \+= LANES(\) \{\n +let part)/, "l += 2u * LANES$1"),
      "a past that ends at the lanes": (wgsl) =>
        wgsl.replace("t + 1u < length; t += LANES", "t + 1u < length; t += 2u * LANES"),
      "a past that ends early": (wgsl) => wgsl.replace("t + 1u < length; t += LANES", "t + 2u < length; t += LANES"),
      "ranks that end one short of the beams": (wgsl) =>
        wgsl.replace("(&taken) == params.W)", "(&taken) + 1u >= params.W)"),
      "one rank too few": (wgsl) => wgsl.replace("rank < params.C; rank++", "rank + 1u < params.C; rank++"),
      "a tree without its last step": (wgsl) => wgsl.replace("many > 1u;", "many > 2u;"),
    },
  },
  refused: {
    "rows that are no whole sentences": [
      { B: 2, W: 2, G: 1, C: 4, V: 8, M: 4, length: 1 },
      (args) => {
        [args.values, args.scores] = [f32([3, 1, 6], () => 0), f32([4, 3], () => 0)];
        [args.indices, args.rows] = [u32([3, 1, 4], () => 0), u32([3, 4], () => 0)];
        args.indirection = u32([2, 3, 4], () => 0);
      },
      /R must be B\*W, got R=3, B=2 and W=2/,
    ],
    "too few candidates": [
      { B: 1, W: 2, G: 1, C: 4, X: 2, V: 8, M: 4, length: 1 },
      () => {},
      /C must be at least 6 for W=2 and 2 end ids, got 4/,
    ],
    "a vocabulary smaller than the beams": [
      { B: 1, W: 2, G: 1, C: 4, V: 1, M: 4, length: 1 },
      () => {},
      /V must be at least 2 for 4 candidates, got 1/,
    ],
    "sentences without room for hypotheses": [
      { B: 1, W: 2, G: 1, C: 4, V: 8, M: 4, length: 1 },
      (args) => {
        args.sentences = u32([1, 7], () => 0);
      },
      /sentences must be u32\[B,4\+3\*W\] with B=1, W=2, got sentences u32\[1,7\]/,
    ],
    "scores without log-probabilities": [
      { B: 1, W: 2, G: 1, C: 4, V: 8, M: 4, length: 1 },
      (args) => {
        args.scores = f32([2, 2], () => 0);
      },
      /scores must be f32\[4,R\] with R=2, got scores f32\[2,2\]/,
    ],
    "end ids that are missing": [
      { B: 1, W: 2, G: 1, C: 4, V: 8, M: 4, length: 1 },
      (args) => {
        args.end_ids = undefined;
      },
      /end_ids must be u32\[X\], got nothing/,
    ],
  },
});
