import { POOLING, type Pooling } from "../../kernels/pooling.js";
import { oneOf, wholeNumber } from "../../runtime/checks.js";
import { CheckpointError, InputError, OptionError, show } from "../../runtime/errors.js";
import type { Checkpoint, Json } from "../checkpoint/checkpoint.js";
import type { Wanted } from "../encode/prepared_batch.js";
import type { Model } from "../model.js";
import type { Encoding } from "../text/encoding.js";
import { type Dense, readDense } from "./dense.js";
import type { EncodingOptions, Sequence, Texts } from "./encoder_task.js";
import { FEATURE_RULES, type Rules } from "./option_rules.js";

/** How texts become vectors. */
export interface EmbeddingOptions extends EncodingOptions {
  /**
   * How states become one vector: the first one ("cls"), the "lasttoken", their "mean", "max"imum, "weightedmean" (later
   * ones weigh more) or sum by the root of their number ("mean_sqrt_len_tokens"); "none" returns all states. Default: as
   * the checkpoint says, or else "none".
   */
  readonly pooling?: Pooling | "none";
  /** Scale vectors to length 1. Default: as the checkpoint says, or else false. */
  readonly normalize?: boolean;
  /** Keep only so many numbers of a vector, the first (Kusupati et al. 2022); `normalize` comes after. Default: all. */
  readonly truncate_dim?: number;
  /**
   * The prompt of a sentence-transformers folder to begin texts with; null means none. Default: as the checkpoint says,
   * or else none.
   */
  readonly prompt_name?: string | null;
  /** A text to begin texts with, in place of a named prompt. */
  readonly prompt?: string;
}

/** How a checkpoint turns texts into vectors. */
export interface Embedder {
  readonly rules: Rules;
  readonly longest: number | undefined;
  /** How two vectors are compared. */
  readonly similarity: Similarity;
  /** The sequence of a text, after its prompt. Throws InputError. */
  read(texts: Texts, options: EmbeddingOptions, encode: (texts: Texts) => Encoding): Sequence;
  /** What is needed of the model for `task`. Throws OptionError for options that do not fit together. */
  wanted(task: string, options: EmbeddingOptions): Wanted;
  /** The vector of a text as the options want it, of what the model gave. */
  vector(embedding: Float32Array, options: EmbeddingOptions): Float32Array;
}

/** Reads how a checkpoint turns texts into vectors. Throws CheckpointError for what is not supported. */
export async function createEmbedder({ checkpoint, architecture }: Model): Promise<Embedder> {
  const own = await readSentenceTransformer(checkpoint);
  const layers = await readLayers(checkpoint, own.layers, architecture.D);
  const poolingOf = ({ pooling = own.pooling }: EmbeddingOptions): Pooling | "none" => pooling;
  const normalizes = (options: EmbeddingOptions): boolean =>
    options.normalize ?? (poolingOf(options) !== "none" && own.normalize);
  return {
    rules: {
      ...FEATURE_RULES,
      truncate_dim: wholeNumber(1, layers.at(-1)?.O ?? architecture.D),
      prompt_name: oneOf(null, ...Object.keys(own.prompts)),
    },
    longest: own.longest,
    similarity: own.similarity,
    read({ text, ...pair }, { prompt_name = own.prompt_name, prompt, ...options }, encode) {
      const begun = prompt ?? (prompt_name === null ? "" : own.prompts[prompt_name]);
      const [lead, whole] = [begun, begun + text].map((one) => (own.lowers ? one.toLowerCase() : one));
      const encoding = encode({ text: whole, ...pair });
      if (own.include_prompt || !lead || poolingOf(options) === "none") return { encoding };
      const { sequence_ids } = encode({ text: lead });
      const first = sequence_ids.length - Number(sequence_ids[sequence_ids.length - 1] === null);
      const count = encoding.ids.length - first;
      if (count < 1) throw new InputError(`text: must have tokens after its prompt ${show(begun)}, got none`);
      return { encoding, pooled: [[first, count]] };
    },
    wanted(task, options) {
      const [mode, normalize] = [poolingOf(options), normalizes(options)];
      const { truncate_dim, prompt, prompt_name } = options;
      const fault = (name: string, words: string): OptionError => new OptionError(`${task}: ${name} must be ${words}`);
      if (prompt !== undefined && (prompt_name ?? null) !== null)
        throw fault("prompt", `absent with prompt_name ${show(prompt_name)}; leave out one of them`);
      if (normalize && mode === "none") throw fault("normalize", "false without pooling, got true; choose a pooling");
      if (truncate_dim && mode === "none")
        throw fault("truncate_dim", `absent without pooling, got ${truncate_dim}; choose a pooling`);
      if (mode === "weightedmean" && !own.include_prompt)
        throw fault("pooling", "another than weightedmean where include_prompt is false in the checkpoint");
      if (mode === "none") return { last_hidden_state: true };
      return { embedding: { mode, normalize: normalize && truncate_dim === undefined && !layers.length } };
    },
    vector(embedding, options) {
      const { truncate_dim } = options;
      if (truncate_dim === undefined && !layers.length) return embedding; // normalised on the device
      const whole = layers.reduce((vector, { apply }) => apply(vector), embedding);
      const kept = whole.slice(0, truncate_dim);
      const length = normalizes(options) ? Math.max(1e-12, Math.hypot(...kept)) : 1;
      return kept.map((value) => value / length);
    },
  };
}

