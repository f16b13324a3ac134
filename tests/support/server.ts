import type { IncomingMessage, ServerResponse } from "node:http";

/** A request to a test server: the name of a file, the query, and the range that is asked for. */
export interface Asked {
  readonly name: string;
  readonly query: string;
  readonly range?: readonly [start: number, end: number];
  /** How often this file has been asked for, this time included. */
  readonly count: number;
  readonly request: IncomingMessage;
}

/** Answers a request in a way of its own; returns false to leave it to the server. */
export type Behaviour = (asked: Asked, response: ServerResponse, file: Uint8Array | undefined) => boolean;

/** The part of a file that is asked for, `end` excluded, as a server gives it. */
export function sendRange(
  response: ServerResponse,
  file: Uint8Array,
  [start, end]: readonly [start: number, end: number],
  headers: Readonly<Record<string, string>> = {},
): true {
  const part = file.subarray(start, end);
  response.writeHead(206, { "content-range": `bytes ${start}-${start + part.length - 1}/${file.length}`, ...headers });
  response.end(part);
  return true;
}

/** Sends a status and perhaps a text. */
export function sendStatus(
  response: ServerResponse,
  status: number,
  text = "",
  headers: Readonly<Record<string, string>> = {},
): true {
  response.writeHead(status, headers).end(text);
  return true;
}

/**
 * Runs `body` with the URL of a folder of these files on a server that behaves like `behaviour`, and as a good server
 * with ranges where that returns false. `log` takes a line for each request.
 */
export async function serveFiles(
  files: ReadonlyMap<string, Uint8Array>,
  behaviour: Behaviour,
  body: (url: string, log: readonly string[]) => unknown,
): Promise<void> {
  const { createServer } = await import("node:http");
  const counts = new Map<string, number>();
  const log: string[] = [];
  const server = createServer((request, response) => {
    const [path, query = ""] = (request.url ?? "").split("?");
    const name = decodeURIComponent(path.replace(/^\/folder\//, ""));
    const [, start, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
    const range = start === undefined ? undefined : ([Number(start), Number(last) + 1] as const);
    const count = (counts.get(name) ?? 0) + 1;
    counts.set(name, count);
    log.push(`${name} ${range?.join("-") ?? "whole"}`);
    const file = files.get(name);
    if (behaviour({ name, query, range, count, request }, response, file)) return;
    if (!file) sendStatus(response, 404, "none");
    else if (range) sendRange(response, file, range);
    else response.writeHead(200).end(file);
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server must listen on a port");
  try {
    await body(`http://127.0.0.1:${address.port}/folder`, log);
  } finally {
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  }
}
