import type files from "node:fs/promises";
import type process from "node:process";

/** What of Node's own modules is used here. */
export interface Builtins {
  readonly "node:fs/promises": typeof files;
  readonly "node:process": typeof process;
}

interface Global {
  readonly process?: { getBuiltinModule?<Name extends keyof Builtins>(name: Name): Builtins[Name] | undefined };
}

/**
 * A module that Node and Deno bring along; undefined in browsers, also where a page defines a `process` of its own. It is
 * asked for at run time, because bundlers for browsers stop at an import of such a module.
 */
export const builtinModule = <Name extends keyof Builtins>(name: Name): Builtins[Name] | undefined =>
  (globalThis as Global).process?.getBuiltinModule?.(name);
