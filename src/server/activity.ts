import { ApiError, clientGone } from "./errors.js";

/** A request while the server works for it. */
export interface Call {
  /** Aborts when the client has gone, the time is over, or the server ends; the reason is an ApiError. */
  readonly signal: AbortSignal;
  /** Gives the work up. */
  abort(reason: ApiError): void;
  /** Says that it has ended. */
  end(): void;
}

/** All requests that the server works for. */
export interface Activity {
  /** Begins one that may take so many seconds; `gone` aborts when its client leaves. Throws ApiError after `close`. */
  begin(gone: AbortSignal, seconds: number): Call;
  /** How many there are. */
  readonly open: number;
  /** Whether no more are begun. */
  readonly closed: boolean;
  /**
   * Begins none any more, waits for so many milliseconds until all have ended, and then ends those that are left.
   * Resolves with how many ended by themselves and how many did not.
   */
  close(milliseconds: number): Promise<{ readonly finished: number; readonly cut: number }>;
}

const UNWINDING = 1000; // milliseconds that requests have to end when they are told to

const stopping = (): ApiError =>
  new ApiError("the server is shutting down", { status: 503, code: "shutting_down", retryAfter: 1 });

/** Keeps account of requests. */
export function createActivity(): Activity {
  const calls = new Set<Call>();
  let closed = false;
  let wake = (): void => {};
  /** Waits for so many milliseconds until all have ended. */
  const ended = async (milliseconds: number): Promise<void> => {
    if (calls.size === 0) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const all = new Promise<void>((resolve) => (wake = resolve));
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, milliseconds)));
    await Promise.race([all, late]);
    clearTimeout(timer);
  };
  return {
    get open() {
      return calls.size;
    },
    get closed() {
      return closed;
    },
    begin(gone, seconds) {
      if (closed) throw stopping();
      const controller = new AbortController();
      const leave = (): void => controller.abort(clientGone());
      const late = new ApiError(`the request took more than ${seconds} s`, { status: 504, code: "timeout" });
      const timer = setTimeout(() => controller.abort(late), 1000 * seconds);
      const call: Call = {
        signal: controller.signal,
        abort: (reason) => controller.abort(reason),
        end() {
          clearTimeout(timer);
          gone.removeEventListener("abort", leave);
          calls.delete(call);
          if (calls.size === 0) wake();
        },
      };
      if (gone.aborted) leave();
      gone.addEventListener("abort", leave);
      calls.add(call);
      return call;
    },
    async close(milliseconds) {
      closed = true;
      const before = calls.size;
      await ended(milliseconds);
      const cut = calls.size;
      for (const call of calls) call.abort(stopping());
      await ended(UNWINDING);
      return { finished: before - cut, cut };
    },
  };
}
