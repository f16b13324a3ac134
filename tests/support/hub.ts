import type { IncomingMessage, ServerResponse } from "node:http";

/** A repository of a simulated Hub: files by name of each commit, commits by branch. */
export interface Repo {
  readonly branches: Record<string, string>;
  readonly commits: Readonly<Record<string, ReadonlyMap<string, Uint8Array<ArrayBuffer>>>>;
  /** Only this token may read it; whether its page can be seen by others, who have to accept its licence. */
  readonly token?: string;
  readonly gated?: boolean;
}

/** A request to the Hub, or to the host that keeps its large files. */
export interface HubRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: { readonly range?: string; readonly authorization?: string };
}

/** What the Hub, or the other host, answers. */
export interface HubAnswer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body?: Uint8Array<ArrayBuffer>;
}

const LARGE = 20_000; // bytes; the Hub itself keeps what is smaller

async function digest(kind: "SHA-1" | "SHA-256", bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const sum = new Uint8Array(await crypto.subtle.digest(kind, bytes));
  return Array.from(sum, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The name that git gives to a small file. */
async function gitName(file: Uint8Array<ArrayBuffer>): Promise<string> {
  const head = new TextEncoder().encode(`blob ${file.length}\0`);
  const bytes = new Uint8Array(head.length + file.length);
  bytes.set(head);
  bytes.set(file, head.length);
  return digest("SHA-1", bytes);
}

const etags = new WeakMap<Uint8Array, Promise<string>>();

/** The ETag of a file: what a cache calls it. */
export function etagOf(name: string, file: Uint8Array<ArrayBuffer>): Promise<string> {
  const etag = etags.get(file) ?? (isLarge(name, file) ? digest("SHA-256", file) : gitName(file));
  etags.set(file, etag);
  return etag;
}

const isLarge = (name: string, file: Uint8Array): boolean => name.endsWith(".safetensors") || file.length > LARGE;

const refusal = (status: number, code: string, commit?: string): HubAnswer => ({
  status,
  headers: { "x-error-code": code, "x-error-message": code, ...(commit && { "x-repo-commit": commit }) },
});

/** What the Hub answers; large files are at `store`, another origin. */
export async function answerHub(
  repos: Readonly<Record<string, Repo>>,
  store: string,
  { method, path, headers }: HubRequest,
): Promise<HubAnswer> {
  const [, id, revision, name] = /^\/(.+?)\/resolve\/((?:refs%2F\w+%2F)?[^/]+)\/(.+)$/.exec(path) ?? [];
  const repo = repos[id ?? ""];
  const own = repo?.token !== undefined && headers.authorization === `Bearer ${repo.token}`;
  if (!repo || (repo.token !== undefined && !own && !repo.gated))
    return refusal(headers.authorization ? 404 : 401, "RepoNotFound");
  const wanted = decodeURIComponent(revision);
  const commit = repo.branches[wanted] ?? (wanted in repo.commits ? wanted : undefined);
  if (commit === undefined) return refusal(404, "RevisionNotFound");
  if (repo.token !== undefined && !own) return refusal(headers.authorization ? 403 : 401, "GatedRepo");
  const file = repo.commits[commit].get(decodeURIComponent(name));
  if (!file) return refusal(404, "EntryNotFound", commit);
  const etag = await etagOf(name, file);
  if (!isLarge(name, file)) {
    const plain = { "x-repo-commit": commit, etag: `"${etag}"`, "content-length": String(file.length) };
    return { status: 200, headers: plain, body: method === "HEAD" ? undefined : file };
  }
  const linked = { "x-linked-etag": `"${etag}"`, "x-linked-size": String(file.length), etag: '"pointer"' };
  const location = `${store}/${etag}/${commit}/${id}/${encodeURIComponent(name)}?signature=1`;
  return { status: 302, headers: { "x-repo-commit": commit, location, ...linked } };
}

/** What the host of large files answers: with ranges, to GET alone, and never to a token. */
export function answerStore(
  repos: Readonly<Record<string, Repo>>,
  { method, path, headers: { range, authorization } }: HubRequest,
): HubAnswer {
  const [, etag, commit, id, name] = /^\/(\w+)\/(\w+)\/(.+)\/([^/]+)\?signature=1$/.exec(path) ?? [];
  const file = repos[id ?? ""]?.commits[commit].get(decodeURIComponent(name));
  if (!file) return { status: 404, headers: {} };
  if (authorization || method !== "GET") return { status: 403, headers: {} };
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(range ?? "") ?? [];
  if (first === undefined) return { status: 200, headers: { etag: `"${etag}"` }, body: file };
  const part = file.slice(Number(first), last ? Number(last) + 1 : undefined);
  const place = `bytes ${first}-${Number(first) + part.length - 1}/${file.length}`;
  return { status: 206, headers: { etag: `"${etag}"`, "content-range": place }, body: part };
}

/** A Hub that runs: what it was asked, and what it is to do otherwise. */
export interface RunningHub {
  readonly url: string;
  /** Lines such as "GET /org/name/resolve/main/config.json", or "GET store 0-65536" for large files. */
  readonly log: string[];
  /** Requests to the other host that had a token. */
  readonly leaks: string[];
  /** Answers in a way of its own; returns false to leave it to the Hub. */
  behaviour: (request: HubRequest, answer: HubAnswer, response: ServerResponse) => boolean;
}

/** Runs `body` with a Hub, and the host of its large files, on this machine. */
export async function serveHub(
  repos: Readonly<Record<string, Repo>>,
  body: (hub: RunningHub) => unknown,
): Promise<void> {
  const { createServer } = await import("node:http");
  const hub: RunningHub & { url: string } = { url: "", log: [], leaks: [], behaviour: () => false };
  let store = "";
  const start = async (answer: (asked: HubRequest) => HubAnswer | Promise<HubAnswer>) => {
    const handle = async ({ method = "", url = "", headers }: IncomingMessage, response: ServerResponse) => {
      const request = { method, path: url, headers };
      const given = await answer(request);
      if (hub.behaviour(request, given, response)) return;
      response.writeHead(given.status, given.headers).end(given.body);
    };
    const server = createServer((request, response) => void handle(request, response));
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("the server must listen on a port");
    return { server, url: `http://127.0.0.1:${address.port}` };
  };
  const stored = await start((request) => {
    hub.log.push(`${request.method} store ${request.headers.range?.slice(6) ?? "whole"}`);
    if (request.headers.authorization) hub.leaks.push(request.path);
    return answerStore(repos, request);
  });
  store = stored.url;
  const main = await start((request) => {
    hub.log.push(`${request.method} ${request.path}`);
    return answerHub(repos, store, request);
  });
  hub.url = main.url;
  try {
    await body(hub);
  } finally {
    for (const { server } of [stored, main]) {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    }
  }
}
