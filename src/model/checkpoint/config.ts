import { type Activation, ACTIVATIONS } from "../../kernels/activation.js";
import { CheckpointError, show } from "../../runtime/errors.js";
import type { Json } from "./checkpoint.js";
import type { Entry } from "./safetensors.js";

/**
 * Reads fields of `config.json`, or of another `file`, by type; null counts as absent. With the tensors of the
 * checkpoint, sizes are bounded by the largest of them, so that no absurd size is ever allocated. Throws CheckpointError
 * with the name of a field that is missing or wrong.
 */
export function readConfig(config: Json, entries?: ReadonlyMap<string, Entry>, file = "config.json") {
  const refuse = (key: string, rule: string, given: unknown = config[key]): CheckpointError =>
    new CheckpointError(`${file}: ${key} must be ${rule}, got ${show(given)}`);
  const whole = (key: string, fallback: number | undefined, most: number): number => {
    const value = config[key] ?? fallback;
    if (!Number.isSafeInteger(value) || (value as number) < 1 || (value as number) > 2 ** 31)
      throw refuse(key, "a whole number above 0", value);
    if ((value as number) > most) throw refuse(key, `at most ${most}, as the checkpoint has it`, value);
    return value as number;
  };
  const number = (key: string, fallback?: number): number => {
    const value = config[key] ?? fallback;
    if (typeof value !== "number") throw refuse(key, "a number");
    return value;
  };
  return {
    refuse,
    /** A size: a whole number above 0, no larger than the largest tensor. */
    count: (key: string, fallback?: number): number => whole(key, fallback, entries ? largest(entries) : Infinity),
    /** A number of layers, each of which has at least 8 tensors. */
    layers: (key: string, fallback: number): number =>
      whole(key, fallback, entries ? Math.ceil(entries.size / 8) : Infinity),
    /** A number of positions, which need no tensor. */
    positions: (key: string, fallback: number): number => whole(key, fallback, Infinity),
    /** A whole number that divides `total`, the value of the field `of`. */
    divisor(key: string, fallback: number, of: string, total: number): number {
      const value = whole(key, fallback, Infinity);
      if (total % value) throw refuse(key, `a divisor of ${of}=${total}`, value);
      return value;
    },
    number,
    /** A number that is not negative. */
    size(key: string, fallback?: number): number {
      const value = number(key, fallback);
      if (!(value >= 0 && value < Infinity)) throw refuse(key, "a number that is not negative");
      return value;
    },
    /** A boolean, or `fallback` when absent. */
    flag(key: string, fallback: boolean): boolean {
      const value = config[key] ?? fallback;
      if (typeof value !== "boolean") throw refuse(key, "true or false");
      return value;
    },
    /** Our name of an activation that Transformers knows. */
    activation(key: string, fallback: string): Activation {
      const names = Object.entries<{ readonly names: readonly string[] }>(ACTIVATIONS);
      const given = (config[key] ?? fallback) as string;
      const found = names.find(([, one]) => one.names.includes(given));
      if (!found) throw refuse(key, `one of ${names.flatMap(([, one]) => one.names).join(", ")}`, given);
      return found[0] as Activation;
    },
  };
}

/** Elements of the largest tensor. */
function largest(entries: ReadonlyMap<string, Entry>): number {
  let most = 1;
  for (const { shape } of entries.values())
    most = Math.max(
      most,
      shape.reduce((product, size) => product * size, 1),
    );
  return most;
}
