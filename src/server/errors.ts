import { DeviceError, EngineFullError, InputError, OptionError } from "../index.js";
import { OPTIONS } from "../model/decode/options.js";
import { SPEECH_RULES } from "../model/speech/options.js";
import { FEATURE_RULES, TEXT_RULES } from "../model/tasks/option_rules.js";
import { CHAT_RULES } from "../model/text/chat_rules.js";

/** What an error says besides its message. */
export interface ApiErrorFields {
  /** The status of the answer. */
  readonly status: number;
  /** The name of the field that is wrong. */
  readonly param?: string;
  /** What programs tell errors by. */
  readonly code?: string;
  /** After how many seconds another try may do better. */
  readonly retryAfter?: number;
}

/** An error that a client is told of, as OpenAI's clients read it. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly fields: ApiErrorFields;

  constructor(message: string, fields: ApiErrorFields) {
    super(message);
    this.fields = fields;
  }
}

/** A field of a request that is wrong. */
export const invalid = (param: string, message: string, code = "invalid_value"): ApiError =>
  new ApiError(message, { status: 400, param, code });

/** What ends the work for a request whose client has gone; the status is what logs call it. */
export const clientGone = (): ApiError =>
  new ApiError("the client has closed the connection", { status: 499, code: "client_closed_request" });

// What options and inputs are called in a request, where that differs.
const FIELDS: Readonly<Record<string, string>> = {
  max_new_tokens: "max_tokens",
  num_return_sequences: "n",
  stop_strings: "stop",
  do_sample: "temperature",
  truncate_dim: "dimensions",
  output_scores: "logprobs",
  prompt_ids: "prompt",
  input_ids: "prompt",
  audio: "file",
  messages: "messages",
};

const NAMES = new Set(
  [OPTIONS, TEXT_RULES, CHAT_RULES, FEATURE_RULES, SPEECH_RULES, FIELDS].flatMap((table) => Object.keys(table)),
);

/** The field that a message of the library is about, `who: name must be ...`; undefined where it names none. */
function fieldOf(message: string): string | undefined {
  const [subject] = message.split(/:? (?:must|acts)\b/, 1);
  const name = subject.split(/\W+/).findLast((word) => NAMES.has(word));
  return name && (FIELDS[name] ?? name);
}

/**
 * An error as a client may see it: faults of the request with their message, a full engine and a lost device as what
 * passes, and anything else without a word of what it was.
 */
export function asApiError(error: unknown, retryAfter: () => number): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof EngineFullError)
    return new ApiError(error.message, { status: 429, code: "rate_limit_exceeded", retryAfter: retryAfter() });
  if (error instanceof InputError || error instanceof OptionError)
    return new ApiError(error.message, { status: 400, param: fieldOf(error.message), code: "invalid_value" });
  if (error instanceof DeviceError)
    return new ApiError("the device was lost; it is opened again for the next request", {
      status: 503,
      code: "device_lost",
      retryAfter: 1,
    });
  return new ApiError("the server has failed", { status: 500, code: "internal_error" });
}

const TYPES: Readonly<Record<number, string>> = {
  401: "authentication_error",
  404: "not_found_error",
  429: "rate_limit_error",
};

/** The body of an answer that tells of an error. */
export function errorBody({ message, fields: { status, param, code } }: ApiError): object {
  const type = TYPES[status] ?? (status < 500 ? "invalid_request_error" : "server_error");
  return { error: { message, type, param: param ?? null, code: code ?? null } };
}

/** The answer that tells of an error. */
export function errorResponse(error: ApiError): Response {
  const { status, retryAfter } = error.fields;
  const headers = {
    ...(retryAfter !== undefined && { "retry-after": String(retryAfter) }),
    ...(status === 401 && { "www-authenticate": "Bearer" }),
  };
  return Response.json(errorBody(error), { status: status === 499 ? 400 : status, headers });
}
