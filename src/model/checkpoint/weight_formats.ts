/** The values of the option `dtype`. */
export const WEIGHT_FORMATS = ["auto", "f32", "f16", "bf16", "int8", "int4"] as const;

/**
 * Storage of weight matrices: exactly as in the checkpoint ("auto"), converted, or quantised in groups of 32 along the
 * input axis. Vectors are always f32. With int8 and int4, token tables and weights that are tied to them are f16, or
 * bf16 if the checkpoint has them so. Numbers that would become infinite are refused.
 */
export type WeightFormat = (typeof WEIGHT_FORMATS)[number];
