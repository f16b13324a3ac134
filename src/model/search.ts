import { beamStep, logitsProcess, sample, topk } from "../kernels/index.js";
import { packRules } from "../kernels/logits_process.js";
import { NO_ID } from "../kernels/topk.js";
import type { Prepared } from "../runtime/gpu.js";
import { record } from "../runtime/plan.js";
import { type Tensor, tensor } from "../runtime/tensor.js";
import type { Core } from "./core.js";
import { decoderStep } from "./decoder.js";
import { type Generation, hasRules } from "./options.js";
import { type Capacity, createSession, type Session } from "./session.js";

type Sentences = readonly (readonly number[])[];

/** A session with the whole decoding loop on the device: sentences of W beams, `samples` of them a prompt. */
export interface Search {
  readonly session: Session;
  readonly step: Prepared;
  /** Scores f32[R,V] and the launch that chooses by them, when a logits_processor changes them on the host in between. */
  readonly scoring: { readonly logits: Tensor; readonly chooses: number } | undefined;
  /** What the host reads after each step, in this order. */
  readonly report: readonly [rows: Tensor, scores: Tensor, sentences: Tensor, status: Tensor];
  /** Writes the state before the first step, which feeds the last token of each prompt. `pads` stand before it for the rules. */
  reset(prompts: Sentences, pads?: Sentences): void;
  dispose(): void;
}

/** Parts of the vocabulary that `topk` scans side by side: enough to fill the cores, long enough to hold the candidates. */
function partsOf(R: number, W: number, V: number, C: number): number {
  return Math.max(1, Math.min(Math.floor(512 / R), Math.floor(512 / W), Math.floor(V / (4 * C))));
}

export async function createSearch(core: Core, capacity: Capacity, g: Generation): Promise<Search> {
  const { gpu, a, w } = core;
  const { B, n, W, M } = capacity;
  const fan = n * W;
  const R = B * fan;
  const session = createSession(core, capacity);
  const { rows, indirection } = session;
  const lists = packRules({ end: g.end, suppress: g.suppress, begin_suppress: g.begin_suppress, banned: g.banned });
  const state = {
    scores: tensor("scores", "f32", [4, R]), sentences: tensor("sentences", "u32", [R / W, 4 + 3 * W]), status: tensor("status", "u32", [2]),
    end_ids: tensor("end_ids", "u32", [g.end.length]), rules: tensor("rules", "u32", [lists.length]), history: tensor("history", "u32", [M, R]),
    leads: tensor("leads", "u32", [R / W, 2]),
  };
  const { scores, sentences, status, end_ids, rules, history, leads } = state;
  const ruled = hasRules(g);
  const hostLogits = g.logits_processor && tensor("logits", "f32", [R, a.V]);
  const C = W === 1 ? 1 : Math.max(2, 1 + g.end.length) * W;
  const plan = record("step", (run) => {
    const logits = decoderStep(run, a, w, rows, session.cache, indirection, session.cross, hostLogits);
    if (ruled) {
      run(logitsProcess, "logits_process", { rows, indirection, sentences, rules, leads, history, logits }, {
        no_repeat_ngram_size: g.no_repeat_ngram_size, min_new_tokens: g.min_new_tokens,
        repetition_penalty: g.repetition_penalty, presence_penalty: g.presence_penalty, forced_bos: g.forced_bos ?? NO_ID, forced_eos: g.forced_eos ?? NO_ID,
        begin: g.forced_bos === undefined ? 0 : 1, LOG_SOFTMAX: Number(W > 1),
      });
    }
    const { values, indices } = g.sampling
      ? run(sample, "sample", { rows, logits }, g.sampling)
      : run(topk, "topk", { logits }, { G: partsOf(R, W, a.V, C), C });
    const LOG_PROBS = Number(ruled && W > 1 && !g.renormalize);
    const { early_stopping, length_penalty } = g;
    run(beamStep, "beam_step", { values, indices, end_ids, rows, scores, sentences, indirection, status },
      { W, V: a.V, early_stopping, length_penalty, LOG_PROBS });
  }, { status });
  const step = await gpu.prepare(plan);
  const chooses = plan.steps.findIndex(({ label }) => label === "topk" || label === "sample");
  return {
    session, step,
    scoring: hostLogits && { logits: hostLogits, chooses },
    report: [rows, scores, sentences, status],
    reset(prompts, pads) {
      const root = (r: number): number => Math.floor(r / fan);
      const fields = 4 + 3 * W;
      gpu.write(rows, Uint32Array.from(Array.from({ length: R }, (_, r) => {
        const ids = prompts[root(r)];
        return [ids[ids.length - 1], ids.length - 1, Math.floor(r / W), 0];
      }).flat()));
      gpu.write(scores, Float32Array.from({ length: 4 * R }, (_, i) => (i < R && i % W !== 0 ? -1e9 : 0)));
      const table = new Uint32Array((R / W) * fields);
      for (let b = 0; b < R / W; b++) {
        const { length } = prompts[root(b * W)];
        table.set([length, length, length + g.newTokens, 0], b * fields);
      }
      gpu.write(sentences, table);
      gpu.write(status, Uint32Array.of(R / W, 0));
      gpu.write(end_ids, Uint32Array.from(g.end));
      if (ruled) {
        gpu.write(rules, lists);
        gpu.write(leads, Uint32Array.from({ length: 2 * B * n }, (_, i) => {
          const before = pads?.[Math.floor(i / 2 / n)] ?? [];
          return i % 2 ? (before[0] ?? 0) : before.length;
        }));
      }
      if (prompts.some(({ length }) => length > 1)) {
        // Every row's past is its prompt's, which lies in the first row of the fan.
        gpu.write(indirection, Uint32Array.from({ length: 2 * R * M }, (_, i) => root(Math.floor(i / M) % R) * fan));
        if (ruled) gpu.write(history, Uint32Array.from({ length: M * R }, (_, i) => prompts[root(i % R)][Math.floor(i / R)] ?? 0));
      }
    },
    dispose() {
      step.dispose();
      session.dispose();
      gpu.memory.free([...Object.values(state), ...(hostLogits ? [hostLogits] : [])]);
    },
  };
}
