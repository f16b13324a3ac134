import type { Dims } from "../runtime/kernel.js";
import { chunkOf } from "./chunks.js";

/** Constants of a shader that gives each row LANES invocations, which hold at most CHUNKS chunks of its D numbers each. */
export const lanes = (LANES: number, { D }: Dims): Dims => ({ LANES, CHUNKS: Math.ceil(D / chunkOf(D) / LANES) });

/** The same where short rows share a workgroup, ROWS of them. */
export const manyRows = (LANES: number, d: Dims): Dims => ({ ...lanes(LANES, d), ROWS: Math.max(1, 64 / LANES) });

/** Invocations that suit a row: each holds about four chunks. */
export const span = ({ D }: Dims): number => Math.min(256, 2 ** Math.max(2, Math.ceil(Math.log2(D / 4 / chunkOf(D)))));
