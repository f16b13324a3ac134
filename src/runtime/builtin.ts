import type crypto from "node:crypto";
import type files from "node:fs/promises";
import type os from "node:os";
import type process from "node:process";
import { hostObject, isDeno } from "./host.js";

/** What of Node's own modules is used here. */
export interface Builtins {
  readonly "node:fs/promises": typeof files;
  readonly "node:crypto": typeof crypto;
  readonly "node:os": typeof os;
  readonly "node:process": typeof process;
}

/**
 * A module that Node and Deno bring along; undefined in browsers, also where a page defines a `process` of its own. It is
 * asked for at run time, because bundlers for browsers stop at an import of such a module.
 */
export const builtinModule = <Name extends keyof Builtins>(name: Name): Builtins[Name] | undefined =>
  hostObject("process")?.getBuiltinModule?.(name);

/** Whether this is Node, and no page in which a bundler plays at it. */
export const isNode = (): boolean => builtinModule("node:process") !== undefined && !isDeno();

/** A variable of the environment; undefined in browsers, and where Deno does not let the program see it. */
export function variable(name: string): string | undefined {
  try {
    const value = builtinModule("node:process")?.env[name];
    return value === "" ? undefined : value;
  } catch {
    return undefined;
  }
}
