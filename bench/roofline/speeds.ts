import { FORMATS, perLoad } from "../../src/kernels/formats.js";
import type { Dims } from "../../src/runtime/kernel.js";
import type { Figures } from "./devices.js";

/** How near a variant comes to the roofs of a device. */
export interface Speed {
  /** The share of the bandwidth, where memory bounds it. */
  memory(d: Dims): number;
  /** The share of the operations, where arithmetic bounds it and the device is full. */
  arithmetic(d: Dims, figures: Figures): number;
  /** Loads of an invocation of which each waits for the last. */
  waits(d: Dims, figures: Figures): number;
  /** Invocations of a workgroup; 64 when absent. */
  lanes?(d: Dims): number;
  /** Why. */
  readonly why: string;
}

/**
 * Instructions that convert a weight, and for each row that multiply it, of the hot loop as AMD's compiler makes it for
 * RDNA3: 1.7, 1.5, 2.4, 4.2 and 3.4 at one row. Intel's takes 2.4, 3.8, 2.8, 3.8 and 4.1 for Xe2. Mesa's for Apple and
 * NVIDIA check bounds in many more, which the vendors' own may not: memory is the bound even so.
 */
const INSTRUCTIONS: Readonly<Record<(typeof FORMATS)[number], readonly [convert: number, row: number]>> = {
  f32: [0.5, 1.2],
  f16: [0.3, 1.2],
  bf16: [1.2, 1.2],
  i8: [3, 1.2],
  i4: [2.2, 1.2],
};

const formatOf = ({ WEIGHT_FORMAT }: Dims): (typeof FORMATS)[number] => FORMATS[WEIGHT_FORMAT];

/** The share of operations of a product of few rows: of its instructions, those that multiply and add. */
function rowShare(d: Dims): number {
  const [convert, row] = INSTRUCTIONS[formatOf(d)];
  const rows = Math.min(d.N, d.ROWS);
  return rows / (convert + row * rows);
}

/**
 * The share of the bandwidth: the more work a byte is, the less of it hides behind the loads. More rows than a tile has
 * read the weights again.
 */
const rowMemory = (d: Dims): number =>
  ({ f32: 0.8, f16: 0.78, bf16: 0.77, i8: 0.74, i4: 0.7 })[formatOf(d)] / Math.ceil(d.N / d.ROWS);

/**
 * The turns of a loop over a row of weights, 16 bytes at a time by each of `lanes`, and loads before and after it. Those
 * of a norm find their rows in a cache, several at a time.
 */
const turns = (d: Dims, lanes: number): number =>
  Math.ceil(d.I / perLoad(d) / lanes) + 2 + (d.NORM ? Math.ceil(d.I / 4 / lanes / 4) + 1 : 0);

/** The share of a tile that is not empty. */
const used = (size: number, tile: number): number => size / (Math.ceil(size / tile) * tile);
const tileUse = ({ N, J, O, DOWN, ACROSS, FOURS }: Dims): number =>
  used(N, 4 * DOWN * FOURS) * used(J * O, 4 * ACROSS * FOURS);

/** What the vendors' workgroup memories let through: bytes a lane and clock, in proportion to NVIDIA's. */
const MEMORY: Readonly<Record<string, number>> = { amd: 1.1, intel: 0.8 };

/** The share of operations of a product of many rows. */
const tileShare = (d: Dims, { class: { vendor } }: Figures): number =>
  (d.FOURS === 2 ? 0.6 : 0.42) * (MEMORY[vendor] ?? 1) * tileUse(d);

/** Of a product on matrix units, which are faster than the lanes: as fast as these, of tiles of 16. */
const tileUse16 = ({ N, J, O }: Dims): number => used(N, 16) * used(J * O, 16);
const MATRIX = "matrix units, of whose rate nothing is known: as fast as the lanes at least";

const constant = (value: number) => (): number => value;

