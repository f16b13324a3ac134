import { POOLING, type Pooling } from "../../kernels/pooling.js";
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
} from "./encoder_task.js";

/** Options of feature extraction. */
export interface FeatureOptions extends EncodingOptions {
  /**
   * How states become one vector: the first one ("cls"), their "mean" or "max"imum; "none" returns all states. Default:
   * as the checkpoint says, or else "none".
   */
  readonly pooling?: Pooling | "none";
  /** Scale vectors to length 1. Default: as the checkpoint says, or else false. */
  readonly normalize?: boolean;
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
      options: ["pooling", "normalize"],
      longest: own.longest,
      texts: (input: TextInput) => (typeof input === "string" ? { text: input } : input),
      wanted(_, { pooling = own.pooling, normalize = pooling !== "none" && own.normalize }: FeatureOptions) {
        const known = [...Object.keys(POOLING), "none"];
        if (!known.includes(pooling))
          throw new OptionError(`feature-extraction: pooling must be one of ${known.join(", ")}, got ${show(pooling)}`);
        if (typeof normalize !== "boolean" || (normalize && pooling === "none"))
          throw new OptionError(
            `feature-extraction: normalize must be true or false, and false without pooling, got ${show(normalize)}; choose a pooling`,
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
}

const MODES: Readonly<Record<string, Pooling>> = {
  pooling_mode_cls_token: "cls",
  pooling_mode_mean_tokens: "mean",
  pooling_mode_max_tokens: "max",
};

/**
 * What `modules.json` of a sentence-transformers folder asks for. Throws CheckpointError for modules that are not
 * supported.
 */
async function readSentenceTransformer({ json, list, label }: Checkpoint): Promise<SentenceTransformer> {
  const modules = (await list("modules.json"))?.map(({ type, path }) => ({ type: String(type), path: String(path) }));
  const path = modules?.find(({ type }) => type.endsWith(".Pooling"))?.path ?? "1_Pooling";
  const pooling = await json(`${path}/config.json`);
  const strange = modules?.find(({ type }) => !/\.(Transformer|Pooling|Normalize)$/.test(type));
  if (strange)
    throw new CheckpointError(
      `${label}/modules.json: modules must be Transformer, Pooling and Normalize, got ${strange.type}; it is not supported`,
    );
  const { max_seq_length } = (await json("sentence_bert_config.json")) ?? {};
  return {
    pooling: pooling ? poolingOf(label, path, pooling) : "none",
    normalize: Boolean(modules?.some(({ type }) => type.endsWith(".Normalize"))),
    longest: typeof max_seq_length === "number" ? max_seq_length : undefined,
  };
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
