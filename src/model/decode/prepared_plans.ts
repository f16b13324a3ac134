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

/** Keeps up to `most` plans. Runs that are submitted already still end well when their plan goes. */
export function createPreparedPlans(gpu: Gpu, most: number): PreparedPlans {
  const kept = new Map<string, Promise<Prepared>>();
  const drop = (key: string): void => {
    kept.get(key)?.then(
      (prepared) => prepared.dispose(),
      () => {},
    );
    kept.delete(key);
  };
  return {
    get(key, build) {
      const found = kept.get(key) ?? gpu.prepare(build());
      kept.delete(key);
      kept.set(key, found); // the last one now
      found.catch(() => kept.delete(key));
      if (kept.size > most) drop(kept.keys().next().value as string);
      return found;
    },
    dispose: () => [...kept.keys()].forEach(drop),
  };
}
