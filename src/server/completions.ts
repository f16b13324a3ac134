import { wholeNumber } from "../runtime/checks.js";
import type { Asked, Format, Piece, Shown } from "./answers.js";
import { invalid } from "./errors.js";
import { ANY, type FieldTable, GENERATION_FIELDS, readFields, streamOf, TEXT_REFUSED } from "./fields.js";
import { EXTENSIONS, optionsOf } from "./options.js";
import type { TextModel, TextRequest } from "./text_model.js";

const USUAL = 16; // tokens, as the API says
const DIRECTIONS = ["src_lang", "tgt_lang", "prefix", "target_prefix", "truncation", "allow_unknown"];

/** The fields of POST /v1/completions. */
export const COMPLETION_FIELDS: FieldTable = {
  taken: {
    ...GENERATION_FIELDS,
    prompt: ANY,
    logprobs: wholeNumber(0, 128),
    ...EXTENSIONS,
    ...Object.fromEntries(DIRECTIONS.map((name) => [name, ANY])),
  },
  refused: TEXT_REFUSED,
  needed: ["model", "prompt"],
};

/** Log-probabilities as completions show them; `text_offset` is where the tokens stand in the result. */
function logprobsOf(shown: Shown): object {
  let at = 0;
  return {
    tokens: shown.map(({ token }) => token),
    token_logprobs: shown.map(({ logprob }) => logprob),
    top_logprobs: shown.map(({ top_logprobs }) =>
      Object.fromEntries(top_logprobs.map(({ token, logprob }) => [token, logprob])),
    ),
    text_offset: shown.map(({ token }) => {
      at += token.length;
      return at - token.length;
    }),
  };
}

const choiceOf = ({ index, text, shown, finish_reason = null as never, score }: Piece): object => ({
  index,
  text,
  logprobs: shown ? logprobsOf(shown) : null,
  finish_reason,
  ...(score !== undefined && { score }),
});

const FORMAT: Format = {
  prefix: "cmpl",
  objects: ["text_completion", "text_completion"],
  choice: choiceOf,
  delta: choiceOf,
};

/** What a body of POST /v1/completions asks for. Throws ApiError. */
export function readCompletion(body: unknown, most: number, { model }: TextModel): Asked {
  const fields = readFields(body, COMPLETION_FIELDS);
  const { logprobs, max_tokens, priority, stop } = fields;
  const input = promptsOf(fields.prompt);
  if (input.length > most) throw invalid("prompt", `prompt: must be at most ${most} texts here, got ${input.length}`);
  const own = Object.fromEntries(Object.entries(fields).filter(([name]) => DIRECTIONS.includes(name)));
  return {
    name: String(fields.model),
    format: FORMAT,
    input,
    options: {
      ...optionsOf(fields, model.generationDefaults, Boolean(model.architecture.encoder)),
      ...own,
      ...(logprobs !== undefined && { output_scores: true, top_logprobs: logprobs as number }),
    },
    max_tokens: max_tokens as number | undefined,
    usual_tokens: USUAL,
    priority: priority as number | undefined,
    stops: [stop ?? []].flat() as string[],
    logprobs: logprobs !== undefined,
    ...streamOf(fields),
  };
}

/** The texts, or the token ids, of a prompt. Throws ApiError. */
function promptsOf(prompt: unknown): TextRequest["input"] {
  const isText = (one: unknown): one is string => typeof one === "string";
  const isIds = (one: unknown): one is number[] =>
    Array.isArray(one) && one.length > 0 && one.every((id) => Number.isInteger(id) && Number(id) >= 0);
  if (isText(prompt)) return [prompt];
  if (isIds(prompt)) return [prompt];
  if (Array.isArray(prompt) && prompt.length > 0 && (prompt.every(isText) || prompt.every(isIds))) return prompt;
  throw invalid("prompt", "prompt: must be a text, token ids, or a list of one of them");
}
