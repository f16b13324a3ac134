import type { Checkpoint, LoadHooks } from "./checkpoint.js";
import type { Entry } from "./safetensors.js";

/**
 * The checkpoint in which tied tensors are there once, under the first name of their group, whichever of its names they
 * are stored under. Copies are left out; a tensor with values of its own stays, as in Transformers: config.json is
 * wrong then. With `glance` a few numbers from the middle of tensors decide.
 */
export async function shareTied(
  checkpoint: Checkpoint,
  groups: readonly (readonly string[])[],
  hooks: LoadHooks,
  glance = false,
): Promise<Checkpoint> {
  const entries = new Map(checkpoint.entries);
  for (const names of groups) {
    const [first, ...others] = names.filter((name) => entries.has(name));
    if (first === undefined) continue;
    const shared = entries.get(first) as Entry;
    for (const name of others)
      if (await isCopy(checkpoint, shared, entries.get(name) as Entry, hooks, glance)) entries.delete(name);
    entries.delete(first);
    entries.set(names[0], shared);
  }
  return { ...checkpoint, entries };
}

const BLOCK = 2 ** 22; // bytes that are compared at a time
const GLANCE = 2 ** 10; // bytes that decide alone

/** Whether two tensors have the same dtype, shape and bytes. */
async function isCopy(checkpoint: Checkpoint, a: Entry, b: Entry, hooks: LoadHooks, glance: boolean): Promise<boolean> {
  if (a.dtype !== b.dtype || a.shape.join() !== b.shape.join()) return false;
  const { signal } = hooks;
  const { readBytes } = checkpoint;
  if (!glance) await checkpoint.fetch(hooks);
  const bytes = a.end - a.start;
  const [first, last] = glance ? [Math.floor(bytes / 2), Math.min(bytes, Math.floor(bytes / 2) + GLANCE)] : [0, bytes];
  for (let at = first; at < last; at += BLOCK) {
    const end = Math.min(at + BLOCK, last);
    const [x, y] = await Promise.all([readBytes(a, at, end, signal), readBytes(b, at, end, signal)]);
    for (let i = 0; i < x.length; i++) if (x[i] !== y[i]) return false;
  }
  return true;
}
