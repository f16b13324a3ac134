import type { CheckpointLike } from "../checkpoint/checkpoint.js";
import type { HostTensor } from "../core.js";
import type { LoadOptions } from "../load.js";
import {
  type EncoderTask,
  givesStates,
  openEncoderTask,
  type Reading,
  readingOf,
  type TaskKind,
  type TextInput,
  textsOf,
} from "./encoder_task.js";
import { createEmbedder, type EmbeddingOptions } from "./sentence_transformer.js";

/** Options of feature extraction. */
export type FeatureOptions = EmbeddingOptions;

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

const STATES: TaskKind = { name: "feature-extraction", needs: "an encoder or a decoder, not both", takes: givesStates };

/**
 * Opens feature extraction, with the pooling of a sentence-transformers folder by default. Throws CheckpointError when
 * the model has both an encoder and a decoder, and all that `load` throws.
 */
export function featureExtraction(source: CheckpointLike, options: LoadOptions = {}): Promise<FeatureTask> {
  return openEncoderTask(STATES, source, options, async (model) => {
    const embedder = await createEmbedder(model);
    return {
      options: embedder.rules,
      longest: embedder.longest,
      truncation: true,
      read: (input: TextInput, options: FeatureOptions, encode) => [embedder.read(textsOf(input), options, encode)],
      wanted: (options) => embedder.wanted(STATES.name, options),
      result([{ encoding, results }], _, options): Features {
        const { embedding, last_hidden_state: states } = results;
        const reading = { token_ids: encoding.ids, ...readingOf(encoding) };
        if (embedding) return { embedding: embedder.vector(embedding, options), ...reading };
        return {
          states: { dims: [encoding.ids.length, states.length / encoding.ids.length], data: states },
          ...reading,
        };
      },
    };
  });
}
