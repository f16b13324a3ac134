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

/** A plan that is prepared, or about to be. */
interface Kept {
  readonly preparing: Promise<Prepared>;
  prepared?: Prepared;
}

/** Keeps up to `most` plans. Runs that are submitted already still end well when their plan goes. */
export function createPreparedPlans(gpu: Gpu, most: number): PreparedPlans {
  const kept = new Map<string, Kept>();
  const prepare = (key: string, build: () => Plan): Kept => {
    const own: Kept = { preparing: gpu.prepare(build()) };
    own.preparing.then(
      (prepared) => {
        if (kept.get(key) === own) own.prepared = prepared;
        else prepared.dispose();
      },
      () => kept.get(key) === own && kept.delete(key),
    );
    return own;
  };
  const drop = (key: string): void => {
    kept.get(key)?.prepared?.dispose();
    kept.delete(key);
  };
  return {
    get(key, build) {
      const own = kept.get(key) ?? prepare(key, build);
      kept.delete(key);
      kept.set(key, own); // the last one now
      if (kept.size > most) drop(kept.keys().next().value as string);
      return own.preparing;
    },
    dispose: () => [...kept.keys()].forEach(drop),
  };
}
