import { POOLING, type Pooling } from "../../kernels/pooling.js";
import { oneOf } from "../../runtime/checks.js";
import { CheckpointError, OptionError, show } from "../../runtime/errors.js";
import type { Checkpoint, CheckpointLike, Json } from "../checkpoint/checkpoint.js";
import type { HostTensor } from "../core.js";
import type { LoadOptions } from "../load.js";
import {
  type EncoderTask,
  type EncodingOptions,
  openEncoderTask,
  type Reading,
  type TextInput,
  textsOf,
} from "./encoder_task.js";
import { FEATURE_RULES } from "./option_rules.js";

/** Options of feature extraction. */
export interface FeatureOptions extends EncodingOptions {
  /**
   * How states become one vector: the first one ("cls"), their "mean" or "max"imum; "none" returns all states. Default:
   * as the checkpoint says, or else "none".
   */
  readonly pooling?: Pooling | "none";
  /** Scale vectors to length 1. Default: as the checkpoint says, or else false. */
  readonly normalize?: boolean;
  /**
   * The prompt of a sentence-transformers folder to begin texts with; null means none. Default: as the checkpoint says,
   * or else none.
   */
  readonly prompt_name?: string | null;
}

/** The vector of a text, or without pooling its states. */
export interface Features extends Reading {
  /** The vector f32[D], with pooling. */
  readonly embedding?: Float32Array;
  /** A state for each token, f32[T,D], without pooling. */
  readonly states?: HostTensor;
  /** The tokens of the text, special ones included. */
  readonly token_ids: readonly number[];
}

/** Feature extraction on one checkpoint. */
export type FeatureTask = EncoderTask<TextInput, FeatureOptions, Features>;

/**
 * Opens feature extraction, with the pooling of a sentence-transformers folder by default. Throws CheckpointError when
 * the model is not an encoder, and all that `load` throws.
 */
export function featureExtraction(source: CheckpointLike, options: LoadOptions = {}): Promise<FeatureTask> {
  return openEncoderTask(source, options, async (model) => {
    const own = await readSentenceTransformer(model.checkpoint);
    return {
      name: "feature-extraction",
      options: { ...FEATURE_RULES, prompt_name: oneOf(null, ...Object.keys(own.prompts)) },
      longest: own.longest,
      texts(input: TextInput, { prompt_name = own.prompt_name }: FeatureOptions) {
        const { text, ...pair } = textsOf(input);
        const whole = (prompt_name === null ? "" : own.prompts[prompt_name]) + text;
        return { text: own.lowers ? whole.toLowerCase() : whole, ...pair };
      },
      wanted(_, options: FeatureOptions) {
        const { pooling = own.pooling } = options;
        const { normalize = pooling !== "none" && own.normalize } = options;
        if (normalize && pooling === "none")
          throw new OptionError(
            "feature-extraction: normalize must be false without pooling, got true; choose a pooling",
          );
        return pooling === "none" ? { last_hidden_state: true } : { embedding: { mode: pooling, normalize } };
      },
      result({ embedding, last_hidden_state: states }, { ids, truncated, unknown }): Features {
        const reading = { token_ids: ids, truncated, unknown };
        if (embedding) return { embedding, ...reading };
        return { states: { dims: [ids.length, states.length / ids.length], data: states }, ...reading };
      },
    };
  });
}

interface SentenceTransformer {
  readonly pooling: Pooling | "none";
  readonly normalize: boolean;
  readonly longest: number | undefined;
  /** Texts in lower case. */
  readonly lowers: boolean;
  readonly prompts: Readonly<Record<string, string>>;
  /** The prompt to use unless a call names another one. */
  readonly prompt_name: string | null;
}

const MODES: Readonly<Record<string, Pooling>> = {
  pooling_mode_cls_token: "cls",
  pooling_mode_mean_tokens: "mean",
  pooling_mode_max_tokens: "max",
};

/** What a sentence-transformers folder asks for. Throws CheckpointError for what is not supported. */
async function readSentenceTransformer({ json, list, label }: Checkpoint): Promise<SentenceTransformer> {
  const modules = (await list("modules.json"))?.map(({ type, path }) => ({ type: String(type), path: String(path) }));
  const named = modules?.find(({ type }) => type.endsWith(".Pooling"))?.path;
  const path = named ?? "1_Pooling";
  const pooling = (await json(`${path}/config.json`)) ?? (named === undefined ? undefined : { pooling_mode: "mean" });
  const strange = modules?.find(({ type }) => !/\.(Transformer|Pooling|Normalize)$/.test(type));
  if (strange)
    throw new CheckpointError(
      `${label}/modules.json: modules must be Transformer, Pooling and Normalize, got ${strange.type}; it is not supported`,
    );
  const { max_seq_length, do_lower_case } = (await json("sentence_bert_config.json")) ?? {};
  const { prompts, prompt_name } = readPrompts(label, await json("config_sentence_transformers.json"));
  if (prompt_name !== null && pooling?.include_prompt === false)
    throw new CheckpointError(
      `${label}/${path}/config.json: include_prompt must be true, got false; it is not supported`,
    );
  return {
    pooling: pooling ? poolingOf(label, path, pooling) : "none",
    normalize: Boolean(modules?.some(({ type }) => type.endsWith(".Normalize"))),
    longest: typeof max_seq_length === "number" && max_seq_length >= 1 ? max_seq_length : undefined,
    lowers: do_lower_case === true,
    prompts,
    prompt_name,
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