/** By the kernel and the variant, or else by the kernel. */
const SPEEDS: Readonly<Record<string, Speed>> = {
  "matmul rows.subgroup": {
    memory: rowMemory,
    arithmetic: rowShare,
    waits: (d, { class: { subgroup } }) => turns(d, subgroup || 32),
    why: "each weight once, 4 loads of 16 bytes in flight; few operations a weight",
  },
  "matmul rows.shared": {
    memory: rowMemory,
    arithmetic: rowShare,
    waits: (d) => turns(d, d.LANES) + 2,
    lanes: ({ LANES, SETS }) => LANES * SETS,
    why: "as rows.subgroup, with sums through workgroup memory",
  },
  "matmul shared": {
    memory: constant(0.8),
    arithmetic: tileShare,
    waits: ({ I, SPLIT }) => Math.ceil(I / 16 / SPLIT),
    lanes: ({ DOWN, ACROSS, SPLIT }) => DOWN * ACROSS * SPLIT,
    why: "4 x 4 sums an invocation: 256 multiply-adds, 82 others, 32 loads of 16 bytes from workgroup memory for 16 inputs, and these loads take as long as the multiply-adds (AMD) or twice (NVIDIA); 8 x 8: half the loads",
  },
  "matmul matrix.f16": { memory: constant(0.8), arithmetic: tileUse16, waits: constant(4), why: MATRIX },
  "matmul matrix.f32": { memory: constant(0.8), arithmetic: tileUse16, waits: constant(4), why: MATRIX },
  "matmul cpu": { memory: constant(0.8), arithmetic: constant(0.5), waits: constant(0), why: "measured on lavapipe" },
  "matmul direct": {
    memory: constant(0.8),
    arithmetic: constant(0.18),
    waits: constant(0),
    why: "measured on lavapipe",
  },
  "matmul rows.direct": {
    memory: constant(0.6),
    arithmetic: constant(0.2),
    waits: constant(0),
    why: "measured on lavapipe",
  },
  "attention shared": {
    memory: constant(0.8),
    arithmetic: ({ DEEP }, { class: { vendor } }) =>
      (DEEP === 4 ? 0.42 : DEEP === 2 ? 0.36 : 0.28) * (MEMORY[vendor] ?? 1),
    waits: ({ S, U = S, B }) => (2 * U) / B / 32,
    why: "four by four scores an invocation: 2048 multiply-adds, 1305 others and 255 loads from workgroup memory for 32 keys; one row where sentences are short: 512, 636 and 200",
  },
  "attention_step shared": {
    memory: constant(0.75),
    arithmetic: constant(0.3),
    waits: ({ M, E, Y, WIDTH, STEP }) => {
      const blocks = Y === E ? Math.max(1, M / 2 / 64) : 1; // of 64 keys; a workgroup each where they are split
      return 6 + blocks * (1 + WIDTH / STEP + Math.ceil(64 / (8 * Math.floor(64 / WIDTH))));
    },
    why: "8 loads of keys and 8 of values in flight; a workgroup a head of a row, or of each 64 keys of long pasts",
  },
  attention_merge: {
    memory: constant(0.6),
    arithmetic: constant(0.2),
    waits: ({ E, Y }) => 3 + Y / (E + 8) / 2,
    why: "a loop over the parts of a head: the half of them, on average, that there is",
  },
  sample_parts: {
    memory: constant(0.5),
    arithmetic: constant(0.3),
    waits: ({ X }) => (X > 0 ? 10 : 4),
    why: "a workgroup sorts 512 logits, in 45 steps of workgroup memory",
  },
  sample: {
    memory: constant(0.5),
    arithmetic: constant(0.3),
    waits: ({ X }) => 6 + (X > 0 ? 42 : 0), // one threshold
    lanes: ({ LANES }) => LANES,
    why: "a workgroup a row: 31 steps to a threshold, each a load and a sum",
  },
  topk: {
    memory: constant(0.6),
    arithmetic: constant(0.3),
    waits: ({ V, G, C }) => Math.ceil(V / G / 1024) * Math.max(1, C) + C,
    why: "G workgroups a row, 4 loads in flight; a round of the workgroup for each candidate",
  },
  beam_step: {
    memory: constant(0.3),
    arithmetic: constant(0.1),
    waits: constant(24),
    why: "a workgroup a sentence, in steps",
  },
  logits_process: {
    memory: constant(0.4),
    arithmetic: constant(0.2),
    waits: ({ V }) => V / 512,
    why: "a workgroup a row",
  },
  embed: {
    memory: constant(0.7),
    arithmetic: constant(0.3),
    waits: constant(6),
    why: "all of a row in flight, a workgroup a row",
  },
  layernorm_residual: {
    memory: constant(0.85),
    arithmetic: constant(0.4),
    waits: constant(5),
    why: "one pass, sums in between",
  },
  rope: { memory: constant(0.8), arithmetic: constant(0.3), waits: constant(4), why: "each number once" },
};

const OTHER: Speed = { memory: constant(0.6), arithmetic: constant(0.25), waits: constant(8), why: "not looked at" };

/** How near a variant of a kernel comes to the roofs. */
export const speedOf = (kernel: string, variant: string): Speed =>
  SPEEDS[`${kernel} ${variant}`] ?? SPEEDS[kernel] ?? OTHER;