/** The layers in these folders, of which the first reads vectors of width D. */
async function readLayers(checkpoint: Checkpoint, folders: readonly string[], D: number): Promise<Dense[]> {
  const layers: Dense[] = [];
  for (const name of folders) layers.push(await readDense(await checkpoint.folder(name), layers.at(-1)?.O ?? D));
  return layers;
}

const SIMILARITIES = {
  cosine: (a: Float32Array, b: Float32Array) => dot(a, b) / Math.max(1e-24, Math.sqrt(dot(a, a) * dot(b, b))),
  dot,
  euclidean: (a: Float32Array, b: Float32Array) => -Math.hypot(...a.map((value, d) => value - b[d])),
  manhattan: (a: Float32Array, b: Float32Array) => -a.reduce((sum, value, d) => sum + Math.abs(value - b[d]), 0),
} as const;

/** How two vectors are compared: higher means closer. */
export type Similarity = (a: Float32Array, b: Float32Array) => number;

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, d) => sum + value * b[d], 0);
}

interface SentenceTransformer {
  readonly pooling: Pooling | "none";
  readonly normalize: boolean;
  readonly longest: number | undefined;
  /** Folders of the Dense layers after pooling. */
  readonly layers: readonly string[];
  /** Texts in lower case. */
  readonly lowers: boolean;
  /** Whether the tokens of prompts are pooled too. */
  readonly include_prompt: boolean;
  readonly similarity: Similarity;
  readonly prompts: Readonly<Record<string, string>>;
  /** The prompt to use unless a call names another one. */
  readonly prompt_name: string | null;
}

const MODES: Readonly<Record<string, Pooling>> = {
  pooling_mode_cls_token: "cls",
  pooling_mode_mean_tokens: "mean",
  pooling_mode_max_tokens: "max",
  pooling_mode_lasttoken: "lasttoken",
  pooling_mode_mean_sqrt_len_tokens: "mean_sqrt_len_tokens",
  pooling_mode_weightedmean_tokens: "weightedmean",
};

/** What a sentence-transformers folder asks for. Throws CheckpointError for what is not supported. */
async function readSentenceTransformer({ json, list, label }: Checkpoint): Promise<SentenceTransformer> {
  const modules = (await list("modules.json"))?.map(({ type, path }) => ({ type: String(type), path: String(path) }));
  const named = modules?.find(({ type }) => type.endsWith(".Pooling"))?.path;
  const path = named ?? "1_Pooling";
  const pooling = (await json(`${path}/config.json`)) ?? (named === undefined ? undefined : { pooling_mode: "mean" });
  const kinds = modules?.map(({ type }) => type.split(".").at(-1)).join(", ");
  if (kinds !== undefined && !/^Transformer(, Pooling(, Dense)*(, Normalize)?)?$/.test(kinds))
    throw new CheckpointError(
      `${label}/modules.json: modules must be Transformer, Pooling, any Dense and Normalize in this order, got ${kinds}; it is not supported`,
    );
  const { max_seq_length, do_lower_case } = (await json("sentence_bert_config.json")) ?? {};
  const file = "config_sentence_transformers.json";
  const { similarity_fn_name, ...prompting } = (await json(file)) ?? {};
  const similarity = similarity_fn_name ?? "cosine";
  if (typeof similarity !== "string" || !Object.hasOwn(SIMILARITIES, similarity))
    throw new CheckpointError(
      `${label}/${file}: similarity_fn_name must be one of ${Object.keys(SIMILARITIES).join(", ")}, got ${show(similarity)}`,
    );
  return {
    pooling: pooling ? poolingOf(label, path, pooling) : "none",
    normalize: Boolean(modules?.some(({ type }) => type.endsWith(".Normalize"))),
    longest: typeof max_seq_length === "number" && max_seq_length >= 1 ? max_seq_length : undefined,
    layers: modules?.flatMap(({ type, path }) => (type.endsWith(".Dense") ? path : [])) ?? [],
    lowers: do_lower_case === true,
    include_prompt: pooling?.include_prompt !== false,
    similarity: SIMILARITIES[similarity as keyof typeof SIMILARITIES],
    ...readPrompts(label, prompting),
  };
}

/** The prompts of a sentence-transformers folder, and the name of the one to begin texts with. */
function readPrompts(
  label: string,
  { prompts, default_prompt_name }: Json = {},
): Pick<SentenceTransformer, "prompts" | "prompt_name"> {
  const known = Object.entries((prompts ?? {}) as Json).filter(([, prompt]) => typeof prompt === "string");
  const prompt_name = typeof default_prompt_name === "string" ? default_prompt_name : null;
  if (prompt_name !== null && !known.some(([name]) => name === prompt_name))
    throw new CheckpointError(
      `${label}/config_sentence_transformers.json: default_prompt_name must be one of prompts, got ${show(prompt_name)}`,
    );
  return { prompts: Object.fromEntries(known) as Record<string, string>, prompt_name };
}

function poolingOf(label: string, path: string, config: Json): Pooling {
  const chosen = Object.keys(config).filter((name) => name.startsWith("pooling_mode") && config[name] === true);
  const mode = typeof config.pooling_mode === "string" ? config.pooling_mode : MODES[chosen[0] ?? ""];
  if (chosen.length > 1 || !mode || !Object.hasOwn(POOLING, mode))
    throw new CheckpointError(
      `${label}/${path}/config.json: the pooling must be one of ${Object.keys(POOLING).join(", ")}, got ${show(chosen.length ? chosen.join(", ") : config.pooling_mode)}`,
    );
  return mode as Pooling;
}
