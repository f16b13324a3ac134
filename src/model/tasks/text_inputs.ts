import { InputError, show } from "../../runtime/errors.js";
import type { Model } from "../model.js";
import type { Tokenizer } from "../text/tokenizer.js";

/**
 * Reads the input of a task, or each of a list of inputs. Throws InputError with the name of the task and, in a list, the
 * index of the bad one.
 */
export function readInputs<Input, T>(name: string, input: Input | readonly Input[], read: (one: Input) => T): T[] {
  const isList = Array.isArray(input);
  return Array.from((isList ? input : [input]) as readonly Input[], (one, index) => {
    try {
      return read(one);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      throw new InputError(`${name}: ${isList ? `input ${index}: ` : ""}${error.message}`, { cause: error });
    }
  });
}

/** A text and its tokens. */
export interface Prompt {
  readonly text: string;
  readonly ids: readonly number[];
}

/** Prompts as `generate()` takes them: every token of a text counts, the padding token too. */
export const generateInputs = (prompts: readonly Prompt[]) => {
  const input_ids = prompts.map(({ ids }) => ids);
  return { input_ids, attention_mask: input_ids.map((ids) => ids.map(() => 1)) };
};

/**
 * The tokens of a text; of one without any, the token that texts begin with, as in Transformers. Throws InputError when
 * there is none either, and for what the vocabulary has not unless allowed.
 */
export function readPrompt(model: Model, tokenizer: Tokenizer, text: string, allowUnknown: boolean): Prompt {
  const { ids, offsets, sequence_ids, unknown } = tokenizer.encode(text);
  const bos = model.generationDefaults.options.bos_token_id ?? model.checkpoint.config.bos_token_id;
  if (ids.length === 0 && typeof bos === "number" && !model.architecture.encoder) return { text, ids: [bos] };
  if (ids.length === 0) throw new InputError(`text: must give at least one token, ${show(text)} gives none`);
  if (unknown && !allowUnknown) {
    const strange = ids.flatMap((id, t) =>
      id === tokenizer.unk_token_id && sequence_ids[t] !== null ? text.slice(...offsets[t]) : [],
    );
    const which = [...new Set(strange)].map(show).join(", ");
    throw new InputError(
      `text: ${show(text)} must consist of what the model's vocabulary knows, ${which} is not in it; leave it out, or pass allow_unknown: true`,
    );
  }
  return { text, ids };
}
