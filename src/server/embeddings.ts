import type { FeatureOptions, Features, TextInput } from "../index.js";
import { FLAG, oneOf, wholeNumber } from "../runtime/checks.js";
import type { Batcher } from "./batcher.js";
import { invalid } from "./errors.js";
import { ANY, type FieldTable, type Fields, readFields, TEXT } from "./fields.js";

/** Vectors of texts of several requests. */
export type Embed = Batcher<TextInput, FeatureOptions, Features>;

const OPTIONS = ["pooling", "normalize", "prompt", "prompt_name", "truncation"];

/** The fields of POST /v1/embeddings. */
export const EMBEDDING_FIELDS: FieldTable = {
  taken: {
    model: TEXT,
    input: ANY,
    encoding_format: oneOf("float", "base64"),
    dimensions: wholeNumber(1),
    user: TEXT,
    ...Object.fromEntries(OPTIONS.map((name) => [name, ANY])),
    normalize: FLAG,
    truncation: FLAG,
  },
  refused: {},
  needed: ["model", "input"],
};

/** Answers POST /v1/embeddings. Rejects with ApiError, and as feature extraction does. */
export async function answerEmbeddings(
  body: unknown,
  embed: Embed,
  most: number,
  signal: AbortSignal,
): Promise<object> {
  const fields = readFields(body, EMBEDDING_FIELDS);
  const texts = textsOf(fields.input, "input", most);
  const found = await embed.run(texts, optionsOf(fields), signal);
  const prompt_tokens = found.reduce((total, { token_ids }) => total + token_ids.length, 0);
  const write = fields.encoding_format === "base64" ? asBase64 : (vector: Float32Array) => Array.from(vector);
  return {
    object: "list",
    model: fields.model,
    data: found.map((one, index) => ({ object: "embedding", index, embedding: write(vectorOf(one)) })),
    usage: { prompt_tokens, total_tokens: prompt_tokens },
  };
}

function optionsOf({ dimensions, ...fields }: Fields): FeatureOptions {
  const own = Object.entries(fields).filter(([name]) => OPTIONS.includes(name));
  return {
    truncation: false,
    ...Object.fromEntries(own),
    ...(dimensions !== undefined && { truncate_dim: dimensions as number }),
  };
}

/** The vector of a text. Throws ApiError where the checkpoint does not say how states become one. */
export function vectorOf({ embedding }: Features): Float32Array {
  if (embedding) return embedding;
  throw invalid(
    "pooling",
    'pooling: must be given, the checkpoint does not say it; pass pooling: "mean"',
    "missing_parameter",
  );
}

/** The texts of a field. Throws ApiError. */
export function textsOf(given: unknown, name: string, most: number): readonly string[] {
  const list: readonly unknown[] = Array.isArray(given) ? given : [given];
  if (list.some((one) => typeof one === "number" || Array.isArray(one)))
    throw invalid(name, `${name}: must be texts, got token ids; give the texts themselves`);
  if (list.length === 0 || !list.every((one): one is string => typeof one === "string"))
    throw invalid(name, `${name}: must be a text or a list of texts`);
  if (list.length > most) throw invalid(name, `${name}: must be at most ${most} texts here, got ${list.length}`);
  return list;
}

/** Numbers as little-endian f32 in base64. */
function asBase64(vector: Float32Array): string {
  const bytes = new DataView(new ArrayBuffer(4 * vector.length));
  vector.forEach((value, at) => bytes.setFloat32(4 * at, value, true));
  return btoa(Array.from(new Uint8Array(bytes.buffer), (byte) => String.fromCharCode(byte)).join(""));
}
