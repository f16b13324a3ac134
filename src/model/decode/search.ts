import { beamStep, logitsProcess, sample, topk } from "../../kernels/index.js";
import { packRules } from "../../kernels/logits_process.js";
import { NO_ID } from "../../kernels/constants.js";
import type { Prepared } from "../../runtime/prepare.js";
import { record } from "../../runtime/plan.js";
import { type Tensor, tensor } from "../../runtime/tensor.js";
import type { DecoderCore } from "../core.js";
import { decoderStep } from "../graph/decoder.js";
import type { SentenceReport } from "./reports.js";
import { type Generation, hasRules } from "./options.js";
import { type Capacity, createSession, type Session } from "./cache.js";

/** One beam before a step: the token it feeds next, and which row holds each token before it. */
export interface BeamStart {
  readonly id: number;
  readonly score: number;
  readonly past: readonly number[];
}

/** A sentence before a step. */
export interface SentenceStart {
  /** Tokens so far, of the prompt, and at most. */
  readonly length: number;
  readonly prompt: number;
  readonly limit: number;
  /** Tokens before the one that is fed next, of each beam. */
  readonly tokens: readonly (readonly number[])[];
  readonly beams: readonly BeamStart[];
  readonly finished: SentenceReport["finished"];
  /** Padding that the caller put before the prompt. */
  readonly pads: readonly number[];
}

/** A session with the whole decoding loop on the device: sentences of W beams, `samples` of them a prompt. */
export interface Search {
  readonly session: Session;
  readonly step: Prepared;
  /** Scores f32[R,V] and the launch that chooses by them, when a logits_processor changes them on the host in between. */
  readonly scoring: { readonly logits: Tensor; readonly chooses: number } | undefined;
  /** What the host reads after each step, in this order. */
  readonly report: readonly [rows: Tensor, scores: Tensor, sentences: Tensor, status: Tensor];
  /** Writes the state before a step, and the seed to draw from. */
  start(sentences: readonly SentenceStart[], seed?: number): void;
  dispose(): void;
}

/**
 * Parts of the vocabulary that `topk` scans side by side: enough for one sentence to fill the lanes of a CPU adapter or the cores of
 * a GPU, few because `beam_step` merges them. Not by the number of sentences: the sums of a row must not depend on its batch.
 */
function partsOf(software: boolean, W: number, V: number, C: number): number {
  return Math.max(1, Math.min(Math.floor((software ? 16 : 64) / W), Math.floor(V / Math.max(512, 4 * C))));
}

