/** The values of the option `dtype`. */
export const WEIGHT_FORMATS = ["auto", "f32", "f16", "bf16", "int8", "int4"] as const;

/**
 * Storage of weight matrices: exactly as in the checkpoint ("auto"), converted, or quantised in groups of 32 along the
 * input axis. Vectors are always f32. With int8 and int4, token tables and weights that are tied to them are f16, or
 * bf16 if the checkpoint has them so. Numbers that would become infinite are refused.
 */
export type WeightFormat = (typeof WEIGHT_FORMATS)[number];

/** The values of the option `lm_head_dtype`. */
export const LOGITS_FORMATS = ["int8"] as const;

/**
 * Storage of the matrix that makes logits (`lm_head`): quantised, with a copy of its own where it is tied to the token
 * table, which stays as it is. A step reads all of it, so that half the bytes are half the time there.
 */
export type LogitsFormat = (typeof LOGITS_FORMATS)[number];
