import type { Rotary } from "./architecture.js";

/** The argument `rotary` f32[M,E]: for each position the cosines, then the sines, of its E/2 angles. */
export function rotaryTable({ frequencies }: Rotary, M: number, E: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: M * E }, (_, index) => {
    const [position, e] = [Math.floor(index / E), index % E];
    const angle = position * (frequencies[e % (E / 2)] ?? 0);
    return e < E / 2 ? Math.cos(angle) : Math.sin(angle);
  });
}

/** The constant INTERLEAVED of `rope` and `attention_step`. */
export const interleaving = (rotary: Rotary | undefined): number => Number(rotary?.interleaved ?? false);

/** The name of the table of rotations in an encoder, f32[P,E]. */
export const ENCODER_ROTARY = "encoder.rotary";

/** Frequencies of plain rotary positions: theta^(-2i/E) (Su et al. 2021, arXiv:2104.09864, eq. 15). */
export function plainFrequencies(E: number, theta: number): number[] {
  return Array.from({ length: E / 2 }, (_, i) => theta ** ((-2 * i) / E));
}

/**
 * Frequencies of Llama 3.1: long wavelengths are stretched by `factor`, short ones are kept, and those between are
 * blended. Source: Transformers, modeling_rope_utils.py, _compute_llama3_parameters.
 */
export function llama3Frequencies(
  plain: readonly number[],
  factor: number,
  low: number,
  high: number,
  original: number,
): number[] {
  return plain.map((frequency) => {
    const turns = (original * frequency) / (2 * Math.PI); // full turns within the original context
    if (turns < low) return frequency / factor;
    if (turns > high) return frequency;
    const smooth = (turns - low) / (high - low);
    return ((1 - smooth) * frequency) / factor + smooth * frequency;
  });
}
