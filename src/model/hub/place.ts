import { OptionError, show } from "../../runtime/errors.js";

/** A repository of models on the Hub, or a folder of it. */
export interface HubPlace {
  /** "org/name", or one of the few names without an organisation, such as "gpt2". */
  readonly repo: string;
  /** A branch, a tag or a commit. Default: main. */
  readonly revision?: string;
  readonly folder?: string;
  /** Whether the place may as well be the path of a folder of the file system. */
  readonly ambiguous: boolean;
}

export const PUBLIC_ENDPOINT = "https://huggingface.co";

const HOSTS = new Set(["huggingface.co", "www.huggingface.co", "hf.co"]);
const NAME = "[A-Za-z0-9_][\\w.-]{0,95}";
const ID = new RegExp(`^(?:${NAME}/)?${NAME}$`);
const VIEWS = new Set(["tree", "blob", "resolve", "raw"]); // what comes before the revision in the URL of a page or a file

const isId = (text: string): boolean => ID.test(text) && !/--|\.\.|\.git$|[.-]$/.test(text);

/**
 * The repository that a text names: `org/name`, `org/name@revision`, either with `hf://` before it, or the URL of a page
 * of a model at `endpoint` or at the public Hub. Undefined for all else. Throws OptionError for one that begins with
 * `hf://` and goes on otherwise, and for the URL of a data set or a space.
 */
export function hubPlace(text: string, endpoint = PUBLIC_ENDPOINT): HubPlace | undefined {
  const [, scheme, id, revision] = /^(hf:\/\/(?:models\/)?)?([^@]*)(?:@(.+))?$/i.exec(text) ?? [];
  if (id !== undefined && isId(id)) return { repo: id, revision, ambiguous: !scheme };
  if (/^hf:/i.test(text))
    throw new OptionError(`load: hf:// must be followed by org/name or org/name@revision, got ${show(text)}`);
  return /^https?:\/\//i.test(text) ? pageOf(text, endpoint) : undefined;
}

function pageOf(text: string, endpoint: string): HubPlace | undefined {
  if (!URL.canParse(text) || !URL.canParse(endpoint)) return undefined;
  const [{ origin, hostname, pathname }, own] = [new URL(text), new URL(endpoint)];
  const base = own.pathname.replace(/\/*$/, "/");
  const isOwn = origin === own.origin && pathname.startsWith(base);
  if (!isOwn && !HOSTS.has(hostname)) return undefined;
  const parts = pathname
    .slice(isOwn ? base.length : 1)
    .replace(/%2f/gi, "/")
    .split("/")
    .filter(Boolean);
  if (["datasets", "spaces"].includes(parts[0]))
    throw new OptionError(`load: the URL must be that of a model, got ${show(text)}`);
  const at = [2, 1].find((index) => VIEWS.has(parts[index])) ?? -1; // after org/name, or a name alone
  const repo = parts.slice(0, at < 0 ? 2 : at).join("/");
  if (!isId(repo)) return undefined;
  if (at < 0) return { repo, ambiguous: false };
  const rest = parts.slice(at + 1);
  const revision = rest.splice(0, rest[0] === "refs" ? 3 : 1).join("/"); // refs/pr/1
  if (["blob", "raw"].includes(parts[at]) || /\.(json|safetensors)$/.test(rest.at(-1) ?? "")) rest.pop(); // a file of it
  return { repo, revision: revision || undefined, folder: rest.join("/") || undefined, ambiguous: false };
}
