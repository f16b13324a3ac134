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

/** Shows the tokens of a row, which follow one another. */
export type TokenWriter = (
  chosen: Chosen,
) => readonly (ShownToken & { readonly top_logprobs: readonly ShownToken[] })[];

const encoder = new TextEncoder();

/** Shows tokens that follow those of a prompt. Special tokens are shown as the vocabulary spells them. */
export function createTokenWriter(tokenizer: Tokenizer, prompt: readonly number[]): TokenWriter {
  const before = prompt.slice(-8); // what may change how the next token is spelled
  const show = (id: number, logprob: number): ShownToken => {
    const token = continuationOf(tokenizer, before, [id]) || (tokenizer.id_to_token(id) ?? "");
    return { token, logprob, bytes: token.includes("\ufffd") ? null : [...encoder.encode(token)] };
  };
  return ({ token_ids, logprobs = [], top_logprobs = [] }) =>
    token_ids.map((id, t) => {
      const shown = show(id, logprobs[t]);
      const others = (top_logprobs[t] ?? []).map(({ token_id, logprob }) => show(token_id, logprob));
      before.push(id);
      before.splice(0, before.length - 8);
      return { ...shown, top_logprobs: others };
    });
}
