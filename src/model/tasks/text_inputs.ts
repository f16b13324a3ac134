import { InputError, show } from "../../runtime/errors.js";

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

/** A text as it is. Throws InputError for anything else. */
export function checkText(text: unknown, name = "text"): string {
  if (typeof text !== "string") throw new InputError(`${name}: must be a string, got ${show(text)}`);
  return text;
}
