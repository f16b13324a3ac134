import type { BundledModel, Context } from "../../support/view.js";

/** Attention weights of all heads of a text, and the tokens on both sides. */
export interface AttentionData {
  /** L layers, H heads, T queries, S keys. */
  readonly sizes: Readonly<Record<"L" | "H" | "T" | "S", number>>;
  /** f32[L,H,T,S]. */
  readonly weights: Float32Array<ArrayBuffer>;
  readonly queries: readonly string[];
  readonly keys: readonly string[];
}

/** A model whose attention can be seen. */
export interface AttentionSource {
  readonly title: string;
  readonly model: BundledModel;
  /** What is in the field at first. */
  readonly text: string;
  /** What its rows and its columns are. */
  readonly sides: readonly [queries: string, keys: string];
  read(context: Context, text: string, signal: AbortSignal): Promise<AttentionData>;
}

const MOST = 64; // tokens: more cannot be read side by side

const isShort = (tokens: readonly unknown[]): void => {
  if (tokens.length > MOST)
    throw new Error(`At most ${MOST} tokens can be shown, the text has ${tokens.length}; shorten it.`);
};

/** A token as people read it: without the marks that vocabularies have for spaces and pieces of words. */
const readable = (token: string | undefined): string => (token ?? "?").replace(/^[Ġ▁]/, "·").replace(/^##/, "-");

/** Layers f32[1,H,T,S] one after the other. */
function joined(layers: readonly { readonly dims: readonly number[]; readonly data: Float32Array }[]) {
  const [, H, T, S] = layers[0].dims;
  const weights = new Float32Array(layers.length * H * T * S);
  layers.forEach(({ data }, l) => weights.set(data, l * H * T * S));
  return { sizes: { L: layers.length, H, T, S }, weights };
}

/** By their names in links. */
export const SOURCES: Readonly<Record<string, AttentionSource>> = {
  cross: {
    title: "letters to phonemes (g2p-en, cross attention)",
    model: "g2p-en",
    text: "transformer",
    sides: ["phonemes", "letters"],
    async read(context, text, signal) {
      const { model, tokenizer } = await context.task("text2text", "g2p-en");
      const { ids, tokens } = tokenizer.encode(text.toLowerCase());
      isShort(ids);
      const { sequences, lengths, cross_attentions } = await model.generate(
        { input_ids: [ids] },
        { num_beams: 4, output_attentions: true, signal },
      );
      if (!cross_attentions) throw new Error("g2p-en: gave no attention");
      const [, L, H, T, S] = cross_attentions.dims;
      const generated = sequences[0].slice(lengths[0] - T, lengths[0]);
      return {
        sizes: { L, H, T, S },
        weights: new Float32Array(cross_attentions.data),
        queries: generated.map((id) => readable(tokenizer.id_to_token(id))),
        keys: tokens.map(readable),
      };
    },
  },
  encoder: {
    title: "words among each other (bert-pos, encoder)",
    model: "bert-pos",
    text: "The old man the boat while the young watch it .",
    sides: ["words", "words they look at"],
    async read(context, text, signal) {
      const { model, tokenizer } = await context.task("token-classification", "bert-pos");
      const { ids, tokens } = tokenizer.encode(text);
      isShort(ids);
      const { attentions = [] } = await model.encode({ input_ids: [ids] }, { output_attentions: true, signal });
      return { ...joined(attentions), queries: tokens.map(readable), keys: tokens.map(readable) };
    },
  },
  decoder: {
    title: "a text and what came before (gpt2-brown, decoder)",
    model: "gpt2-brown",
    text: "The committee said that the new school would be built in the city",
    sides: ["tokens", "tokens before them"],
    async read(context, text) {
      const { model, tokenizer } = await context.task("text-generation", "gpt2-brown");
      const { ids, tokens } = tokenizer.encode(text);
      isShort(ids);
      const { attentions = [] } = await model.forward({ input_ids: [ids] }, { output_attentions: true });
      return { ...joined(attentions), queries: tokens.map(readable), keys: tokens.map(readable) };
    },
  },
};
