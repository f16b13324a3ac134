import type { DecoderCore } from "../core.js";
import type { Source, TokenLists } from "../inputs.js";
import { logSoftmax } from "./logprob.js";
import { logitsOf } from "./passes.js";

/** The language of each window: the one whose token is most probable after the start token. */
export async function detectLanguages(
  core: DecoderCore,
  sources: readonly Source[],
  start: number,
  languages: Readonly<Record<string, number>>,
): Promise<string[]> {
  const codes = Object.keys(languages);
  const logits = await logitsOf(
    core,
    sources.map(() => [start]),
    sources,
  );
  return logits.map((scores) =>
    codes.reduce((best, code) => (scores[languages[code]] > scores[languages[best]] ? code : best)),
  );
}

/**
 * The probability that each window holds no speech: that of the token `silence` after `begun`, the tokens up to the start
 * token.
 */
export async function detectSilence(
  core: DecoderCore,
  sources: readonly Source[],
  begun: TokenLists,
  silence: number,
): Promise<number[]> {
  const logits = await logitsOf(core, begun, sources, 1);
  return logits.map((scores) => Math.exp(logSoftmax([...scores])[silence]));
}
