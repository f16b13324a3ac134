import { type Activation, ACTIVATIONS } from "../../kernels/activation.js";
import { CheckpointError } from "../../runtime/errors.js";
import type { Json } from "./checkpoint.js";

/** Reads fields of `config.json` by type. Throws CheckpointError with the name of a field that is missing or wrong. */
export function readConfig(config: Json) {
  const refuse = (key: string, rule: string): CheckpointError =>
    new CheckpointError(`config.json: ${key} must be ${rule}, got ${JSON.stringify(config[key])}`);
  return {
    /** A whole number above 0. */
    count(key: string): number {
      const value = config[key];
      if (!Number.isSafeInteger(value) || (value as number) < 1 || (value as number) > 2 ** 31)
        throw refuse(key, "a whole number above 0");
      return value as number;
    },
    /** A whole number that divides the field `of`. */
    divisor(key: string, of: string): number {
      const [value, whole] = [this.count(key), this.count(of)];
      if (whole % value) throw refuse(key, `a divisor of ${of}=${whole}`);
      return value;
    },
    /** A number, or `fallback` when absent. */
    number(key: string, fallback: number): number {
      const value = config[key] ?? fallback;
      if (typeof value !== "number") throw refuse(key, "a number");
      return value;
    },
    /** A boolean, or `fallback` when absent. */
    flag(key: string, fallback: boolean): boolean {
      const value = config[key] ?? fallback;
      if (typeof value !== "boolean") throw refuse(key, "true or false");
      return value;
    },
    /** Our name of an activation that Transformers knows. */
    activation(key: string): Activation {
      const names = Object.entries<{ readonly names: readonly string[] }>(ACTIVATIONS);
      const found = names.find(([, one]) => one.names.includes(String(config[key])));
      if (!found) throw refuse(key, `one of ${names.flatMap(([, one]) => one.names).join(", ")}`);
      return found[0] as Activation;
    },
  };
}