export async function createSearch(core: DecoderCore, capacity: Capacity, g: Generation): Promise<Search> {
  const { gpu, architecture: a } = core;
  const { B, n, W, M } = capacity;
  const fan = n * W;
  const R = B * fan;
  const session = createSession(core, capacity);
  const { rows, indirection } = session;
  const lists = packRules({ end: g.end, suppress: g.suppress, begin_suppress: g.begin_suppress, banned: g.banned });
  const state = {
    scores: tensor("scores", "f32", [4, R]),
    sentences: tensor("sentences", "u32", [R / W, 4 + 3 * W]),
    status: tensor("status", "u32", [2]),
    end_ids: tensor("end_ids", "u32", [g.end.length]),
    rules: tensor("rules", "u32", [lists.length]),
    history: tensor("history", "u32", [M, R]),
    leads: tensor("leads", "u32", [R / W, 2]),
  };
  const { scores, sentences, status, end_ids, rules, history, leads } = state;
  const ruled = hasRules(g);
  const hostLogits = g.logits_processor && tensor("logits", "f32", [R, a.V]);
  // Each beam offers what all its group may take, and as many again as penalties may put behind them.
  const C = g.beams === 1 ? 1 : Math.max(2, 1 + g.end.length) * W + g.beams - W;
  const plan = record(
    "step",
    (run) => {
      const logits = decoderStep(run, core, {
        rows,
        past: session.cache,
        indirection,
        cross: session.cross,
        logits: hostLogits,
      });
      if (ruled) {
        run(
          logitsProcess,
          "logits_process",
          { rows, indirection, sentences, rules, leads, history, logits },
          {
            no_repeat_ngram_size: g.no_repeat_ngram_size,
            min_new_tokens: g.min_new_tokens,
            repetition_penalty: g.repetition_penalty,
            presence_penalty: g.presence_penalty,
            forced_bos: g.forced_bos ?? NO_ID,
            forced_eos: g.forced_eos ?? NO_ID,
            begin: g.forced_bos === undefined ? 0 : 1,
            LOG_SOFTMAX: Number(g.beams > 1),
          },
        );
      }
      const { values, indices } = g.sampling
        ? run(sample, "sample", { rows, logits }, g.sampling)
        : run(topk, "topk", { logits }, { G: partsOf(gpu.info.software, W, a.V, C), C });
      const LOG_PROBS = Number(ruled && g.beams > 1 && !g.renormalize);
      const { early_stopping, length_penalty, groups, diversity_penalty } = g;
      for (let group = 0; group < groups; group++) {
        run(
          beamStep,
          "beam_step",
          { values, indices, end_ids, rows, scores, sentences, indirection, status },
          { W, V: a.V, early_stopping, length_penalty, groups, group, diversity_penalty, LOG_PROBS },
        );
      }
    },
    { status },
  );
  const step = await gpu.prepare(plan);
  const chooses = plan.launches.findIndex(({ label }) => label === "topk" || label === "sample");
  return {
    session,
    step,
    scoring: hostLogits && { logits: hostLogits, chooses },
    report: [rows, scores, sentences, status],
    start(starts, seed) {
      if (seed !== undefined) step.set(chooses, { seed });
      const beams = starts.flatMap(({ beams }) => beams);
      const finished = (field: "score" | "logProb") =>
        starts.flatMap((start) => Array.from({ length: W }, (_, i) => start.finished[i]?.[field] ?? 0));
      gpu.write(
        rows,
        Uint32Array.from(starts.flatMap((start, b) => start.beams.flatMap(({ id }) => [id, start.length - 1, b, 0]))),
      );
      gpu.write(
        scores,
        Float32Array.from([
          ...beams.map(({ score }) => score),
          ...finished("score"),
          ...beams.map(() => 0),
          ...finished("logProb"),
        ]),
      );
      gpu.write(
        sentences,
        Uint32Array.from(
          starts.flatMap((start) => [
            start.length,
            start.prompt,
            start.limit,
            0,
            ...Array.from({ length: W }, (_, i) => start.finished[i]).flatMap((h) =>
              h ? [h.length, h.parent, h.id] : [0, 0, 0],
            ),
          ]),
        ),
      );
      gpu.write(status, Uint32Array.of(starts.length, 0));
      gpu.write(end_ids, Uint32Array.from(g.end));
      if (starts.some(({ length }) => length > 1)) {
        const table = new Uint32Array(2 * R * M);
        starts.forEach((start, b) =>
          start.beams.forEach(({ past }, w) => table.set(past, (((start.length - 1) % 2) * R + b * W + w) * M)),
        );
        gpu.write(indirection, table);
      }
      if (!ruled) return;
      const slots = new Uint32Array(M * R);
      starts.forEach(({ beams, tokens }) =>
        beams.forEach(({ past }, w) => past.forEach((r, t) => (slots[t * R + r] = tokens[w][t]))),
      );
      gpu.write(history, slots);
      gpu.write(rules, lists);
      gpu.write(leads, Uint32Array.from(starts.flatMap(({ pads }) => [pads.length, pads[0] ?? 0])));
    },
    dispose() {
      step.dispose();
      session.dispose();
      gpu.memory.free([...Object.values(state), ...(hostLogits ? [hostLogits] : [])]);
    },
  };
}

/** A search in use, and how to return it. */
export interface Lease {
  readonly search: Search;
  readonly capacity: Capacity;
  release(): void;
}

export async function lease(core: DecoderCore, capacity: Capacity, g: Generation): Promise<Lease> {
  // What a plan does not depend on: these differ from call to call.
  const { returned, pad, start, stop_strings, newTokens, logits_processor, sampling, ...recorded } = g;
  const draws = sampling && { ...sampling, seed: 0 };
  const key = JSON.stringify([capacity, recorded, draws, Boolean(logits_processor)]);
  const search = await core.idle.acquire(key, () => createSearch(core, capacity, g));
  return { search, capacity, release: () => core.idle.release(key, search) };
}
