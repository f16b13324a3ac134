/** Events that wait for their reader. */
export interface StreamBuffer<E> {
  /** Adds events. */
  emit(events: readonly E[]): void;
  /** Ends the stream when this settles; with its reason, if that rejects. */
  end(result: Promise<unknown>): void;
  /** Whether anybody reads. */
  readonly wanted: boolean;
  /** The events, for one reader; leaving early calls `leave`. */
  readonly stream: AsyncIterable<E>;
}

/** A buffer without events; it refuses its reader with an error, if there is one. */
export function createStreamBuffer<E>(leave: () => void, refusal?: Error): StreamBuffer<E> {
  const events: E[] = [];
  let wake = (): void => {};
  let wanted = false;
  let ended: Promise<unknown> | undefined;
  async function* read(): AsyncGenerator<E, undefined> {
    let over = false;
    try {
      for (;;) {
        const event = events.shift();
        if (event !== undefined) yield event;
        else if (ended) break;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
      over = true;
      await ended;
      return undefined;
    } finally {
      if (!over) leave();
    }
  }
  return {
    get wanted() {
      return wanted;
    },
    emit(more) {
      for (const event of more) events.push(event);
      wake();
    },
    end(result) {
      const over = (): void => {
        ended = result;
        wake();
      };
      result.then(over, over);
    },
    stream: {
      [Symbol.asyncIterator]() {
        if (refusal) throw refusal;
        wanted = true;
        return read();
      },
    },
  };
}
