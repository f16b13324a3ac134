import chunk1 from "../../shaders/parts/chunk1.wgsl";
import chunk4 from "../../shaders/parts/chunk4.wgsl";

/** Numbers of a chunk, by which shaders walk along rows: 4 where all these widths are multiples of 4, or else 1. */
export const chunkOf = (...widths: readonly number[]): 4 | 1 => (widths.every((width) => width % 4 === 0) ? 4 : 1);

export { chunk1, chunk4 };

/** The part that says what a chunk is. */
export const chunks = (...widths: readonly number[]): string => (chunkOf(...widths) === 4 ? chunk4 : chunk1);
