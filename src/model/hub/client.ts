import { builtinModule } from "../../runtime/builtin.js";
import { CheckpointError } from "../../runtime/errors.js";
import { type Get, openUrl } from "../checkpoint/http.js";
import type { SourceFile } from "../checkpoint/source.js";
import type { HubSettings } from "./settings.js";

/** The Hub says that a repository or a revision is not there, or not for this caller. */
export class RefusedError extends CheckpointError {}

/** A file of the Hub, and what the Hub says of it. */
export interface Remote {
  /** Undefined when the repository has none of this name. */
  readonly file: SourceFile | undefined;
  readonly commit: string | undefined;
  /** The name of its content: in a cache, and as long as it is the same. */
  readonly etag: string | undefined;
}

const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const MOST_HOPS = 6;

/**
 * Opens a file of a repository at a revision. Files of weights are read by ranges, others whole. Throws RefusedError, and
 * CheckpointError when the Hub cannot be reached.
 */
export async function openRemote(
  settings: HubSettings,
  revision: string,
  name: string,
  signal?: AbortSignal,
  tries?: number,
): Promise<Remote> {
  const { endpoint, repo } = settings;
  const path = [...repo.split("/"), "resolve", revision, ...name.split("/")].map(encodeURIComponent).join("/");
  const said = new Map<string, string>();
  const file = await openUrl(`${endpoint}/${path}`, name, signal, hubGet(settings, said), tries);
  const etag = said.get("x-linked-etag") ?? said.get("etag");
  return { file, commit: said.get("x-repo-commit"), etag: etag?.replace(/^W\/|"/g, "") };
}

const SAID = ["x-repo-commit", "x-linked-etag", "etag"];

/**
 * How requests to the Hub are made: the token goes to the Hub alone, not to hosts that it redirects to. `said` takes what
 * the Hub itself says of the file. Browsers follow redirects on their own, and leave the token out as well.
 */
function hubGet(settings: HubSettings, said: Map<string, string>): Get {
  const { endpoint, token } = settings;
  const { origin } = new URL(endpoint);
  const redirect = builtinModule("node:fs/promises") ? "manual" : "follow";
  return async (url, { headers, signal }) => {
    let at = url;
    for (let hop = 0; hop < MOST_HOPS; hop++) {
      const own: Record<string, string> =
        new URL(at).origin === origin && token ? { authorization: `Bearer ${token}` } : {};
      const answer = await fetch(at, { headers: { ...headers, ...own }, signal, redirect });
      const isHub = new URL(answer.url || at).origin === origin;
      if (isHub) {
        for (const name of SAID) {
          const value = answer.headers.get(name);
          if (value) said.set(name, value);
        }
      }
      const location = answer.headers.get("location");
      if (!REDIRECTS.has(answer.status) || !location) {
        const refusal = isHub ? refusalOf(answer, settings) : undefined;
        if (refusal) await answer.body?.cancel();
        if (refusal) throw refusal;
        return answer;
      }
      await answer.body?.cancel();
      at = new URL(location, at).href;
    }
    throw new CheckpointError(`${url}: must be answered with the file, got ${MOST_HOPS} redirects; check the address`);
  };
}

/** What a refusal of the Hub means, and the cure; undefined for other answers. */
function refusalOf(answer: Response, settings: HubSettings): RefusedError | undefined {
  const { endpoint, repo, revision, token, ambiguous } = settings;
  const code = answer.headers.get("x-error-code");
  const page = `${endpoint}/${repo}`;
  const give = "set the option token or the variable HF_TOKEN";
  if (code === "GatedRepo")
    return new RefusedError(
      `${repo}: must be readable, its licence has to be accepted first; accept it at ${page}, then ${token ? "give a token of that account" : give}`,
    );
  if (code === "RevisionNotFound")
    return new RefusedError(
      `${repo}: revision must be a branch, a tag or a commit of it, got ${revision}; ${page}/tree/main lists them`,
    );
  if (code === "RepoNotFound" || answer.status === 401) {
    const what = ambiguous ? "a folder that is there or a model at" : "a model at";
    const rest = token
      ? "that this token may read; check the name and the token"
      : `; check the name, or ${give} if it is private`;
    return new RefusedError(`${repo}: must be ${what} ${endpoint}, found none ${rest}`.replace(" ;", ";"));
  }
  if (answer.status !== 403) return undefined;
  return new RefusedError(
    `${repo}: must be readable, ${endpoint} answered 403${code ? ` ${code}` : ""}; ${token ? "check what the token may read" : give}`,
  );
}
