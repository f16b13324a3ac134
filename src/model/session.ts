import { packRules } from "../kernels/logits_process.js";
import { beamStep, logitsProcess, topk } from "../kernels/index.js";
import { NO_ID } from "../kernels/topk.js";
import type { Prepared } from "../runtime/gpu.js";
import { type Plan, record } from "../runtime/plan.js";
import { prefix, type Tensor, tensor } from "../runtime/tensor.js";
import type { Core } from "./core.js";
import { decoderStep, type DecoderState, sourceKeys } from "./decoder.js";
import { encoder } from "./encoder.js";
import { packRows, packSpans } from "./inputs.js";
import { type Generation, hasRules } from "./options.js";

/** Sizes of a session: B sentences of W beams, M cache slots a row, S packed source rows. */
export interface Capacity {
  readonly B: number;
  readonly W: number;
  readonly M: number;
  readonly S: number;
}

/** Device memory of B sentences being decoded: the source's keys, the caches, and who descends from whom. */
export interface Session {
  readonly state: DecoderState;
  /** Runs the encoder on packed sources and stores their keys and values for every decoder layer; returns the plan it ran. */
  encode(sources: readonly (readonly number[])[]): Promise<Plan>;
  dispose(): void;
}

const ENCODE_PLANS = 16; // shapes of the source kept prepared

export function createSession({ gpu, a, w }: Core, { B, W, M, S }: Capacity): Session {
  const R = B * W;
  const perLayer = (name: string, shape: number[]): Tensor[] =>
    Array.from({ length: a.decoder.layers }, (_, l) => tensor(`decoder.layers.${l}.${name}`, "f32", shape));
  const state: DecoderState = {
    rows: tensor("rows", "u32", [R, 4]),
    spans: tensor("spans", "u32", [B, 2]),
    indirection: tensor("indirection", "u32", [2, R, M]),
    sourceKeys: perLayer("source_keys", [S, 2 * a.D]),
    caches: perLayer("cache", [R, M, 2 * a.D]),
  };
  const sourceRows = tensor("source_rows", "u32", [S, 4]);
  const plans = new Map<number, Prepared>();
  const encodePlan = async (N: number): Promise<Prepared> => {
    const known = plans.get(N);
    if (known) return known;
    const plan = record("encode", (run) => {
      const encoded = encoder(run, a, w, prefix(sourceRows, [N, 4]), state.spans);
      sourceKeys(run, a, w, encoded, state.sourceKeys.map((kv) => prefix(kv, [N, 2 * a.D])));
    });
    const prepared = await gpu.prepare(plan);
    const oldest = plans.keys().next();
    if (plans.size >= ENCODE_PLANS && !oldest.done) {
      plans.get(oldest.value)?.dispose();
      plans.delete(oldest.value);
    }
    plans.set(N, prepared);
    return prepared;
  };
  return {
    state,
    async encode(sources) {
      const prepared = await encodePlan(sources.reduce((sum, { length }) => sum + length, 0));
      gpu.write(sourceRows, packRows(sources));
      gpu.write(state.spans, packSpans(sources));
      await prepared.run();
      return prepared.plan;
    },
    dispose() {
      for (const prepared of plans.values()) prepared.dispose();
      gpu.memory.free([state.rows, state.spans, state.indirection, ...state.sourceKeys, ...state.caches, sourceRows]);
    },
  };
}

/** A session with the whole decoding loop on the device. */
export interface BeamSession {
  readonly session: Session;
  readonly step: Prepared;
  /** What the host reads after each step, in this order. */
  readonly report: readonly [rows: Tensor, scores: Tensor, sentences: Tensor, status: Tensor];
  /** Writes the state before the first step. */
  reset(): void;
  dispose(): void;
}

/** Parts of the vocabulary that `topk` scans side by side: enough to fill the cores, long enough to hold the candidates. */
function partsOf(R: number, W: number, V: number, C: number): number {
  return Math.max(1, Math.min(Math.floor(512 / R), Math.floor(512 / W), Math.floor(V / (4 * C))));
}

export async function createBeamSession(core: Core, capacity: Capacity, g: Generation): Promise<BeamSession> {
  const { gpu, a, w } = core;
  const { B, W, M } = capacity;
  const R = B * W;
  const session = createSession(core, capacity);
  const { rows, indirection } = session.state;
  const scores = tensor("scores", "f32", [2, R]);
  const sentences = tensor("sentences", "u32", [B, 4 + 3 * W]);
  const status = tensor("status", "u32", [2]);
  const end = Uint32Array.from(g.end);
  const end_ids = tensor("end_ids", "u32", [end.length]);
  const ruled = hasRules(g);
  const lists = packRules({ end: g.end, suppress: g.suppress, begin_suppress: g.begin_suppress, banned: g.banned });
  const rules = tensor("rules", "u32", [lists.length]);
  const history = tensor("history", "u32", [M, R]);
  const C = W === 1 ? 1 : Math.max(2, 1 + g.end.length) * W;
  const plan = record("step", (run) => {
    const logits = decoderStep(run, a, w, session.state);
    if (ruled) {
      run(logitsProcess, "logits_process", { rows, indirection, sentences, rules, history, logits }, {
        no_repeat_ngram_size: g.no_repeat_ngram_size, min_length: g.min_length, min_new_tokens: g.min_new_tokens,
        repetition_penalty: g.repetition_penalty, forced_bos: g.forced_bos ?? NO_ID, forced_eos: g.forced_eos ?? NO_ID,
        begin: g.forced_bos === undefined ? 0 : 1, LOG_SOFTMAX: Number(W > 1),
      });
    }
    const { values, indices } = run(topk, "topk", { logits }, { G: partsOf(R, W, a.V, C), C });
    const LOG_PROBS = Number(ruled && W > 1 && !g.renormalize);
    const { early_stopping, length_penalty } = g;
    run(beamStep, "beam_step", { values, indices, end_ids, rows, scores, sentences, indirection, status },
      { W, V: a.V, early_stopping, length_penalty, LOG_PROBS });
  }, { status });
  const step = await gpu.prepare(plan);
  return {
    session, step,
    report: [rows, scores, sentences, status],
    reset() {
      gpu.write(rows, Uint32Array.from({ length: 4 * R }, (_, i) => [g.start, 0, Math.floor(i / 4 / W), 0][i % 4]));
      gpu.write(scores, Float32Array.from({ length: 2 * R }, (_, i) => (i < R && i % W !== 0 ? -1e9 : 0)));
      gpu.write(sentences, Uint32Array.from({ length: B * (4 + 3 * W) }, (_, i) => [1, 1, 1 + g.newTokens, 0][i % (4 + 3 * W)] ?? 0));
      gpu.write(status, Uint32Array.of(B, 0));
      gpu.write(end_ids, end);
      if (ruled) gpu.write(rules, lists);
    },
    dispose() {
      step.dispose();
      session.dispose();
      gpu.memory.free([scores, sentences, status, end_ids, rules, history]);
    },
  };
}
