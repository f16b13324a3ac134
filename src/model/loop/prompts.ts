import { NO_ID } from "../../kernels/constants.js";
import { ROW_FIELDS } from "../../kernels/search_state.js";
import { type Plan, record } from "../../runtime/plan.js";
import type { Prepared } from "../../runtime/prepare.js";
import { prefix, type Tensor, tensor } from "../../runtime/tensor.js";
import type { DecoderCore } from "../core.js";
import type { DecoderModel } from "../graph/architecture.js";
import { decoderPrompt } from "../graph/decoder.js";
import type { PoolTensors } from "./pool.js";
import { createPreparedPlans } from "./prepared_plans.js";

/** Most rows of a prompt plan, which bounds the memory of its activations. */
export const CHUNK = 2048;

const PLANS = 16; // numbers of rows whose plans stay prepared

/** Tokens of a prompt that follow those that were read before. */
export interface PromptPiece {
  readonly ids: readonly number[];
  /** The slots of all its tokens up to the last of these. */
  readonly slots: readonly number[];
  /** First row and number of rows of its source. */
  readonly source?: readonly [first: number, count: number];
}

/** What prompts are read from and into. */
export interface PromptMemory {
  readonly pool: PoolTensors;
  /** Keys and values of the sources for each layer. */
  readonly cross?: readonly Tensor[];
  /** f32[N,D]: what ids from V on stand for. */
  readonly vectors?: Tensor;
}

/** The inputs of a prompt plan: B pieces at a time, with U tokens in all of their pasts. */
export interface PromptTensors {
  readonly rows: Tensor;
  readonly spans: Tensor;
  readonly slots: Tensor;
  readonly crossSpans: Tensor;
}

/** Reads prompts into the slots of a pool. */
export interface PromptReader {
  /**
   * Writes pieces of up to B prompts, together at most CHUNK tokens, and resolves with the plan that reads them: to be run
   * before the next ones are written.
   */
  load(pieces: readonly PromptPiece[]): Promise<Prepared>;
  /** Frees its memory. */
  dispose(): void;
}

/** How many prompts are read together at most, and the most tokens of all their pasts. */
export type PromptSizes = Readonly<Record<"B" | "U", number>>;

/** The inputs of the prompt plans. */
export function promptTensors({ B, U }: PromptSizes): PromptTensors {
  return {
    rows: tensor("prompt_rows", "u32", [Math.min(CHUNK, U), ROW_FIELDS]),
    spans: tensor("prompt_spans", "u32", [B, 2]),
    slots: tensor("prompt_slots", "u32", [U]),
    crossSpans: tensor("prompt_sources", "u32", [B, 2]),
  };
}

/** The decoder over N packed rows of prompts. */
export function promptPlan(
  model: DecoderModel,
  { pool, cross, vectors }: PromptMemory,
  { rows, spans, slots, crossSpans }: PromptTensors,
  N: number,
): Plan {
  return record("prompt", (run) => {
    decoderPrompt(run, model, {
      rows: prefix(rows, [N, ROW_FIELDS]),
      past: pool.past,
      spans,
      slots,
      cross: cross && { kv: cross, spans: crossSpans },
      vectors,
    });
  });
}

/** A reader of prompts into this memory. */
export function createPromptReader(core: DecoderCore, memory: PromptMemory, sizes: PromptSizes): PromptReader {
  const { gpu } = core;
  const held = promptTensors(sizes);
  const plans = createPreparedPlans(gpu, PLANS);
  const most = held.rows.shape[0];
  return {
    async load(pieces) {
      const rows = packPieces(pieces);
      const N = Math.min(most, roundRows(rows.length / ROW_FIELDS));
      const prepared = await plans.get(String(N), () => promptPlan(core, memory, held, N));
      let at = 0;
      const spans = pieces.flatMap(({ slots: { length } }) => [(at += length) - length, length]);
      gpu.write(held.rows, padRows(rows, N));
      gpu.write(held.spans, Uint32Array.from(spans));
      gpu.write(held.slots, Uint32Array.from(pieces.flatMap(({ slots }) => slots)));
      if (memory.cross) gpu.write(held.crossSpans, Uint32Array.from(pieces.flatMap(({ source = [0, 0] }) => source)));
      return prepared;
    },
    dispose() {
      plans.dispose();
      gpu.memory.free(Object.values(held));
    },
  };
}

/** The rows of pieces: (id, position, number of the piece, slot). */
function packPieces(pieces: readonly PromptPiece[]): Uint32Array<ArrayBuffer> {
  return Uint32Array.from(
    pieces.flatMap(({ ids, slots }, piece) => {
      const from = slots.length - ids.length;
      return ids.flatMap((id, i) => [id, from + i, piece, slots[from + i]]);
    }),
  );
}

/** Rows up to the number N; those that are added belong to no prompt. */
export function padRows(rows: Uint32Array<ArrayBuffer>, N: number): Uint32Array<ArrayBuffer> {
  const all = new Uint32Array(ROW_FIELDS * N);
  for (let at = rows.length; at < all.length; at += ROW_FIELDS) all[at + 2] = NO_ID;
  all.set(rows);
  return all;
}

/** Numbers of rows for which there are plans: all up to 8, then steps of an eighth, so that calls share them. */
export function roundRows(N: number): number {
  const step = Math.max(1, 2 ** Math.floor(Math.log2(N)) / 8);
  return Math.ceil(N / step) * step;
}
