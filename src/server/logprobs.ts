import type { TokenLogprob, Tokenizer } from "../index.js";
import { continuationOf } from "../model/text/detokenizer.js";

/** A token with its log-probability, as chat completions show it. */
export interface ShownToken {
  readonly token: string;
  readonly logprob: number;
  /** Its bytes in UTF-8; null of a token that is a part of a character. */
  readonly bytes: readonly number[] | null;
}

/** Tokens, their log-probabilities, and the best tokens in the place of each. */
export interface Chosen {
  readonly token_ids: readonly number[];
  readonly logprobs?: readonly number[];
  readonly top_logprobs?: readonly (readonly TokenLogprob[])[];
}

/** Shows tokens. */
export type TokenWriter = (
  chosen: Chosen,
) => readonly (ShownToken & { readonly top_logprobs: readonly ShownToken[] })[];

const encoder = new TextEncoder();

/**
 * Shows tokens as they are spelled after a word: what a decoder leaves out at the beginning of a text is there. Special
 * tokens are shown as the vocabulary spells them.
 */
export function createTokenWriter(tokenizer: Tokenizer): TokenWriter {
  const word = tokenizer.encode("a", { add_special_tokens: false }).ids;
  const spellings = new Map<number, Omit<ShownToken, "logprob">>(); // hundreds of tokens may be shown for each step
  const spell = (id: number): Omit<ShownToken, "logprob"> => {
    const known = spellings.get(id);
    if (known) return known;
    const token = continuationOf(tokenizer, word, [id]) || (tokenizer.id_to_token(id) ?? "");
    const spelling = { token, bytes: token.includes("\ufffd") ? null : [...encoder.encode(token)] };
    spellings.set(id, spelling);
    return spelling;
  };
  const show = (id: number, logprob: number): ShownToken => ({ ...spell(id), logprob });
  return ({ token_ids, logprobs = [], top_logprobs = [] }) =>
    token_ids.map((id, t) => ({
      ...show(id, logprobs[t]),
      top_logprobs: (top_logprobs[t] ?? []).map(({ token_id, logprob }) => show(token_id, logprob)),
    }));
}
