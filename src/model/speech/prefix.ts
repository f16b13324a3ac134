import { OptionError, show } from "../../runtime/errors.js";
import { languageCode } from "./languages.js";
import type { ResolvedSpeech } from "./options.js";
import type { WhisperConfig } from "./whisper_config.js";

/** What the tokens before a transcript depend on. */
export type PrefixOptions = Pick<ResolvedSpeech, "language" | "task" | "return_timestamps">;

/** The tokens that each transcript begins with, and the language that they name. */
export interface Prefix {
  readonly ids: readonly number[];
  readonly language?: string;
}

/**
 * The tokens before the transcript of each row: start, language, task, and the one that asks for no timestamps.
 * `detect` finds the languages of all rows, where nothing says them. Throws OptionError for a language or a task that
 * the model has not. Source: `_retrieve_init_tokens` of Transformers, generation_whisper.py.
 */
export async function prefixesOf(
  config: WhisperConfig,
  rows: number,
  { language, task, return_timestamps }: PrefixOptions,
  detect: (languages: Readonly<Record<string, number>>) => Promise<readonly string[]>,
): Promise<Prefix[]> {
  const { languages, tasks, noTimestamps } = config;
  checkSpoken(config, language ?? task);
  const given = language === undefined ? undefined : languagesOf(config, rows, language);
  const forced = given || task !== undefined ? [] : (config.forced ?? []);
  const codes = given ?? (languages && (forced[0] ?? null) === null ? await detect(languages) : undefined);
  const chosen = task ?? (given && tasks ? "transcribe" : undefined);
  if (chosen !== undefined && tasks?.[chosen] === undefined)
    throw new OptionError(`speech: task must be one of ${Object.keys(tasks ?? {}).join(", ")}, got ${show(chosen)}`);
  return Array.from({ length: rows }, (_, row) => {
    const code = codes?.[row] ?? codeOf(languages, forced[0]);
    const begun = [code === undefined ? forced[0] : languages?.[code], ...forced.slice(1), tasks?.[chosen ?? ""]];
    const ids = [config.start, ...begun].filter((id) => typeof id === "number" && id !== noTimestamps) as number[];
    if (!return_timestamps && noTimestamps !== undefined) ids.push(noTimestamps);
    return { ids, ...(code !== undefined && { language: code }) };
  });
}

const codeOf = (languages: WhisperConfig["languages"] = {}, id: number | null | undefined): string | undefined =>
  Object.keys(languages).find((code) => languages[code] === id);

function checkSpoken({ multilingual }: WhisperConfig, given: unknown): void {
  if (!multilingual && given !== undefined)
    throw new OptionError(
      `speech: language and task must be absent, the model knows English alone, got ${show(given)}`,
    );
}

/** The codes of the languages that a call names: one for all rows, or one for each. */
function languagesOf({ languages = {} }: WhisperConfig, rows: number, given: string | readonly string[]): string[] {
  const names = typeof given === "string" ? Array<string>(rows).fill(given) : given;
  const known = Object.keys(languages);
  return names.map((name) => {
    const code = languageCode(name, known);
    if (code !== undefined) return code;
    throw new OptionError(
      `speech: language must be one of ${known.join(", ") || "none"}, or the English name of one, got ${show(name)}`,
    );
  });
}
