import type { RankedDocument, RankingInput, RankingOptions, Tokenizer } from "../index.js";
import { FLAG, wholeNumber } from "../runtime/checks.js";
import type { Batcher } from "./batcher.js";
import { type Embed, textsOf, vectorOf } from "./embeddings.js";
import { ANY, type FieldTable, type Fields, readFields, TEXT } from "./fields.js";

/** Scores of documents for queries of several requests. */
export type Rank = Batcher<RankingInput, RankingOptions, RankedDocument[]>;

/** How well each document answers a query, and how many tokens it took to say so. */
interface Scores {
  readonly scores: readonly number[];
  readonly tokens: number;
}

/** Gives documents scores for a query; `truncation` shortens what is too long. */
export type Score = (
  query: string,
  documents: readonly string[],
  fields: Fields,
  signal: AbortSignal,
) => Promise<Scores>;

/** The fields of POST /v1/rerank, which are those of Jina and Cohere. */
export const RERANK_FIELDS: FieldTable = {
  taken: {
    model: TEXT,
    query: TEXT,
    documents: ANY,
    top_n: wholeNumber(1),
    return_documents: FLAG,
    truncation: FLAG,
    user: TEXT,
  },
  refused: {},
  needed: ["model", "query", "documents"],
};

/** Answers POST /v1/rerank, best document first. Rejects with ApiError, and as the task does. */
export async function answerRerank(body: unknown, score: Score, most: number, signal: AbortSignal): Promise<object> {
  const fields = readFields(body, RERANK_FIELDS);
  const { query, model, return_documents = false } = fields as Fields & { readonly query: string };
  const documents = textsOf(listOf(fields.documents), "documents", most);
  const { scores, tokens } = await score(query, documents, fields, signal);
  const ranked = scores
    .map((relevance_score, index) => ({
      index,
      relevance_score,
      ...(Boolean(return_documents) && { document: { text: documents[index] } }),
    }))
    .sort((a, b) => b.relevance_score - a.relevance_score);
  return {
    model,
    results: ranked.slice(0, (fields.top_n as number | undefined) ?? ranked.length),
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  };
}

/** Documents as texts: one may be given as { text }. */
function listOf(documents: unknown): unknown {
  if (!Array.isArray(documents)) return documents;
  return documents.map((one: unknown) =>
    typeof one === "object" && one !== null && Object.keys(one).join() === "text"
      ? (one as { text: unknown }).text
      : one,
  );
}

/** Scores of a cross-encoder, which reads each document together with the query. */
export const crossScores =
  (rank: Rank, tokenizer: Tokenizer): Score =>
  async (query, documents, { truncation = false }, signal) => {
    const [ranked] = await rank.run([{ query, documents }], { truncation: Boolean(truncation) }, signal);
    const scores = documents.map(() => 0);
    for (const { corpus_id, score } of ranked) scores[corpus_id] = score;
    const left = ranked.reduce((total, { truncated }) => total + truncated, 0);
    const all = documents.reduce((total, text_pair) => total + tokenizer.count(query, { text_pair }), 0);
    return { scores, tokens: all - left };
  };

/** Scores by vectors: what `similarity` says of those of query and document. */
export const vectorScores =
  (embed: Embed, similarity: (a: Float32Array, b: Float32Array) => number): Score =>
  async (query, documents, { truncation = false }, signal) => {
    const found = await embed.run([query, ...documents], { truncation: Boolean(truncation) }, signal);
    const [own, ...others] = found.map(vectorOf);
    const tokens = found.reduce((total, { token_ids }) => total + token_ids.length, 0);
    return { scores: others.map((other) => similarity(own, other)), tokens };
  };
