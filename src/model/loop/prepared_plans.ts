import type { Gpu } from "../../runtime/gpu.js";
import type { Plan } from "../../runtime/plan.js";
import type { Prepared } from "../../runtime/prepare.js";

/** Prepared plans by a key; those that were used last stay. */
export interface PreparedPlans {
  /** The plan of this key, which `build` records the first time. Rejects as `prepare` does. */
  get(key: string, build: () => Plan): Promise<Prepared>;
  /** Frees the memory of all. */
  dispose(): void;
}

/** A plan that is, or will be, prepared. */
interface Kept {
  readonly coming: Promise<Prepared>;
  prepared?: Prepared;
}

/** Keeps up to `most` plans. Runs that are submitted already still end well when their plan goes. */
export function createPreparedPlans(gpu: Gpu, most: number): PreparedPlans {
  const kept = new Map<string, Kept>();
  const keep = (key: string, coming: Promise<Prepared>): Kept => {
    const one: Kept = { coming };
    coming.then(
      (prepared) => (one.prepared = prepared),
      () => kept.get(key) === one && kept.delete(key),
    );
    return one;
  };
  const drop = (key: string): void => {
    const one = kept.get(key);
    kept.delete(key);
    if (one?.prepared) return one.prepared.dispose(); // now: who disposes of a model counts what is left
    one?.coming.then(
      (prepared) => prepared.dispose(),
      () => {},
    );
  };
  return {
    get(key, build) {
      const found = kept.get(key) ?? keep(key, gpu.prepare(build()));
      kept.delete(key);
      kept.set(key, found); // the last one now
      if (kept.size > most) drop(kept.keys().next().value as string);
      return found.coming;
    },
    dispose: () => [...kept.keys()].forEach(drop),
  };
}
