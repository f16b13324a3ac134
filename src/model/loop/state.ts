import {
  PLANE,
  ROW_FIELDS,
  SENTENCE,
  sentenceWidth,
  SETTING,
  STATUS_FIELDS,
  TABLES,
} from "../../kernels/search_state.js";
import {
  idleRows,
  idleSentence,
  packBeams,
  packStart,
  packTables,
  type RowSlots,
  type SearchReport,
  type SentenceStart,
} from "../../kernels/search_host.js";
import { elements, type Tensor, type TypedArray } from "../../runtime/tensor.js";
import type { Prepared } from "../../runtime/prepare.js";
import type { DecoderCore } from "../core.js";
import type { LoopSizes } from "./sizes.js";
import { type LoopTensors, loopTensors, ownTensors } from "./tensors.js";
import { createPool, type Pool, slotRuns } from "./pool.js";
import { createPreparedPlans } from "./prepared_plans.js";
import { createPromptReader, type PromptReader } from "./prompts.js";
import { createSourceEncoder, type SourceEncoder } from "./source_keys.js";
import { type StepKind, stepPlan } from "./step_plan.js";
import type { Span } from "./task.js";

const STEPS = 24; // kinds of steps that stay prepared

/** A step that is ready to run. */
export interface PreparedStep {
  readonly prepared: Prepared;
  /** What the host reads after it: `REPORT`, then the lists of candidates that are shown. */
  readonly report: readonly Tensor[];
  /** The index of the launch that chooses tokens by their scores. */
  readonly chooses: number;
}

/** A beam where it goes on: its last token, its score, and the slots of its tokens. */
export interface MovedBeam extends RowSlots {
  readonly id: number;
  readonly score: number;
}

/** The state of a loop on the device, and what changes it. What is written holds for the steps that run after it. */
export interface LoopState {
  readonly sizes: LoopSizes;
  readonly held: LoopTensors;
  readonly pool: Pool;
  readonly reader: PromptReader;
  readonly encoder: SourceEncoder | undefined;
  /** Makes all rows and sentences idle. */
  reset(): void;
  /** Admits neighbouring sentences from number `b` on, whose rows are neighbours too and have these slots. */
  start(b: number, sentences: readonly SentenceStart[], rows: readonly RowSlots[]): void;
  /** Tells `counted` sentences of all that were ever admitted. */
  admit(counted: number): void;
  /** Lets sentence b end in the next step. */
  close(b: number): void;
  /** Moves an open sentence to other rows; its old ones become idle. */
  move(b: number, from: number, first: number, beams: readonly MovedBeam[]): void;
  /** Writes lists of tokens from number `at` on. */
  list(ids: Uint32Array<ArrayBuffer>, at: number): void;
  /** Writes the source of sentences from number `b` on. */
  attend(b: number, spans: readonly (readonly [first: number, count: number])[]): void;
  /** Writes the tokens of slots, which rules see. */
  remember(ids: readonly number[], slots: readonly number[]): void;
  /** A step of this kind. */
  step(kind: StepKind): Promise<PreparedStep>;
  /** What a report would say of each sentence before the next step, as far as it was kept: for steps that are shown. */
  readonly mirror: {
    readonly report: SearchReport;
    /** Keeps what a report says of these rows and sentences. */
    keep(report: SearchReport, rows: Span, sentences: Span): void;
  };
  /** Frees its memory. */
  dispose(): void;
}

