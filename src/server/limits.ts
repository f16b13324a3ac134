import { type Rule, wholeNumber } from "../runtime/checks.js";

const seconds: Rule = {
  words: "a number of seconds above 0",
  holds: (value) => typeof value === "number" && value > 0 && value <= 1e6,
};
const text = (value: unknown): boolean => typeof value === "string" && value !== "";
const texts = (words: string): Rule => ({
  words,
  holds: (value) => text(value) || (Array.isArray(value) && value.length > 0 && value.every(text)),
});

/** What a server allows. */
export interface LimitOptions {
  /** Keys of which a request must give one (`authorization: Bearer KEY`), /health apart. Default: none is asked for. */
  readonly api_key?: string | readonly string[];
  /** Origins whose pages may ask, such as https://example.org; "*" means all. Default: none. */
  readonly cors?: string | readonly string[];
  /** Most bytes of a request without recordings. Default 4194304. */
  readonly max_body?: number;
  /** Most bytes of a request with a recording. Default 26214400. */
  readonly max_audio?: number;
  /** Most tokens that a request may ask for. Default 4096. */
  readonly max_tokens?: number;
  /** Most tokens of a prompt. Default: what the model takes. */
  readonly max_prompt_tokens?: number;
  /** Most texts or documents of a request. Default 1024. */
  readonly max_texts?: number;
  /** Requests that may wait for a model; one more is answered with 429. Default 256. */
  readonly waiting?: number;
  /** Seconds that a request may take. Default 600. */
  readonly timeout?: number;
  /** Seconds that a request for text may wait for its first step. Default 60. */
  readonly queue_timeout?: number;
  /** Seconds that a client may leave a piece of a stream unread. Default 30. */
  readonly read_timeout?: number;
}

/** The values that they may have. */
export const LIMIT_RULES: { readonly [K in keyof Required<LimitOptions>]: Rule } = {
  api_key: texts("a key, or a list of keys"),
  cors: texts('an origin, a list of origins, or "*"'),
  max_body: wholeNumber(1),
  max_audio: wholeNumber(1),
  max_tokens: wholeNumber(1),
  max_prompt_tokens: wholeNumber(1),
  max_texts: wholeNumber(1),
  waiting: wholeNumber(1),
  timeout: seconds,
  queue_timeout: seconds,
  read_timeout: seconds,
};

const DEFAULTS = {
  max_body: 4 * 2 ** 20,
  max_audio: 25 * 2 ** 20,
  max_tokens: 4096,
  max_prompt_tokens: Infinity,
  max_texts: 1024,
  waiting: 256,
  timeout: 600,
  queue_timeout: 60,
  read_timeout: 30,
};

/** Limits with their defaults. */
export type Limits = Readonly<typeof DEFAULTS> & Pick<LimitOptions, "api_key" | "cors">;

/** Fills in the defaults of limits that are absent. */
export const withDefaults = (given: LimitOptions): Limits => ({
  ...DEFAULTS,
  ...(Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as LimitOptions),
});
