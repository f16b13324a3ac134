import { FLAG, nearest, type Rule, wholeNumber } from "../runtime/checks.js";
import { show } from "../runtime/errors.js";
import { ApiError, invalid } from "./errors.js";

/** A field that is part of the API and not supported: values that change nothing, and what to do instead. */
export interface Unsupported {
  /** Whether a value asks for nothing. */
  readonly neutral: (value: unknown) => boolean;
  readonly cure: string;
}

/** The fields of a request. */
export interface FieldTable {
  /** Those that are taken, with the values that they may have. */
  readonly taken: Readonly<Record<string, Rule>>;
  /** Those that are refused unless they ask for nothing. */
  readonly refused: Readonly<Record<string, Unsupported>>;
  /** Those that must be there. */
  readonly needed: readonly string[];
}

/** Fields by their names. */
export type Fields = Readonly<Record<string, unknown>>;

/** What the library itself checks. */
export const ANY: Rule = { words: "anything", holds: () => true };
/** A text. */
export const TEXT: Rule = { words: "a text", holds: (value) => typeof value === "string" };

/**
 * The fields of a body without those that are null. Throws ApiError with the name of a field that is unknown, not
 * supported, wrong or missing.
 */
export function readFields(body: unknown, { taken, refused, needed }: FieldTable): Fields {
  if (typeof body !== "object" || body === null || Array.isArray(body))
    throw new ApiError(`the body must be an object, got ${show(body)}`, { status: 400, code: "invalid_body" });
  const given = Object.entries(body).filter(([, value]) => (value ?? undefined) !== undefined);
  for (const [name, value] of given) {
    if (Object.hasOwn(refused, name)) {
      const { neutral, cure } = refused[name];
      if (neutral(value)) continue;
      throw invalid(name, `${name}: is not supported, got ${show(value)}; ${cure}`, "unsupported_parameter");
    }
    if (!Object.hasOwn(taken, name)) {
      const near = nearest(name, Object.keys(taken));
      const cure = near ? `did you mean ${near}?` : "leave it out";
      throw invalid(name, `${show(name).slice(1, -1)}: is no field of this request; ${cure}`, "unknown_parameter");
    }
    const { words, holds } = taken[name];
    if (!holds(value)) throw invalid(name, `${name}: must be ${words}, got ${show(value)}`);
  }
  const fields = Object.fromEntries(given.filter(([name]) => Object.hasOwn(taken, name)));
  for (const name of needed)
    if (!Object.hasOwn(fields, name)) throw invalid(name, `${name}: must be given`, "missing_parameter");
  return fields;
}

const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isEmpty = (value: unknown): boolean => isObject(value) && Object.keys(value).length === 0;
const never = (): boolean => false;
const none = (value: unknown): boolean => Array.isArray(value) && value.length === 0;
const is =
  (...values: readonly unknown[]) =>
  (value: unknown): boolean =>
    values.includes(value);

const TOOLS = "the replies of models are not read for calls; describe the tools in the messages";

/** Fields of the API that both kinds of completions refuse. */
export const REFUSED: Readonly<Record<string, Unsupported>> = {
  frequency_penalty: { neutral: is(0), cure: "repetition_penalty and presence_penalty are there" },
  logit_bias: { neutral: isEmpty, cure: "suppress_tokens bans tokens" },
  service_tier: { neutral: is("auto", "default"), cure: "leave it out" },
  store: { neutral: is(false), cure: "nothing is stored" },
};

/** Fields of the API that chat completions refuse besides. */
export const CHAT_REFUSED: Readonly<Record<string, Unsupported>> = {
  ...REFUSED,
  tools: { neutral: none, cure: TOOLS },
  tool_choice: { neutral: is("none", "auto"), cure: TOOLS },
  parallel_tool_calls: { neutral: is(true, false), cure: TOOLS },
  functions: { neutral: none, cure: TOOLS },
  function_call: { neutral: is("none", "auto"), cure: TOOLS },
  response_format: {
    neutral: (value) => isObject(value) && value.type === "text",
    cure: "replies are not held to a grammar; ask for the format in the messages",
  },
  modalities: { neutral: (value) => Array.isArray(value) && value.every(is("text")), cure: "replies are texts" },
  audio: { neutral: never, cure: "replies are texts" },
  prediction: { neutral: never, cure: "leave it out" },
  reasoning_effort: { neutral: never, cure: "chat_template_kwargs reach the template" },
  verbosity: { neutral: never, cure: "ask for it in the messages" },
  web_search_options: { neutral: never, cure: "leave it out" },
  metadata: { neutral: isEmpty, cure: "nothing is stored" },
};

/** Fields of the API that completions of texts refuse besides. */
export const TEXT_REFUSED: Readonly<Record<string, Unsupported>> = {
  ...REFUSED,
  echo: { neutral: is(false), cure: "results hold what is new" },
  suffix: { neutral: is(""), cure: "models write onwards" },
  best_of: { neutral: is(1), cure: "num_beams searches, and n returns several" },
};

/** A list of strings, or one. */
export const TEXTS: Rule = {
  words: "a text or a list of texts",
  holds: (value) =>
    typeof value === "string" || (Array.isArray(value) && value.every((one) => typeof one === "string")),
};

const STREAM_OPTIONS: Rule = {
  words: "{ include_usage: true or false }",
  holds: (value) =>
    isObject(value) &&
    Object.entries(value).every(
      ([name, own]) => (name === "include_usage" || name === "include_obfuscation") && typeof own === "boolean",
    ) &&
    value.include_obfuscation !== true,
};

const TEMPERATURE: Rule = {
  words: "a number of at least 0",
  holds: (value) => typeof value === "number" && value >= 0,
};

/** Fields of the API that both kinds of completions take. */
export const GENERATION_FIELDS: Readonly<Record<string, Rule>> = {
  model: TEXT,
  n: wholeNumber(1),
  stop: TEXTS,
  seed: wholeNumber(0, 2 ** 32 - 1),
  stream: FLAG,
  stream_options: STREAM_OPTIONS,
  max_tokens: wholeNumber(1),
  temperature: TEMPERATURE,
  top_p: ANY,
  presence_penalty: ANY,
  priority: wholeNumber(-(2 ** 31)),
  user: TEXT, // says who asks, which changes nothing
};

/** What a request says about its stream. Throws ApiError for options of a stream that it does not ask for. */
export function streamOf({ stream = false, stream_options }: Fields): {
  readonly stream: boolean;
  readonly include_usage: boolean;
} {
  if (stream_options !== undefined && !stream)
    throw invalid("stream_options", "stream_options: must be absent without stream: true");
  const { include_usage = false } = (stream_options ?? {}) as { readonly include_usage?: boolean };
  return { stream: Boolean(stream), include_usage };
}