/** The state of a loop of these sizes, all of it idle. */
export function createLoopState(core: DecoderCore, sizes: LoopSizes): LoopState {
  const { gpu, architecture } = core;
  const { R, B, M, A, prompts, U, S } = sizes;
  const pool = createPool(core, sizes);
  const held = loopTensors(architecture, sizes, pool);
  const { cross, rows, scores, sentences, status, indirection, attended, heads } = held;
  const Q = scores.shape[1];
  const width = sentenceWidth(A);
  const memory = { pool, cross: cross?.kv, vectors: held.vectors };
  const reader = createPromptReader(core, memory, { B: prompts, U });
  const encoder = cross && createSourceEncoder(core, cross.kv, { B: prompts, S }, sizes.joined);
  const steps = createPreparedPlans(gpu, STEPS);
  const shownBy = new WeakMap<object, readonly Tensor[]>();
  const mirrored: Readonly<Record<keyof SearchReport, TypedArray>> = {
    rows: new Uint32Array(elements(rows)),
    scores: new Float32Array(elements(scores)),
    sentences: new Uint32Array(elements(sentences)),
    status: new Uint32Array(STATUS_FIELDS),
  };
  const write = (name: "rows" | "scores" | "sentences", at: number, data: TypedArray): void => {
    gpu.write(held[name], data, 4 * at);
    data.forEach((value: number, i: number) => (mirrored[name][at + i] = value));
  };
  const copy = (name: keyof SearchReport, from: SearchReport, at: number, count: number): void => {
    for (let i = at; i < at + count; i++) mirrored[name][i] = from[name][i];
  };
  const writeTables = (first: number, list: readonly RowSlots[]): void => {
    const tables = new Uint32Array(list.length * TABLES * M);
    list.forEach((row, i) => tables.set(packTables(row, M), i * TABLES * M));
    gpu.write(indirection, tables, 4 * first * TABLES * M);
  };
  return {
    sizes,
    held,
    pool,
    reader,
    encoder,
    mirror: {
      report: mirrored,
      keep(report, own, { at, count }) {
        copy("rows", report, own.at * ROW_FIELDS, own.count * ROW_FIELDS);
        copy("sentences", report, at * width, count * width);
        for (const plane of [PLANE.running, PLANE.token, PLANE.coverage])
          copy("scores", report, plane * Q + own.at, own.count);
        for (const plane of [PLANE.finished, PLANE.last]) copy("scores", report, plane * Q + at * A, count * A);
      },
    },
    reset() {
      write("rows", 0, idleRows(R));
      const idle = idleSentence(A);
      const all = new Uint32Array(B * width);
      for (let b = 0; b < B; b++) all.set(idle, b * width);
      write("sentences", 0, all);
      write("scores", 0, new Float32Array(elements(scores)));
      gpu.write(status, new Uint32Array(STATUS_FIELDS));
      if (heads) gpu.write(heads, new Uint32Array(1)); // the first head of the last layer, as in OpenNMT
    },
    start(b, list, slots) {
      const { first } = list[0].settings;
      list.forEach((start, i) => {
        for (const { name, at, data } of packStart(start, b + i, { A, Q })) write(name, at, data);
      });
      writeTables(first, slots);
      if (!attended) return;
      const size = 2 * attended.shape[2];
      gpu.write(attended, new Float32Array(slots.length * size), 4 * first * size);
    },
    admit: (counted) => gpu.write(status, Uint32Array.of(counted)),
    close: (b) => gpu.write(sentences, Uint32Array.of(0), 4 * (b * width + SENTENCE.limit)),
    move(b, from, first, beams) {
      const fed = beams.map(({ id, position }) => ({ id, position, sentence: b }));
      write("rows", from * ROW_FIELDS, idleRows(beams.length));
      write("rows", first * ROW_FIELDS, packBeams(fed));
      write(
        "scores",
        PLANE.running * Q + first,
        Float32Array.from(beams, ({ score }) => score),
      );
      write("sentences", b * width + SETTING.first, Uint32Array.of(first));
      writeTables(first, beams);
    },
    list: (ids, at) => gpu.write(held.lists, ids, 4 * at),
    attend(b, spans) {
      if (cross) gpu.write(cross.spans, Uint32Array.from(spans.flat()), 8 * b);
    },
    remember(ids, slots) {
      const numbers = [...ids.keys()];
      for (const [at, from, count] of slotRuns(slots, numbers))
        gpu.write(pool.history, Uint32Array.from(ids.slice(from, from + count)), 4 * at);
    },
    async step(kind) {
      const prepared = await steps.get(JSON.stringify(kind), () => {
        const { plan, shown } = stepPlan(core, held, sizes, kind, gpu.class.adapter);
        shownBy.set(plan, shown);
        return plan;
      });
      const { launches } = prepared.plan;
      return {
        prepared,
        report: [rows, scores, sentences, status, ...(shownBy.get(prepared.plan) ?? [])],
        chooses: launches.findIndex(({ label }) => ["topk", "sample_parts", "sample"].includes(label)),
      };
    },
    dispose() {
      steps.dispose();
      reader.dispose();
      encoder?.dispose();
      pool.dispose();
      gpu.memory.free(ownTensors(held));
    },
  };
}
