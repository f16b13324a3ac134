/**
 * Keeps what finished calls held on the device for later calls of the same shape. A value in use belongs to one call
 * alone.
 */
export interface IdleCache {
  /** An idle value with this key, or a new one. */
  acquire<T extends { dispose(): void }>(key: string, make: () => Promise<T>): Promise<T>;
  /** Makes a value idle; disposes of the oldest ones beyond the capacity. */
  release(key: string, value: { dispose(): void }): void;
  /** Disposes of all idle values, and of those in use once they are released: their device was lost. */
  clear(): void;
  /** Disposes of all idle values, and of those in use once they are released. */
  dispose(): void;
}

/** A cache of at most `capacity` idle values. */
export function createIdleCache(capacity: number): IdleCache {
  let idle: { key: string; value: { dispose(): void } }[] = [];
  let current = new WeakSet<object>(); // values made since the last `clear`
  let disposed = false;
  const clear = (): void => {
    const old = idle;
    idle = [];
    current = new WeakSet();
    for (const { value } of old) value.dispose();
  };
  return {
    async acquire<T extends { dispose(): void }>(key: string, make: () => Promise<T>): Promise<T> {
      const found = idle.findLastIndex((entry) => entry.key === key);
      if (found >= 0) return idle.splice(found, 1)[0].value as T;
      const era = current;
      const value = await make();
      era.add(value);
      return value;
    },
    release(key, value) {
      if (disposed || !current.has(value)) return value.dispose();
      idle.push({ key, value });
      while (idle.length > capacity) idle.shift()?.value.dispose();
    },
    clear,
    dispose() {
      disposed = true;
      clear();
    },
  };
}
