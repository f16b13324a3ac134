import type { Call } from "./activity.js";
import { type ApiError, clientGone, errorBody } from "./errors.js";

/** How a stream of events is written. */
export interface StreamHooks {
  readonly call: Call;
  /** Seconds that a client may leave a piece unread. */
  readonly patience: number;
  /** An error as the client is told of it. */
  readonly tell: (error: unknown) => ApiError;
  /** Called at the end, with the error if there was one. */
  readonly ended: (error?: ApiError) => void;
  /** Cuts the connection of a client that does not read; absent where only the stream can be ended. */
  readonly cut?: () => void;
}

const HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache",
  "x-accel-buffering": "no", // proxies would hold events back
};

const DONE = "[DONE]";

/**
 * The answer that sends objects as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html),
 * [DONE] after the last. The next object is made when the client has taken the one before. An error is the last event.
 */
export function eventStream(events: AsyncIterator<object>, hooks: StreamHooks): Response {
  const { call, patience, tell, ended, cut } = hooks;
  const encoder = new TextEncoder();
  const line = (data: string): Uint8Array => encoder.encode(`data: ${data}\n\n`);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isOver = false;
  const finish = (error?: ApiError): void => {
    clearTimeout(timer);
    if (isOver) return;
    isOver = true;
    call.signal.removeEventListener("abort", stalled);
    ended(error);
  };
  /** The client has not taken what waits for it when the work is given up: nobody asks for a last event. */
  const stalled = (): void => {
    if (!waits) return;
    finish(call.signal.reason as ApiError);
    void events.return?.();
    if (cut) cut();
    else source?.error(call.signal.reason);
  };
  let source: ReadableStreamDefaultController<Uint8Array> | undefined;
  let waits = false;
  call.signal.addEventListener("abort", stalled);
  const body = new ReadableStream<Uint8Array>(
    {
      start: (controller) => void (source = controller),
      async pull(controller) {
        clearTimeout(timer);
        waits = false;
        try {
          const { done, value } = await events.next();
          controller.enqueue(line(done ? DONE : JSON.stringify(value)));
          if (done) finish();
          if (done) return controller.close();
          waits = true;
          timer = setTimeout(() => call.abort(clientGone()), 1000 * patience);
        } catch (error) {
          const told = tell(error);
          if (isOver) return;
          controller.enqueue(line(JSON.stringify(errorBody(told))));
          controller.close();
          finish(told);
        }
      },
      cancel() {
        call.abort(clientGone());
        finish(clientGone());
        return events.return?.().then(() => {});
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(body, { headers: HEADERS });
}
