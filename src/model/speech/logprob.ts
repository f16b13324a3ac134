import { PLAIN } from "../../kernels/search_state.js";
import { NO_ID } from "../../kernels/constants.js";
import { applyRules } from "../../kernels/logits_process.js";
import type { DecoderCore } from "../core.js";
import type { Generation } from "../decode/resolve.js";
import type { Source } from "../inputs.js";
import { logitsOf } from "./passes.js";

/** A result whose probability is asked for. */
export interface Rated {
  readonly prompt: readonly number[];
  readonly source: Source;
  /** Its generated tokens. */
  readonly tokens: readonly number[];
  /** Their log-probabilities as the search had them. */
  readonly scores: readonly number[];
}

/**
 * The mean log-probability of generated tokens after the rules on scores, whatever the temperature at which they were
 * drawn. Greedy search has it; after others the tokens are scored again, in one pass. Source: `_retrieve_avg_logprobs` of
 * Transformers, generation_whisper.py.
 */
export async function meanLogProbability(
  core: DecoderCore,
  g: Generation,
  { prompt, source, tokens, scores }: Rated,
): Promise<number> {
  const own = g.beams === 1 && !g.sampling ? scores : await scoreAgain(core, g, { prompt, source, tokens });
  return own.reduce((sum, score) => sum + score, 0) / own.length;
}

async function scoreAgain(
  core: DecoderCore,
  { rules, lists, beams, newTokens }: Generation,
  { prompt, source, tokens }: Omit<Rated, "scores">,
): Promise<number[]> {
  const { V } = core.architecture;
  const [logits] = await logitsOf(core, [[...prompt, ...tokens.slice(0, -1)]], [source]);
  const bounds = { start: prompt.length, limit: prompt.length + newTokens, forced_bos: NO_ID };
  return tokens.map((id, t) => {
    const at = (prompt.length - 1 + t) * V;
    const row = Array.from(logits.subarray(at, at + V));
    const seen = beams > 1 ? logSoftmax(row) : row; // rules act on log-probabilities in a beam search
    const ids = [...prompt, ...tokens.slice(0, t)];
    return logSoftmax(applyRules(seen, ids, bounds, lists, { ...PLAIN, ...rules }))[id];
  });
}

/** The logarithm of the softmax of a row of scores. */
export function logSoftmax(scores: readonly number[]): number[] {
  const top = scores.reduce((most, score) => Math.max(most, score), -Infinity);
  const total = Math.log(scores.reduce((sum, score) => sum + Math.exp(score - top), 0));
  return scores.map((score) => score - top - total);
}
