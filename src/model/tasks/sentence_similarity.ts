import { InputError, OptionError, show } from "../../runtime/errors.js";
import type { CheckpointLike } from "../checkpoint/checkpoint.js";
import type { LoadOptions } from "../load.js";
import { checkText } from "../text/checks.js";
import { type EncoderTask, givesStates, openEncoderTask, type TaskKind } from "./encoder_task.js";
import { checkFields } from "./text_inputs.js";
import { createEmbedder, type EmbeddingOptions } from "./sentence_transformer.js";

/** A sentence, and those to compare with it. */
export interface SimilarityInput {
  /** The sentence to compare with. */
  readonly source_sentence: string;
  /** The sentences that are compared with it. */
  readonly sentences: readonly string[];
}

/** Options of sentence similarity. */
export type SimilarityOptions = EmbeddingOptions;

/** Sentence similarity on one checkpoint: a number for each sentence, higher for closer ones. */
export type SimilarityTask = EncoderTask<SimilarityInput, SimilarityOptions, number[]>;

const STATES: TaskKind = {
  name: "sentence-similarity",
  needs: "an encoder or a decoder, not both",
  takes: givesStates,
};

/**
 * Opens the comparison of sentences by their vectors: by the cosine between them, unless `similarity_fn_name` of a
 * sentence-transformers folder says otherwise. Throws CheckpointError when the model has both an encoder and a decoder, and
 * all that `load` throws.
 */
export function sentenceSimilarity(source: CheckpointLike, options: LoadOptions = {}): Promise<SimilarityTask> {
  return openEncoderTask(STATES, source, options, async (model) => {
    const embedder = await createEmbedder(model);
    return {
      options: embedder.rules,
      longest: embedder.longest,
      truncation: false,
      read(input: SimilarityInput, options: SimilarityOptions, encode) {
        const { source_sentence, sentences } = readSimilarity(input);
        return [source_sentence, ...sentences].map((text) => embedder.read({ text }, options, encode));
      },
      wanted(options) {
        const wanted = embedder.wanted(STATES.name, options);
        if (wanted.embedding) return wanted;
        throw new OptionError(
          `${STATES.name}: pooling must be chosen where the checkpoint does not say it, got "none"; pass pooling: "mean"`,
        );
      },
      result(sequences, _, options): number[] {
        const [own, ...others] = sequences.map(({ results }) => embedder.vector(results.embedding, options));
        return others.map((other) => embedder.similarity(own, other));
      },
    };
  });
}

/** The sentences of an input. Throws InputError for anything else. */
function readSimilarity(input: SimilarityInput): SimilarityInput {
  checkFields(input, "source_sentence", "sentences");
  const { source_sentence, sentences } = input;
  if (!Array.isArray(sentences)) throw new InputError(`sentences: must be a list of texts, got ${show(sentences)}`);
  return {
    source_sentence: checkText(source_sentence, "source_sentence"),
    sentences: sentences.map((text, s) => checkText(text, `sentence ${s}`)),
  };
}
