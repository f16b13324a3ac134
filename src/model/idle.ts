/** Device memory of finished calls, kept for the next call of the same shape. A value in use belongs to one call alone. */
export interface Pool {
  /** An idle value of this key, or a new one. */
  take<T extends { dispose(): void }>(key: string, make: () => Promise<T>): Promise<T>;
  give(key: string, value: { dispose(): void }): void;
  dispose(): void;
}

export function createPool(capacity: number): Pool {
  let idle: { key: string; value: { dispose(): void } }[] = [];
  let disposed = false;
  return {
    async take<T extends { dispose(): void }>(key: string, make: () => Promise<T>): Promise<T> {
      const found = idle.findLastIndex((entry) => entry.key === key);
      return found >= 0 ? (idle.splice(found, 1)[0].value as T) : make();
    },
    give(key, value) {
      if (disposed) return value.dispose();
      idle.push({ key, value });
      while (idle.length > capacity) idle.shift()?.value.dispose();
    },
    dispose() {
      disposed = true;
      for (const { value } of idle) value.dispose();
      idle = [];
    },
  };
}
