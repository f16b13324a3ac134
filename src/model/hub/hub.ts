import { CheckpointError } from "../../runtime/errors.js";
import { AbsentError, isText } from "../checkpoint/http.js";
import type { CheckpointSource, SourceFile } from "../checkpoint/source.js";
import { type HubCache, openCache } from "./cache.js";
import { openRemote, RefusedError, type Remote } from "./client.js";
import { downloadFile } from "./download.js";
import { hubPlace } from "./place.js";
import { endpointOf, type HubOptions, type HubSettings, hubSettings } from "./settings.js";

const CONFIG = "config.json";
const TEXTS = [CONFIG, "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"]; // that come with the weights
const PATIENCE = 10e3; // ms that the Hub may take where the cache could serve
const TRIES = 3; // of the first request, where the cache could not
const COMMIT = /^[0-9a-f]{40}([0-9a-f]{24})?$/;

/** The state of a repository that all its files are taken from. */
interface Snapshot {
  readonly commit: string;
  /** Why files that are not in the cache cannot be had; undefined when the Hub can be asked. */
  readonly unreachable?: string;
  /** config.json, if asking for the commit has brought it. */
  readonly config?: Remote;
}

/**
 * A model of the Hub as a source. All its files are of one commit: one request tells which that is, and what the cache has
 * of it is not asked for again. Undefined for what names no model. Throws OptionError; its files throw CheckpointError with
 * the cure.
 */
export async function hubSource(text: string, options: HubOptions): Promise<CheckpointSource | undefined> {
  const place = hubPlace(text, endpointOf(options));
  if (!place) return undefined;
  const settings = await hubSettings(place, options);
  const { repo, revision, folder } = settings;
  const cache = await openCache(settings);
  const open = once(async (name, signal) => openAt(settings, cache, await resolveOnce("", signal), name, signal));
  const resolveOnce = once((_, signal) => resolve(settings, cache, signal));
  const inFolder: CheckpointSource["open"] = (name, signal) => open(folder ? `${folder}/${name}` : name, signal);
  return {
    label: revision === "main" ? repo : `${repo}@${revision}`,
    async open(name, signal) {
      const file = await inFolder(name, signal);
      if (!file?.fetch) return file;
      const fetchAll: SourceFile["fetch"] = async (...hooks) => {
        await Promise.all([file.fetch?.(...hooks), ...TEXTS.map((text) => inFolder(text, hooks[0]))]);
      };
      return { ...file, fetch: fetchAll };
    },
  };
}

/** Asks for each name once, and again after it failed. */
function once<T>(ask: (name: string, signal?: AbortSignal) => Promise<T>): typeof ask {
  const asked = new Map<string, Promise<T>>();
  return (name, signal) => {
    const answer = asked.get(name) ?? ask(name, signal);
    asked.set(name, answer);
    answer.catch(() => asked.delete(name));
    return answer;
  };
}

/** The commit of a revision: the Hub's, or that of the cache where the Hub cannot be asked. */
async function resolve(settings: HubSettings, cache: HubCache | undefined, signal?: AbortSignal): Promise<Snapshot> {
  const { repo, revision, offline, ambiguous } = settings;
  const isCommit = COMMIT.test(revision);
  const known = isCommit ? revision : await cache?.commitOf(revision);
  const missing = (why: string, cause?: unknown): CheckpointError => {
    const kept = `in the cache${cache ? ` ${cache.place}` : ""}${revision === "main" ? "" : ` at ${revision}`}`;
    return new CheckpointError(
      `${repo}: must be ${ambiguous ? "a folder that is there or " : ""}${kept}, is not, and ${why}`,
      { cause },
    );
  };
  if (offline) {
    const unreachable = "local_files_only (HF_HUB_OFFLINE) is set; leave it out to fetch the model";
    if (known === undefined) throw missing(unreachable);
    return { commit: known, unreachable };
  }
  if (known !== undefined && isCommit && (await cache?.find(known, CONFIG))) return { commit: known };
  const asked = await askCommit(settings, known === undefined, signal).catch((error: unknown): Snapshot => {
    signal?.throwIfAborted();
    if (known !== undefined) return { commit: known, unreachable: (error as Error).message };
    if (error instanceof RefusedError) throw error;
    throw missing(`the Hub did not answer: ${(error as Error).message}`, error);
  });
  if (asked.config && !isCommit) await cache?.remember(revision, asked.commit);
  return asked;
}

/** Asks the Hub for the commit of a revision; more than once, and as long as it takes, if nothing else can say it. */
async function askCommit(settings: HubSettings, insist: boolean, signal?: AbortSignal): Promise<Snapshot> {
  const either = insist ? signal : AbortSignal.any([AbortSignal.timeout(PATIENCE), ...(signal ? [signal] : [])]);
  const config = await openRemote(settings, settings.revision, CONFIG, either, insist ? TRIES : 1);
  const { commit } = config;
  if (commit && COMMIT.test(commit)) return { commit, config };
  throw new RefusedError(
    `${settings.repo}: ${settings.endpoint} must be a Hub, which states X-Repo-Commit, and states ${commit ? "another" : "none"}; check endpoint (HF_ENDPOINT)`,
  );
}

/** A file of a snapshot: of the cache, or of the Hub. Texts are kept at once, other files when they are fetched. */
async function openAt(
  settings: HubSettings,
  cache: HubCache | undefined,
  { commit, unreachable, config }: Snapshot,
  name: string,
  signal?: AbortSignal,
): Promise<SourceFile | undefined> {
  const found = await cache?.find(commit, name);
  if (found !== undefined) return found ?? undefined;
  if (unreachable !== undefined)
    throw new AbsentError(
      `${settings.repo}: ${name} must be in the cache${cache ? ` ${cache.place}` : ""}, is not, and ${unreachable}`,
    );
  const asked = name === CONFIG ? config : undefined;
  const { file, etag } = asked ?? (await openRemote(settings, commit, name, signal));
  if (!file) await cache?.markAbsent(commit, name);
  if (!file || !cache) return file;
  const kept = downloadable(file, cache, { commit, name, etag, size: file.size });
  if (isText(name)) await kept.fetch?.(signal);
  return kept;
}

/** A file that is read from the Hub until it has been fetched into the cache. */
function downloadable(remote: SourceFile, cache: HubCache, key: Parameters<HubCache["begin"]>[0]): SourceFile {
  let kept: SourceFile | undefined;
  return {
    size: remote.size,
    label: remote.label,
    read: (...range) => (kept ?? remote).read(...range),
    async fetch(signal, arrived) {
      kept ??= await downloadFile(remote, await cache.begin(key, signal, arrived), signal, arrived);
    },
  };
}
