import { builtinModule, variable } from "../../runtime/builtin.js";
import { OptionError, show } from "../../runtime/errors.js";
import type { HubPlace } from "./place.js";
import { PUBLIC_ENDPOINT } from "./place.js";

/** Options for models of the Hub. What they do not say, the variables of Python's client say. */
export interface HubOptions {
  /** A branch, a tag or a commit. Default: main, or what the name says (`org/name@revision`). */
  readonly revision?: string;
  /** A token of the Hub, for models that are gated or private; false sends none. Default: HF_TOKEN, or Python's login. */
  readonly token?: string | false;
  /** The address of the Hub. Default: HF_ENDPOINT, or https://huggingface.co. */
  readonly endpoint?: string;
  /**
   * The folder in which models are kept (Node, Deno, Bun), as Python's `cache_dir`; false keeps none, in browsers too.
   * Default: HF_HUB_CACHE, or `hub` in HF_HOME, or ~/.cache/huggingface/hub.
   */
  readonly cache_dir?: string | false;
  /** Takes models from the cache alone, without a request. Default: HF_HUB_OFFLINE. */
  readonly local_files_only?: boolean;
}

/** A repository at a revision, and how to reach it. */
export interface HubSettings {
  readonly repo: string;
  readonly revision: string;
  readonly folder: string;
  readonly endpoint: string;
  readonly token: string | undefined;
  /** The folder of the cache; false to keep nothing; undefined where there is no file system, or no folder is known. */
  readonly cacheDir: string | false | undefined;
  readonly offline: boolean;
  readonly ambiguous: boolean;
}

/** The address of the Hub, without a slash at its end. */
export const endpointOf = ({ endpoint = variable("HF_ENDPOINT") }: HubOptions): string =>
  (endpoint ?? PUBLIC_ENDPOINT).replace(/\/+$/, "");

/** Reads options, variables and the file of the token. Throws OptionError, in which no token is shown. */
export async function hubSettings(place: HubPlace, options: HubOptions): Promise<HubSettings> {
  const { revision = place.revision ?? "main", local_files_only } = options;
  if (place.revision !== undefined && revision !== place.revision)
    throw new OptionError(
      `load: revision must be absent or ${show(place.revision)}, which the name says, got ${show(revision)}`,
    );
  const parts = revision.split("/");
  if (!/^[\w][\w./+-]*$/.test(revision) || parts.some((part) => !part || /^\.+$/.test(part)))
    throw new OptionError(`load: revision must be a branch, a tag or a commit, got ${show(revision)}`);
  const endpoint = endpointOf(options);
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password)
    throw new OptionError("load: endpoint (HF_ENDPOINT) must be an address that begins with http:// or https://");
  const { repo, folder = "", ambiguous } = place;
  const offline = local_files_only ?? isTrue(variable("HF_HUB_OFFLINE") ?? variable("TRANSFORMERS_OFFLINE"));
  const token = offline ? undefined : await tokenOf(options.token);
  const cacheDir = options.cache_dir ?? cacheFolder();
  return { repo, revision, folder, endpoint, token, cacheDir, offline, ambiguous };
}

/** The folder of Python's cache; undefined in browsers and where it is not known. */
export function cacheFolder(): string | undefined {
  const given = variable("HF_HUB_CACHE") ?? variable("HUGGINGFACE_HUB_CACHE");
  const home = hubHome();
  return given ? withHome(given) : home && `${home}/hub`;
}

/** Whether a variable says yes, as Python's client reads it. */
export const isTrue = (value: string | undefined): boolean => /^(1|on|yes|true)$/i.test(value ?? "");

function hubHome(): string | undefined {
  const given = variable("HF_HOME");
  if (given) return withHome(given);
  const cache = variable("XDG_CACHE_HOME");
  const home = userHome();
  return cache ? `${withHome(cache)}/huggingface` : home && `${home}/.cache/huggingface`;
}

const withHome = (path: string): string => path.replace(/^~(?=\/|\\|$)/, () => userHome() ?? "~");

function userHome(): string | undefined {
  try {
    return variable("HOME") ?? variable("USERPROFILE") ?? builtinModule("node:os")?.homedir();
  } catch {
    return undefined; // Deno does not let the program see it
  }
}

async function tokenOf(given: string | false | undefined): Promise<string | undefined> {
  if (given === false) return undefined;
  const implicit = given === undefined && !isTrue(variable("HF_HUB_DISABLE_IMPLICIT_TOKEN"));
  const found = implicit
    ? (variable("HF_TOKEN") ?? variable("HUGGING_FACE_HUB_TOKEN") ?? (await readTokenFile()))
    : given;
  const token = found?.trim();
  if (token && !/^[\x21-\x7e]+$/.test(token))
    throw new OptionError("load: token (HF_TOKEN) must consist of letters, digits and signs, got other characters");
  return token === "" ? undefined : token;
}

async function readTokenFile(): Promise<string | undefined> {
  const files = builtinModule("node:fs/promises");
  const home = hubHome();
  const path = variable("HF_TOKEN_PATH") ?? (home && `${home}/token`);
  if (!files || !path) return undefined;
  return files.readFile(withHome(path), "utf8").catch(() => undefined);
}
