import { beamStep } from "../src/kernels/index.js";
import { EARLY_STOPPING } from "../src/kernels/beam_reference.js";
import { candidateCount } from "../src/kernels/beam_step.js";
import { readSentence } from "../src/kernels/search_host.js";
import { ROW_FIELDS, sentenceWidth, SETTING, TABLES } from "../src/kernels/search_state.js";
import { cpu } from "../src/runtime/cpu.js";
import { type Gpu, gpu as openGpu } from "../src/runtime/gpu.js";
import type { TypedArray } from "../src/runtime/tensor.js";
import { args, mixed, values } from "./beam_step.args.js";
import { assert, device, randoms, suite } from "./support/harness.js";
import { recordLaunch } from "./support/launch.js";
import { checkKernel, f32, type Filled, type Mutants, u32 } from "./support/kernel.js";

const { false: patient, true: early, never } = EARLY_STOPPING;

/** Sentences of OpenNMT's search. */
const opennmt = { opennmt: 1, B: 12, W: 4, G: 2, C: 6, V: 12, M: 8, penalty: 0 };

/** Faults that the texts of all variants can have. */
const mutants: Mutants = {
  "a penalty for every group": [
    "three groups, few ids",
    (wgsl) => wgsl.replace("other < own.b; other++", "other <= own.b; other++"),
  ],
  "a penalty that counts once": [
    "three groups, one id chosen by all",
    (wgsl) => wgsl.replace("count += 1.0", "count = 1.0"),
  ],
  "a penalty from groups that are done": [
    "three groups, few ids",
    (wgsl) => wgsl.replace("{ continue; }\n    let first = setting(other", "{}\n    let first = setting(other"),
  ],
  "a penalty from dead beams": [
    "three groups, one id chosen by dead beams too",
    (wgsl) => wgsl.replace("id && scores[r] > BANNED", "id"),
  ],
  "penalties on heads alone": [
    "three groups, few ids",
    (wgsl) => wgsl.replace("own.C, diverse);", "first + 1u, diverse);"),
  ],
  "a missing log-sum": ["no end id", (wgsl) => wgsl.replace(" - top - log_sum;", " - top;")],
  "end ids that go on": [
    "a first step of few tokens",
    (wgsl) => wgsl.replace(/ \|\| is_end\((id|mine\.choice % params\.V)\)\)\) \{/, ")) {"),
  ],
  "only the first end id": [
    "greedy, two end ids",
    (wgsl) => wgsl.replace("i < lists[own.ends]; i++", "i < min(1u, lists[own.ends]); i++"),
  ],
  "a limit one step late": [
    "the limit",
    (wgsl) => wgsl.replace(/&& \(length >= (own\.)?limit \|\|/, "&& (length > $1limit ||"),
  ],
  "hypotheses of any rank": ["three end ids", (wgsl) => wgsl.replace(/rank < (own\.)?W\) \{/, "rank < own.C) {")],
  "a length that counts the prompt": [
    "a first step of few tokens",
    (wgsl) => wgsl.replace(/(penalised\(.*length) - own\.start\)/, "$1)"),
  ],
  "a horizon at the limit for long sentences": [
    "length penalty -1, never",
    (wgsl) => wgsl.replace("&& own.length_penalty > 0.0", ""),
  ],
  "a horizon that is always now": [
    "finished in full, never",
    (wgsl) => wgsl.replace("own.early_stopping == 2u", "false"),
  ],
  "the tables exchanged": ["no end id", (wgsl) => wgsl.replace("+ (position & 1u)", "+ ((position + 1u) & 1u)")],
  "log-probabilities of the finished that are not stored": [
    "a first step of few tokens",
    (wgsl) => wgsl.replace("  scores[last + at] = log_prob;\n", ""),
  ],
  "log-probabilities of the finished that do not move with them": [
    "one before the limit",
    (wgsl) => wgsl.replace("    scores[last + i] = scores[last + i - 1u];\n", ""),
  ],
  "a past that is the beam's own": [
    "no end id",
    (wgsl) => wgsl.replace("indirection_at(own.first + parent,", "indirection_at(r,"),
  ],
  "homes of the first beam": [
    "no end id",
    (wgsl) =>
      wgsl.replace(
        "indirection[to + length] = indirection[homes_at(r,",
        "indirection[to + length] = indirection[homes_at(own.first,",
      ),
  ],
  "logits that are not finite and go on": [
    "one list over the lanes",
    (wgsl) => wgsl.replace("values[part + 1u] < 0.0", "false").replace("sums[l] < 0.0", "false"),
  ],
  "banned candidates that go on": [
    "fewer tokens than beams",
    (wgsl) => wgsl.replace("score > BANNED);", "score > ABSENT);").replace(" || running <= BANNED", ""),
  ],
  "dead beams that live": [
    "fewer tokens than beams",
    (wgsl) => wgsl.replace(/select\(LOWEST, (\w+)/, "select(0.0, $1"),
  ],
  "a sentence without candidates that goes on": ["no token", (wgsl) => wgsl.replace("|| taken == 0u;", ";")],
  "no more hypotheses than beams": [
    "twice as many hypotheses as beams",
    (wgsl) => wgsl.replace("at < own.A &&", "at < own.W &&").replace("at == own.A", "at >= own.W"),
  ],
  "full at as many hypotheses as beams": [
    "twice as many hypotheses as beams, full, early",
    (wgsl) => wgsl.replace("hypothesis_at(own.A - 1u)", "hypothesis_at(own.W - 1u)"),
  ],
  "beams that have ended and go on": [
    "opennmt, half of the beams have ended",
    (wgsl) => wgsl.replace("own.opennmt != 0u && has_ended(w)", "false"),
  ],
  "an end that costs": ["opennmt, half of the beams have ended", (wgsl) => wgsl.replace("    log_prob = 0.0;\n", "")],
  "an end that comes twice": [
    "opennmt, half of the beams have ended",
    (wgsl) => wgsl.replace("list % params.G == 0u && c == 0u", "list % params.G == 0u"),
  ],
  "an end with another id": [
    "opennmt, half of the beams have ended",
    (wgsl) => wgsl.replace("+ FINISHED_ID], list %", "+ FINISHED_PARENT], list %"),
  ],
  "an end that ranks without its coverage": [
    "opennmt, coverage",
    (wgsl) => wgsl.replace("score += own.coverage_penalty *", "score += 0.0 *"),
  ],
  "coverage of beams that go on": ["opennmt, coverage", (wgsl) => wgsl.replace("if (stays) { score", "{ score")],
  "a beam that ranks without its penalty": [
    "opennmt, length penalty 0.8",
    (wgsl) => wgsl.replace("{ score = penalised(score, 1u + generated(w)); }", "{}"),
  ],
  "a length that stops short": [
    "opennmt, length penalty 0.8",
    (wgsl) => wgsl.replace("1u + generated(w)", "generated(w)"),
  ],
  "one length for all": ["opennmt, length penalty 0.8", (wgsl) => wgsl.replace("ended, ended != 0u)", "ended, false)")],
  "the penalty of Transformers": [
    "opennmt, length penalty 1",
    (wgsl) => wgsl.replace("6.0, own.opennmt != 0u", "6.0, false"),
  ],
  "hypotheses that do not follow their beams": [
    "opennmt, half of the beams have ended",
    (wgsl) => wgsl.replace("let w = candidate.choice / params.V;\n  let id", "let w = 0u;\n  let id"),
  ],
  "a limit that ends no beam": [
    "opennmt, the limit",
    (wgsl) => wgsl.replace("let ends = length >= own.limit || is_end", "let ends = is_end"),
  ],
  "an end at the first beam's": [
    "opennmt, half of the beams have ended",
    (wgsl) => wgsl.replace("w == count", "w > 0u"),
  ],
  "a search that waits for dead beams": [
    "opennmt, no token but of those that have ended",
    (wgsl) => wgsl.replace("have_ended(taken)", "have_ended(own.W)"),
  ],
  "a place that is another's now": ["mixed", (wgsl) => wgsl.replace("DONE_OPEN && s.group == group", "DONE_OPEN")],
  "candidates of the widest": ["mixed", (wgsl) => wgsl.replace("setting(b, SETTING_C)", "params.C")],
  "beams of the widest": ["mixed", (wgsl) => wgsl.replace("min(setting(b, SETTING_W), params.W)", "params.W")],
  "hypotheses of the widest": [
    "mixed",
    (wgsl) => wgsl.replace("setting(b, SETTING_A)", "(params.Y - SENTENCE_HEAD) / FINISHED_FIELDS"),
  ],
  "end ids of another sentence": [
    "mixed",
    (wgsl) => wgsl.replace("setting(b, SETTING_LISTS)", "setting(0u, SETTING_LISTS)"),
  ],
  "rows that stay when their sentence ends": ["mixed", (wgsl) => wgsl.replace("rows[r].z = NO_ID;", "")],
  "an end that is not counted": ["the limit", (wgsl) => wgsl.replace("atomicAdd(&status[STATUS_ENDED], 1u);", "")],
  "a broken sentence that is merely done": ["mixed", (wgsl) => wgsl.replace("DONE_BROKEN = 2u", "DONE_BROKEN = 1u")],
  "a grid without y": ["workgroups past 65535", (wgsl) => wgsl.replace("group.y * grid.x + group.x", "group.x")],
};

checkKernel(beamStep, {
  args,
  values,
  tolerance: 5e-7, // measured 1.1e-7
  cases: {
    // first the sizes that compile fast (long lists are not unrolled), so that the mutants are caught soon
    "32 beams": { B: 5, W: 32, G: 2, C: 64, V: 96, M: 8, length: 4, spread: 3, start: 2, finished: 30, worst: 2 },
    "32 beams at the first step": { B: 5, W: 32, G: 2, C: 64, V: 96, M: 8, length: 1, begun: 1 },
    "32 beams at the limit": { node: 1, B: 5, W: 32, G: 2, C: 64, V: 96, M: 8, length: 6, limit: 7, finished: 1 },
    "32 beams, one before the limit": {
      node: 1,
      B: 5,
      W: 32,
      G: 2,
      C: 64,
      V: 96,
      M: 8,
      length: 5,
      limit: 7,
      finished: 1,
    },
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
      node: 1,
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
    "three groups": {
      B: 6,
      W: 2,
      G: 2,
      C: 8,
      V: 20,
      M: 8,
      length: 3,
      groups: 3,
      diversity: 0.7,
    },
    "three groups, few ids": {
      B: 9,
      W: 2,
      G: 1,
      C: 8,
      V: 9,
      M: 8,
      length: 3,
      groups: 3,
      diversity: 0.7,
      closed: 4,
    },
    "three groups, one id chosen by all": {
      B: 90,
      W: 2,
      G: 1,
      C: 8,
      V: 9,
      M: 8,
      length: 3,
      groups: 3,
      diversity: 0.4,
    },
    "three groups, one id chosen by dead beams too": {
      B: 9,
      W: 2,
      G: 1,
      C: 8,
      X: 0,
      V: 9,
      M: 8,
      length: 3,
      groups: 3,
      diversity: 0.4,
      allowed: 1,
      dead: 1,
    },
    "a limit that was taken away": { B: 4, W: 3, G: 2, C: 6, V: 12, M: 12, length: 6, limit: 0, finished: 1 },
    "opennmt, a limit that was taken away": { ...opennmt, node: 1, length: 5, limit: 0, odd: 1 },
    mixed,
    "mixed, other neighbours, rows that are not in the step": { node: 1, ...mixed, B: 19, mixed: 8, spare: 5 },
    "four groups of one beam": {
      B: 8,
      W: 1,
      G: 1,
      C: 5,
      V: 12,
      M: 8,
      length: 2,
      groups: 4,
      diversity: 2,
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
    opennmt: { ...opennmt, length: 4 },
    "opennmt, half of the beams have ended": { ...opennmt, length: 5, odd: 1 },
    "opennmt, the first beams have ended": { ...opennmt, node: 1, length: 5, start: 2, finished: 2 },
    "opennmt, all have ended": { ...opennmt, node: 1, length: 5, finished: 4 },
    "opennmt, most tokens end": { ...opennmt, node: 1, length: 5, X: 6, C: 10, V: 9, finished: 2 },
    "opennmt, the first step": { ...opennmt, node: 1, length: 1, begun: 1 },
    "opennmt, the limit": { ...opennmt, length: 5, limit: 6, odd: 1 },
    "opennmt, length penalty 0.8": { ...opennmt, node: 1, length: 5, odd: 1, penalty: 0.8 },
    "opennmt, coverage": { ...opennmt, node: 1, length: 5, odd: 1, coverage: 0.7 },
    "opennmt, coverage and length penalty": { ...opennmt, length: 5, finished: 3, penalty: 0.6, coverage: 0.7 },
    "opennmt, length penalty 1": { ...opennmt, node: 1, length: 5, finished: 2, penalty: 1 },
    "opennmt, length penalty 8": { ...opennmt, node: 1, length: 9, M: 12, odd: 1, penalty: 8, dead: 3 },
    "opennmt, ties": { ...opennmt, length: 3, steps: 2, odd: 1 },
    "opennmt, fewer tokens than beams": { ...opennmt, node: 1, length: 3, V: 3, C: 5, dead: 2, odd: 1 },
    "opennmt, no token but of those that have ended": { ...opennmt, node: 1, length: 4, allowed: 0, odd: 1 },
    "opennmt, no token": { ...opennmt, node: 1, length: 4, allowed: 0 },
    "opennmt, sentences done": { ...opennmt, node: 1, length: 4, spread: 4, closed: 3, odd: 1 },
    "opennmt, 32 beams": { ...opennmt, B: 5, W: 32, C: 64, V: 96, length: 4, odd: 1, penalty: 0.6 },
    "twice as many hypotheses as beams": {
      B: 9,
      W: 3,
      A: 6,
      G: 2,
      C: 6,
      V: 6,
      M: 8,
      length: 4,
      finished: 5,
      worst: 0.05,
    },
    "twice as many hypotheses as beams, full, early": {
      B: 9,
      W: 3,
      A: 6,
      G: 2,
      C: 6,
      V: 6,
      M: 8,
      length: 4,
      finished: 5,
      worst: 0.05,
      stop: early,
    },
    "twice as many hypotheses as beams, full": {
      node: 1,
      B: 9,
      W: 3,
      A: 6,
      G: 2,
      C: 6,
      V: 6,
      M: 8,
      length: 4,
      finished: 6,
      worst: 1,
      limit: 12,
    },
    "fewer hypotheses than beams": { B: 9, W: 5, A: 2, G: 2, C: 6, V: 9, M: 8, length: 4, finished: 1, worst: 1 },
    "fewer hypotheses than beams, early": {
      node: 1,
      B: 9,
      W: 5,
      A: 2,
      G: 2,
      C: 6,
      V: 9,
      M: 8,
      length: 4,
      finished: 1,
      worst: 1,
      stop: early,
    },
    "32 beams, 100 hypotheses": {
      B: 5,
      W: 32,
      A: 100,
      G: 2,
      C: 64,
      V: 96,
      M: 8,
      length: 4,
      finished: 90,
      worst: 2,
    },
    "three end ids": { B: 40, W: 3, G: 2, C: 12, V: 8, M: 6, length: 3, X: 3 },
    greedy: { B: 5, W: 1, G: 1, C: 1, V: 3, M: 8, length: 3, spread: 3, stop: early },
    "greedy, patient": { B: 5, W: 1, G: 1, C: 1, V: 3, M: 8, length: 3, spread: 3, stop: patient },
    "greedy, two end ids": { B: 9, W: 1, G: 1, C: 1, V: 3, M: 8, length: 3, X: 2, stop: early },
    "an even length": { B: 6, W: 3, G: 2, C: 6, V: 12, M: 9, length: 4 },
    "an odd length": { B: 6, W: 3, G: 2, C: 6, V: 12, M: 9, length: 5 },
    "a first step": { B: 3, W: 3, G: 2, C: 6, V: 20, M: 4, length: 1, begun: 1 },
    "a first step of few tokens": { B: 3, W: 3, G: 2, C: 6, V: 5, M: 4, length: 1, begun: 1, sorted: 1 },
    "no end id": { B: 3, W: 3, G: 2, C: 6, V: 8, M: 6, length: 3, X: 0 },
    "the limit": { B: 4, W: 3, G: 2, C: 6, V: 12, M: 12, length: 9, limit: 10, finished: 1 },
    "one before the limit": { B: 4, W: 3, G: 2, C: 6, V: 12, M: 12, length: 8, limit: 10, finished: 1 },
    "done sentences": { B: 7, W: 3, G: 2, C: 6, V: 9, M: 8, length: 4, spread: 4, closed: 3 },
    "finished in part": { B: 9, W: 3, G: 2, C: 6, V: 6, M: 8, length: 4, start: 2, finished: 2, worst: 0.5 },
    "finished in full": { B: 9, W: 3, G: 2, C: 6, V: 6, M: 8, length: 4, finished: 3, worst: 1 },
    "finished in full, early": { B: 9, W: 3, G: 2, C: 6, V: 6, M: 8, length: 4, finished: 2, worst: 1, stop: early },
    "finished in full, never": {
      node: 1,
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
      node: 1,
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
    "length penalty 0": { node: 1, B: 9, W: 3, G: 2, C: 6, V: 7, M: 8, length: 5, finished: 3, worst: 2, penalty: 0 },
    "length penalty -1": { B: 9, W: 3, G: 2, C: 6, V: 7, M: 8, length: 5, finished: 3, worst: 9, penalty: -1 },
    "length penalty -1, never": {
      node: 1,
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
      begun: 1,
      base: 1e7,
    },
    "one list short of the lanes": { B: 3, W: 3, G: 21, C: 6, V: 200, M: 8, length: 3, faulty: 63, steps: 4 },
    "a list a lane": { B: 3, W: 4, G: 16, C: 8, V: 200, M: 8, length: 3, faulty: 64, steps: 4 },
    "one list over the lanes": { B: 3, W: 5, G: 13, C: 10, V: 200, M: 8, length: 3, faulty: 65, steps: 4 },
    "lanes of two and three lists, ties": { B: 3, W: 5, G: 30, C: 10, V: 90, M: 8, length: 3, steps: 2 },
    "all candidates in one list": { B: 3, W: 4, G: 16, C: 12, X: 2, V: 640, M: 8, length: 1, begun: 1, sorted: 1 },
    "all candidates in the lists of one lane": {
      B: 3,
      W: 2,
      G: 65,
      C: 10,
      X: 4,
      V: 130,
      M: 8,
      length: 1,
      begun: 1,
      sorted: 1,
    },
    "lanes of two lists, groups": {
      B: 6,
      W: 4,
      G: 20,
      C: 13,
      V: 90,
      M: 8,
      length: 3,
      groups: 3,
      diversity: 0.7,
    },
    "greedy, a list a lane": { B: 3, W: 1, G: 64, C: 1, V: 500, M: 8, length: 3, spread: 3, stop: early },
    "greedy, as many lists as fit": { B: 3, W: 1, G: 512, C: 1, V: 2000, M: 8, length: 3, spread: 3, stop: early },
    "fewer tokens than beams": { B: 3, W: 4, G: 2, C: 5, V: 3, M: 6, length: 3, X: 0, dead: 1 },
    "fewer tokens than beams, parts of none": {
      B: 3,
      W: 4,
      G: 4,
      C: 5,
      V: 5,
      M: 6,
      length: 3,
      X: 0,
      dead: 1,
      allowed: 2,
    },
    "fewer tokens than beams at the limit": {
      node: 1,
      B: 3,
      W: 4,
      G: 2,
      C: 5,
      V: 3,
      M: 6,
      length: 3,
      limit: 4,
      dead: 1,
    },
    "one token, which ends": { B: 3, W: 4, G: 1, C: 5, V: 1, M: 6, length: 2, dead: 1 },
    "dead beams beside live ones": { B: 5, W: 4, G: 2, C: 5, V: 9, M: 6, length: 3, dead: 2 },
    "no token": { B: 3, W: 3, G: 2, C: 4, V: 9, M: 6, length: 3, allowed: 0 },
    "no token, some finished": { node: 1, B: 3, W: 3, G: 2, C: 4, V: 9, M: 6, length: 3, allowed: 0, finished: 2 },
    "no token, greedy": { B: 3, W: 1, G: 2, C: 1, V: 9, M: 6, length: 3, allowed: 0, stop: early },
    "as few candidates as it takes": { B: 9, W: 3, G: 2, C: 5, V: 7, M: 6, length: 3, X: 2 },
    "32 beams, 96 end ids": { node: 1, B: 2, W: 32, G: 2, C: 128, V: 200, M: 8, length: 3, X: 96 },
    "97 beams": { B: 2, W: 97, G: 1, C: 98, V: 101, M: 5, length: 3 },
    "a past around the lanes": { B: 6, W: 3, G: 2, C: 6, V: 40, M: 72, length: 62, spread: 6 },
    "a long past": { B: 3, W: 4, G: 2, C: 8, V: 40, M: 700, length: 513, spread: 3, limit: 699 },
    "workgroups past 65535": { B: 65537, W: 1, G: 1, C: 1, V: 4, M: 4, length: 2, spread: 2, closed: 5, stop: early },
  },
  mutants: {
    direct: {
      ...mutants,
      "ties to the larger id": ["ties", (wgsl) => wgsl.replace("a.choice < b.choice", "a.choice > b.choice")],
      "log-probabilities that are not stored": [
        "no end id",
        (wgsl) => wgsl.replace("    scores[PLANE_TOKEN * params.Q + r] = live.log_prob;\n", ""),
      ],
      "log-probabilities that add up": [
        "no end id",
        (wgsl) => wgsl.replace("Candidate(score, log_prob, choice", "Candidate(score, score, choice"),
      ],
      "finished ties before the older": [
        "32 beams, ties with finished ones, faulty parts",
        (wgsl) => wgsl.replace("scores[first + at] >= score", "scores[first + at] > score"),
      ],
      "parts that are summed as they are": ["no end id", (wgsl) => wgsl.replace("* exp(values[part] - peak)", "")],
      "a done flag that is not heeded": [
        "done sentences",
        (wgsl) => wgsl.replace("if (own.open == 0u) { continue; }", ""),
      ],
    },
    shared: {
      ...mutants,
      "ties to the larger id": ["ties", (wgsl) => wgsl.replace("a.choice < b.choice", "a.choice > b.choice")],
      "log-probabilities that are not stored": [
        "parts shorter than C, an empty part",
        (wgsl) => wgsl.replace("      scores[PLANE_TOKEN * params.Q + r] = live.log_prob;\n", ""),
      ],
      "log-probabilities that add up": [
        "parts shorter than C, an empty part",
        (wgsl) => wgsl.replace("Candidate(score, log_prob, choice", "Candidate(score, score, choice"),
      ],
      "finished ties before the older": [
        "32 beams, ties with finished ones, faulty parts",
        (wgsl) => wgsl.replace("scores[first + at] >= score", "scores[first + at] > score"),
      ],
      "parts that are summed as they are": [
        "parts shorter than C, an empty part",
        (wgsl) => wgsl.replace("* exp(peaks[l] - peak)", ""),
      ],
      "a done flag that is not heeded": [
        "done sentences",
        (wgsl) => wgsl.replace("if (s.open == 0u) { continue; }", ""),
      ],
      "lists without heads": [
        "scores that round to ties keep the order of their list",
        (wgsl) => wgsl.replace("diverse = own.diversity_penalty != 0.0", "diverse = true"),
      ],
      "heads that do not move": [
        "parts shorter than C, an empty part",
        (wgsl) => wgsl.replace("      heads[mine.list]++;\n", ""),
      ],
      "a loser that keeps its best": [
        "parts shorter than C, an empty part",
        (wgsl) => wgsl.replace("if (lost) { mine =", "if (rank == 0u) { mine ="),
      ],
      "lists past the lanes that no one looks at": [
        "greedy, as many lists as fit",
        (wgsl) => wgsl.replace(/l \+= LANES(\) \{\n +\/\/ Lists)/, "l += 2u * LANES$1"),
      ],
      "sums past the lanes that no one loads": [
        "all candidates in the lists of one lane",
        (wgsl) => wgsl.replace(/l \+= LANES(\) \{\n +let part)/, "l += 2u * LANES$1"),
      ],
      "a past that ends at the lanes": [
        "a past around the lanes",
        (wgsl) => wgsl.replace("t < length; t += LANES", "t < length; t += 2u * LANES"),
      ],
      "a past that ends early": [
        "parts shorter than C, an empty part",
        (wgsl) => wgsl.replace("t < length; t += LANES", "t + 1u < length; t += LANES"),
      ],
      "ranks that end one short of the beams": [
        "parts shorter than C, an empty part",
        (wgsl) => wgsl.replace("taken == W)", "taken + 1u >= W)"),
      ],
      "one rank too few": ["the limit", (wgsl) => wgsl.replace("rank < W || length", "rank + 1u < W || length")],
      "a tree without its last step": ["a first step", (wgsl) => wgsl.replace("many > 1u;", "many > 2u;")],
    },
  },
  refused: {
    "scores without room for hypotheses": [
      { B: 2, W: 2, A: 3, G: 1, C: 4, V: 8, M: 4, length: 1 },
      (args) => {
        args.scores = f32([5, 4], () => 0);
      },
      /Q must be at least 6 for R=4, B=2 and A=3, got 4/,
    ],
    "sentences with part of a hypothesis": [
      { B: 1, W: 2, G: 1, C: 4, V: 8, M: 4, length: 1 },
      (args) => {
        args.sentences = u32([1, 40], () => 0);
      },
      /Y must be 35 and 3 fields a hypothesis, got 40/,
    ],
    "tables of two planes": [
      { B: 1, W: 2, G: 1, C: 4, V: 8, M: 4, length: 1 },
      (args) => {
        args.indirection = u32([2, 2, 4], () => 0);
      },
      /indirection must be u32\[R,3,M\] with R=2, M=4, got indirection u32\[2,2,4\]/,
    ],
    "scores without log-probabilities": [
      { B: 1, W: 2, G: 1, C: 4, V: 8, M: 4, length: 1 },
      (args) => {
        args.scores = f32([2, 2], () => 0);
      },
      /scores must be f32\[5,Q\] with Q=2, got scores f32\[2,2\]/,
    ],
    "lists that are missing": [
      { B: 1, W: 2, G: 1, C: 4, V: 8, M: 4, length: 1 },
      (args) => {
        args.lists = undefined;
      },
      /lists must be u32\[X\], got nothing/,
    ],
  },
});

const test = suite("beam_step");

// Transformers takes the best max(2, 1 + ends) * W of all candidates, whatever row they are of.
test("the fewest candidates of a row give what all give", () => {
  const sizes: readonly Readonly<Record<string, number>>[] = [
    { B: 3, W: 4, G: 1, V: 12, M: 6, length: 3, X: 3 },
    { B: 3, W: 5, G: 1, V: 14, M: 6, length: 1, X: 6, begun: 1 },
    { B: 6, W: 2, G: 1, V: 12, M: 6, length: 3, X: 2, groups: 3, diversity: 1.5 },
    { B: 4, W: 1, G: 1, V: 9, M: 6, length: 3, X: 1, groups: 2, diversity: 5 },
  ];
  for (const [i, size] of sizes.entries()) {
    const result = (C: number, seed: number): string => {
      const { launch, inputs, outputs } = recordLaunch(beamStep, args({ ...size, C }, randoms(seed)), values(size));
      const oracle = cpu();
      for (const [t, { data }] of inputs) oracle.write(t, data);
      oracle.launch(launch);
      return outputs
        .map((t) => (t.name === "sentences" ? progress(oracle.read(t), sentenceWidth(size.W)) : oracle.read(t)).join())
        .join(";");
    };
    for (let seed = 1; seed < 40; seed++) {
      const least = candidateCount(size.W, size.X, size.W * (size.groups ?? 1));
      assert.is(result(least, seed), result(size.V, seed), `size ${i}, seed ${seed}`);
    }
  }
});

/** All but the number of candidates. */
const progress = (sentences: ArrayLike<number>, width: number): number[] =>
  Array.from(sentences).filter((_, i) => i % width !== SETTING.C);

type State = Readonly<Record<string, TypedArray>>;

/** The state after a step on a device. */
async function stepOn(gpu: Gpu, given: Readonly<Record<string, Filled>>): Promise<State> {
  const { launch, inputs, outputs } = recordLaunch(beamStep, given, values(mixed));
  for (const [t, { data }] of inputs) gpu.write(t, data);
  const prepared = await gpu.prepare({ name: beamStep.name, launches: [launch] });
  const read = await prepared.run({ read: outputs });
  prepared.dispose();
  gpu.memory.free(inputs.map(([t]) => t));
  return Object.fromEntries(outputs.map(({ name }, i) => [name, read[i]]));
}

/** Everything of sentence b, as text. */
function sentenceOf({ rows, scores, sentences, indirection }: State, b: number): string {
  const { M, A } = mixed;
  const { settings, ...progress } = readSentence({ rows, scores, sentences }, b, A);
  const { first, W } = settings;
  const of = (t: TypedArray, width: number): number[] => [...t.subarray(first * width, (first + W) * width)];
  return JSON.stringify([settings, progress, of(rows, ROW_FIELDS), of(indirection, TABLES * M)]);
}

const DEVICES = { "on a CPU": device, "in variants for GPUs": () => openGpu({ adapter: "gpu", guard: true }) };

for (const [where, open] of Object.entries(DEVICES)) {
  test(`a sentence alone, in rows of its own, is what it is among others, ${where}`, async () => {
    const gpu = await open();
    const whole = await stepOn(gpu, args(mixed, randoms(3)));
    for (let b = 0; b < mixed.B; b++) {
      const alone = args({ ...mixed, only: b }, randoms(3));
      const [first, W] = [SETTING.first, SETTING.W].map((field) => whole.sentences[b * sentenceWidth(mixed.A) + field]);
      const prefix = (t: Filled): Filled => {
        const width = t.data.length / t.shape[0];
        return { ...t, shape: [first + W, ...t.shape.slice(1)], data: t.data.slice(0, (first + W) * width) };
      };
      const { values, indices, rows, indirection } = alone;
      const few = { values, indices, rows, indirection };
      const cut = W ? Object.fromEntries(Object.entries(few).map(([name, t]) => [name, prefix(t)])) : {};
      const left = await stepOn(gpu, { ...alone, ...cut });
      const group = whole.sentences[b * sentenceWidth(mixed.A) + SETTING.group];
      if (group === 0) assert.is(sentenceOf(left, b), sentenceOf(whole, b), `sentence ${b}`);
    }
  });
}
