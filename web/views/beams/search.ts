import type { Context } from "../../support/view.js";
import type { SearchStep } from "../../../src/index.js";

/** What is searched for, and how. */
export interface Settings {
  readonly model: "g2p-en" | "gpt2-brown";
  readonly text: string;
  readonly num_beams: number;
  readonly length_penalty: number;
  readonly early_stopping: boolean | "never";
  readonly num_beam_groups: number;
  readonly diversity_penalty: number;
  readonly num_return_sequences: number;
  readonly max_new_tokens: number;
  /** Tokens that every result begins with, after the text or the start token. */
  readonly prefix: readonly number[];
  /** Results differ in the token after the prefix. */
  readonly return_alternatives: boolean;
}

export interface Found {
  /** The tokens of each result after the text or the start token and the prefix, best first. */
  readonly results: readonly { readonly ids: readonly number[]; readonly score?: number }[];
}

const TASKS = { "g2p-en": "text2text", "gpt2-brown": "text-generation" } as const;

/** Names tokens and puts them together. */
export interface Speller {
  /** A token as a label. */
  label(id: number): string;
  /** The text of tokens after the prefix, with it. */
  text(ids: readonly number[]): string;
}

/** Opens the model of a search, and reads what spells its tokens. */
export async function openSpeller({ task }: Context, { model, prefix }: Settings): Promise<Speller> {
  const { tokenizer, model: opened } = await task(TASKS[model], model);
  const ends = new Set([opened.generationDefaults.options.eos_token_id ?? []].flat());
  return {
    label(id) {
      if (ends.has(id)) return "end";
      const text = tokenizer.decode([id]);
      if (!text.trim()) return JSON.stringify(text).slice(1, -1).trim() || "␣";
      return model === "g2p-en" || text.startsWith(" ") ? text.trim() : `…${text}`;
    },
    text: (ids) => tokenizer.decode([...prefix, ...ids], { skip_special_tokens: true }),
  };
}

/** Runs a search and hands its steps over. Throws what the model throws, and the signal's reason. */
export async function search(
  { task }: Context,
  { model: name, text, prefix, ...options }: Settings,
  onStep: (step: SearchStep) => void,
  signal: AbortSignal,
): Promise<Found> {
  const { model, tokenizer } = await task(TASKS[name], name);
  signal.throwIfAborted();
  const { ids, tokens } = tokenizer.encode(text);
  if (!text) throw new Error("Type a word first, or the beginning of a text.");
  if (ids.includes(tokenizer.unk_token_id ?? -1))
    throw new Error(`“${text}” has characters that ${name} does not know: it reads ${tokens.join(" ")}.`);
  const start = model.generationDefaults.options.decoder_start_token_id as number;
  const given = name === "g2p-en" ? [start, ...prefix] : [...ids, ...prefix];
  const inputs = name === "g2p-en" ? { input_ids: [ids], decoder_input_ids: [given] } : { input_ids: [given] };
  const { sequences, lengths, sequences_scores } = await model.generate(inputs, { ...options, onStep, signal });
  return {
    results: sequences.map((row, i) => ({ ids: row.slice(given.length, lengths[i]), score: sequences_scores?.[i] })),
  };
}
