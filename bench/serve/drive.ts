import { gapsOf, type Request } from "./requests.js";

/** Something that answers requests. */
export interface Server {
  readonly name: string;
  /** Answers a request; `onTokens` is told how many tokens came. Resolves with its last. */
  answer(request: Request, onTokens: (count: number) => void): Promise<void>;
  /** Says that no more requests come, to one that gathers them. */
  flush?(): void;
}

/** What a caller saw of a request, in milliseconds of one clock. */
export interface Served {
  readonly arrived: number;
  /** When each token came. */
  readonly tokens: readonly number[];
  readonly ended: number;
}

async function ask(server: Server, request: Request): Promise<Served> {
  const arrived = performance.now();
  const tokens: number[] = [];
  await server.answer(request, (count) => {
    const now = performance.now();
    for (let i = 0; i < count; i++) tokens.push(now);
  });
  return { arrived, tokens, ended: performance.now() };
}

/** So many callers, each of whom asks again when it has its answer. */
export async function closedLoop(server: Server, requests: readonly Request[], callers: number): Promise<Served[]> {
  const served: Served[] = [];
  let next = 0;
  const caller = async (): Promise<void> => {
    while (next < requests.length) {
      const asked = ask(server, requests[next++]);
      if (next === requests.length) server.flush?.();
      served.push(await asked);
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return served;
}

/** Requests that arrive by themselves, `rate` a second in the mean. */
export async function openLoop(server: Server, requests: readonly Request[], rate: number): Promise<Served[]> {
  const start = performance.now();
  let due = 0;
  const gaps = gapsOf(requests.length, rate, 3);
  const asked: Promise<Served>[] = [];
  for (const [i, request] of requests.entries()) {
    due += gaps[i];
    const wait = start + due - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    asked.push(ask(server, request));
  }
  server.flush?.();
  return Promise.all(asked);
}
