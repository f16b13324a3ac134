import { CheckpointError, InputError, show } from "../../runtime/errors.js";
import type { CheckpointLike, Json } from "../checkpoint/checkpoint.js";
import type { LoadOptions } from "../load.js";
import { checkText } from "../text/checks.js";
import { CROSS_ENCODER } from "./default_task.js";
import {
  type EncoderTask,
  type EncodingOptions,
  openEncoderTask,
  probabilities,
  type TaskKind,
} from "./encoder_task.js";
import { RANKING_RULES } from "./option_rules.js";
import { checkFields } from "./text_inputs.js";

/** What to rank, and for what. */
export interface RankingInput {
  /** What is looked for. */
  readonly query: string;
  /** The texts to rank. */
  readonly documents: readonly string[];
}

/** Options of text ranking. */
export interface RankingOptions extends EncodingOptions {
  /** How many documents to return, best first; null means all. Default null. */
  readonly top_k?: number | null;
  /** Whether results hold the texts of their documents. Default false. */
  readonly return_documents?: boolean;
  /** What turns logits into scores. Default: as the checkpoint says, or else "sigmoid". */
  readonly function_to_apply?: "sigmoid" | "none";
}

/** A document and how well it answers the query. */
export interface RankedDocument {
  /** Its index among the documents. */
  readonly corpus_id: number;
  /** How well it answers the query: higher is better. */
  readonly score: number;
  /** With `return_documents`: the document. */
  readonly text?: string;
  /** Number of tokens of query and document that were left out because they were too long. */
  readonly truncated: number;
}

/** Text ranking on one checkpoint. */
export type RankingTask = EncoderTask<RankingInput, RankingOptions, RankedDocument[]>;

const RANKS: TaskKind = {
  name: "text-ranking",
  needs: "a classifier of sequences with a single label",
  takes: ({ head }) => head?.classifier === "sentence" && head.labels.length === 1,
};

/**
 * Opens the ranking of documents by a cross-encoder, which reads each together with the query (`rank` of CrossEncoder in
 * sentence-transformers). Throws CheckpointError for other models, and all that `load` throws.
 */
export function textRanking(source: CheckpointLike, options: LoadOptions = {}): Promise<RankingTask> {
  return openEncoderTask(RANKS, source, options, async ({ checkpoint }) => {
    const own = await checkpoint.json("config_sentence_transformers.json");
    const usual = functionOf(checkpoint.label, checkpoint.config, own ?? {});
    return {
      options: RANKING_RULES,
      truncation: true,
      read(input: RankingInput, _: RankingOptions, encode) {
        const { query, documents } = readRanking(input);
        return documents.map((text_pair) => ({ encoding: encode({ text: query, text_pair }) }));
      },
      wanted: () => ({ logits: true }),
      result(
        sequences,
        { documents },
        { top_k, return_documents = false, function_to_apply = usual },
      ): RankedDocument[] {
        const ranked = sequences.map(({ encoding, results: { logits } }, corpus_id) => ({
          corpus_id,
          score: function_to_apply === "none" ? logits[0] : probabilities(logits, "sigmoid")[0],
          ...(return_documents && { text: documents[corpus_id] }),
          truncated: encoding.truncated,
        }));
        return ranked.sort((a, b) => b.score - a.score).slice(0, top_k ?? ranked.length);
      },
    };
  });
}

/** Query and documents. Throws InputError for anything else. */
function readRanking(input: RankingInput): RankingInput {
  checkFields(input, "query", "documents");
  const { query, documents } = input;
  if (!Array.isArray(documents)) throw new InputError(`documents: must be a list of texts, got ${show(documents)}`);
  return { query: checkText(query, "query"), documents: documents.map((text, d) => checkText(text, `document ${d}`)) };
}

const FUNCTIONS: Readonly<Record<string, "sigmoid" | "none">> = { Sigmoid: "sigmoid", Identity: "none" };

/** What turns logits into scores, by what sentence-transformers has written. Throws CheckpointError for another function. */
function functionOf(label: string, config: Json, folder: Json): "sigmoid" | "none" {
  const { activation_fn: stated } = (config.sentence_transformers ?? {}) as Json;
  const name = folder.activation_fn ?? stated ?? config[CROSS_ENCODER] ?? "Sigmoid";
  const found = FUNCTIONS[String(name).split(".").at(-1) ?? ""];
  if (!found)
    throw new CheckpointError(
      `${label}/config.json: activation_fn must be torch.nn's ${Object.keys(FUNCTIONS).join(" or ")}, got ${show(name)}`,
    );
  return found;
}
