import { checkObject } from "../runtime/checks.js";
import { InputError, OptionError } from "../runtime/errors.js";
import type { HostTensor } from "./core.js";
import type { CallOptions, Model } from "./model.js";
import { checkText } from "./text/checks.js";
import type { Encoding } from "./text/encoding.js";
import type { Tokenizer } from "./text/tokenizer.js";

/** A token that looks at others, or is looked at. */
export interface AttentionToken {
  /** The token. */
  readonly token_id: number;
  /** The token as the vocabulary spells it. */
  readonly token: string;
  /** The range of the text that it stands for, in UTF-16 units; absent of special and of generated tokens. */
  readonly start?: number;
  /** Its end. */
  readonly end?: number;
}

/** The attention of all heads of a stack, f32[L,H,T,S]: L layers, H heads, T queries, S keys. */
export interface AttentionMap {
  /** The weights f32[L,H,T,S] of all layers and heads. */
  readonly weights: HostTensor;
  /** The tokens that look. */
  readonly queries: readonly AttentionToken[];
  /** The tokens that are looked at. */
  readonly keys: readonly AttentionToken[];
}

/** What a model looks at in a text: a map of each kind of attention that it has. */
export interface Attentions {
  /** Of the text over itself, in the encoder. */
  readonly encoder?: AttentionMap;
  /** Of a text over itself, in the decoder; of an encoder-decoder, the generated text. */
  readonly decoder?: AttentionMap;
  /** Of the generated tokens over the text: by which each was chosen. */
  readonly cross?: AttentionMap;
}

/** What `attentionsOf` reads texts with: any task on texts is such. */
export interface Reader {
  readonly model: Model;
  readonly tokenizer: Tokenizer;
}

/** What the public `attentionsOf` does. */
export async function attentionsOf(
  { model, tokenizer }: Reader,
  text: string,
  options: CallOptions,
): Promise<Attentions> {
  checkObject(OptionError, "attentionsOf", options);
  const { encoder, decoder, family } = model.architecture;
  if (encoder?.stem)
    throw new InputError("attentionsOf: the model must read texts, this one hears; use generate() or forward()");
  const stray = Object.entries(options).find(([name, value]) => name !== "signal" && value !== undefined)?.[0];
  if (!(encoder && decoder) && stray)
    throw new OptionError(`attentionsOf: ${stray} must be absent, ${family} generates nothing here; leave it out`);
  options.signal?.throwIfAborted();
  const encoding = tokenizer.encode(checkText(text));
  if (encoding.ids.length === 0)
    throw new InputError("attentionsOf: the text must give at least one token, it gives none");
  const own = tokensOf(encoding);
  const rows = { input_ids: [encoding.ids], attention_mask: [encoding.ids.map(() => 1)] };
  if (encoder && decoder) return whileGenerating({ model, tokenizer }, rows, own, options);
  const { attentions = [] } = encoder
    ? await model.encode(rows, { output_attentions: true })
    : await model.forward(rows, { output_attentions: true });
  const map = { weights: stacked(attentions), queries: own, keys: own };
  return encoder ? { encoder: map } : { decoder: map };
}

type Rows = { readonly input_ids: readonly (readonly number[])[]; readonly attention_mask: readonly number[][] };

/** The attention of an encoder-decoder: the best result is generated, then read in one pass. */
async function whileGenerating(
  { model, tokenizer }: Reader,
  rows: Rows,
  keys: readonly AttentionToken[],
  options: CallOptions,
): Promise<Attentions> {
  const { sequences, lengths } = await model.generate(rows, options);
  const ids = sequences[0].slice(0, lengths[0]);
  const fed = [ids.slice(0, -1)];
  const targets = { decoder_input_ids: fed, decoder_attention_mask: fed.map((row) => row.map(() => 1)) };
  const { encoder_attentions, decoder_attentions, cross_attentions } = await model.forward(
    { ...rows, ...targets },
    { output_attentions: true },
  );
  const [before, chosen] = [ids.slice(0, -1), ids.slice(1)].map((list) => list.map((id) => tokenOf(tokenizer, id)));
  return {
    ...(encoder_attentions && { encoder: { weights: stacked(encoder_attentions), queries: keys, keys } }),
    ...(decoder_attentions && { decoder: { weights: stacked(decoder_attentions), queries: chosen, keys: before } }),
    ...(cross_attentions && { cross: { weights: stacked(cross_attentions), queries: chosen, keys } }),
  };
}

const tokenOf = (tokenizer: Tokenizer, token_id: number): AttentionToken => ({
  token_id,
  token: tokenizer.id_to_token(token_id) ?? "",
});

const tokensOf = ({ ids, tokens, offsets, sequence_ids }: Encoding): AttentionToken[] =>
  ids.map((token_id, i) => ({
    token_id,
    token: tokens[i],
    ...(sequence_ids[i] !== null && { start: offsets[i][0], end: offsets[i][1] }),
  }));

/** The layers f32[1,H,T,S] of one text as f32[L,H,T,S]. */
function stacked(layers: readonly HostTensor[]): HostTensor {
  const [, H, T, S] = layers[0].dims;
  const data = new Float32Array(layers.length * H * T * S);
  layers.forEach((layer, l) => data.set(layer.data, l * H * T * S));
  return { dims: [layers.length, H, T, S], data };
}
