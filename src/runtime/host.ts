import type { Builtins } from "./builtin.js";

/** Properties of the global object that some runtimes have. */
interface Host {
  readonly process: { getBuiltinModule?<Name extends keyof Builtins>(name: Name): Builtins[Name] | undefined };
  readonly Deno: unknown;
  readonly document: unknown;
  readonly location: { readonly href: string; readonly origin: string };
  readonly navigator: { readonly gpu?: GPU; readonly userAgent?: string; readonly locks?: LockManager };
  readonly caches: CacheStorage;
  readonly isSecureContext: boolean;
  readonly setImmediate: (call: () => void) => void;
}

/**
 * A property of the global object; undefined where there is none, and where its getter throws: sandboxed frames refuse
 * `caches`. Pages may define any of them in part.
 */
export function hostObject<K extends keyof Host>(name: K): Host[K] | undefined {
  try {
    return (globalThis as Partial<Host>)[name];
  } catch {
    return undefined;
  }
}

/** Whether this is Deno. */
export const isDeno = (): boolean => hostObject("Deno") !== undefined;
