import { type Attentions, attentionsOf } from "../../../src/index.js";
import type { BundledModel, BundledTask, Context } from "../../support/view.js";

/** Attention weights of all heads of a text, and the tokens on both sides. */
export interface AttentionData {
  /** L layers, H heads, T queries, S keys. */
  readonly sizes: Readonly<Record<"L" | "H" | "T" | "S", number>>;
  /** f32[L,H,T,S]. */
  readonly weights: Float32Array<ArrayBuffer>;
  readonly queries: readonly string[];
  readonly keys: readonly string[];
}

/** An attention that can be seen: of which model, and which of those that it has. */
export interface AttentionSource {
  readonly title: string;
  readonly task: BundledTask;
  readonly model: BundledModel;
  readonly part: keyof Attentions;
  /** What is in the field at first. */
  readonly text: string;
  /** What its rows and its columns are. */
  readonly sides: readonly [queries: string, keys: string];
}

const g2p = { task: "text2text", model: "g2p-en", text: "transformer" } as const;

/** By their names in links. */
export const SOURCES: Readonly<Record<string, AttentionSource>> = {
  cross: {
    ...g2p,
    title: "letters to phonemes (g2p-en, cross attention)",
    part: "cross",
    sides: ["phonemes", "letters"],
  },
  letters: {
    ...g2p,
    title: "letters among each other (g2p-en, encoder)",
    part: "encoder",
    sides: ["letters", "letters they look at"],
  },
  phonemes: {
    ...g2p,
    title: "phonemes and those before them (g2p-en, decoder)",
    part: "decoder",
    sides: ["phonemes", "what came before"],
  },
  encoder: {
    title: "words among each other (bert-pos, encoder)",
    task: "token-classification",
    model: "bert-pos",
    part: "encoder",
    text: "The old man the boat while the young watch it .",
    sides: ["words", "words they look at"],
  },
  decoder: {
    title: "a text and what came before (gpt2-brown, decoder)",
    task: "text-generation",
    model: "gpt2-brown",
    part: "decoder",
    text: "The committee said that the new school would be built in the city",
    sides: ["tokens", "tokens before them"],
  },
};

const MOST = 64; // tokens: more cannot be read side by side

/** A token as people read it: without the marks that vocabularies have for spaces and pieces of words. */
const readable = ({ token }: { readonly token: string }): string => token.replace(/^[Ġ▁]/, "·").replace(/^##/, "-");

/** Computes the attention of a text. Throws Error for one of too many tokens. */
export async function readAttention(
  context: Context,
  { task, model, part }: AttentionSource,
  text: string,
  signal: AbortSignal,
): Promise<AttentionData> {
  const reader = await context.task(task, model);
  const count = reader.tokenizer.encode(text).ids.length;
  if (count > MOST) throw new Error(`At most ${MOST} tokens can be shown, the text has ${count}; shorten it.`);
  const found = (await attentionsOf(reader, model === "g2p-en" ? text.toLowerCase() : text, { signal }))[part];
  if (!found) throw new Error(`${model}: has no attention of this kind`);
  const [L, H, T, S] = found.weights.dims;
  return {
    sizes: { L, H, T, S },
    weights: new Float32Array(found.weights.data),
    queries: found.queries.map(readable),
    keys: found.keys.map(readable),
  };
}
