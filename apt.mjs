// Where apt of Debian and Ubuntu finds packages, and the shell lines by which it installs what `setup.mjs` needs.

/** Where apt has its files of sources, beside the older /etc/apt/sources.list. */
export const FOLDER = "/etc/apt/sources.list.d";
const INSTALL = "DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends";
const ADAPTER = "libvulkan1 mesa-vulkan-drivers";
const SHIM = "mesa-drm-shim mesa-vulkan-drivers"; // of one version

/**
 * Packages by mirror and suite, as a file of apt has them.
 * @typedef {object} Source
 * @property {string[]} uris
 * @property {string[]} suites
 * @property {string[]} components
 * @property {string} signedBy A keyring's path, or a key; empty where any trusted key will do.
 * @property {"list" | "sources"} format The ending of its file.
 * @property {(suite: string) => string} withSuite The text of a file with `suite` from the same mirror.
 */

const words = (/** @type {string} */ text) => text.split(/\s+/).filter(Boolean);

/**
 * The sources in a file of lines: `deb [option=value ...] URI suite component ...`.
 * @param {string} text
 * @returns {Source[]}
 */
export function readLines(text) {
  return text.split("\n").flatMap((line) => {
    const [found, options = "", uri, suite, components] =
      line.match(/^\s*deb\s+(\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+([^#]*)/) ?? [];
    if (!found) return [];
    return {
      uris: [uri],
      suites: [suite],
      components: words(components),
      signedBy: options.match(/signed-by=([^\s\]]+)/i)?.[1] ?? "",
      format: "list",
      withSuite: (other) => `deb ${options}${uri} ${other} main\n`,
    };
  });
}

/**
 * The sources in a file of paragraphs (deb822), of those that are not switched off.
 * @param {string} text
 * @returns {Source[]}
 */
export function readParagraphs(text) {
  const lines = text.split("\n").filter((line) => !line.startsWith("#"));
  return lines
    .join("\n")
    .split(/\n\s*\n/)
    .flatMap((paragraph) => {
      /** @type {(readonly [name: string, value: string])[]} */
      const fields = [...paragraph.matchAll(/^([\w-]+):((?:.*)(?:\n[ \t].*)*)/gm)].map(([, name, value]) => [
        name,
        value,
      ]);
      const field = (/** @type {string} */ wanted) =>
        fields.find(([name]) => name.toLowerCase() === wanted)?.[1].trim() ?? "";
      if (!words(field("types")).includes("deb") || /^(no|false|off|0)$/i.test(field("enabled"))) return [];
      const kept = fields.filter(([name]) => !/^(types|suites|components)$/i.test(name));
      return {
        uris: words(field("uris")),
        suites: words(field("suites")),
        components: words(field("components")),
        signedBy: field("signed-by"),
        format: "sources",
        withSuite: (other) =>
          [["Types", " deb"], ["Suites", ` ${other}`], ["Components", " main"], ...kept]
            .map(([name, value]) => `${name}:${value}\n`)
            .join(""),
      };
    });
}

/** @returns {Source[]} */
const readFiles = (/** @type {Readonly<Record<string, string>>} */ files) =>
  Object.entries(files).flatMap(([path, text]) => (path.endsWith(".sources") ? readParagraphs(text) : readLines(text)));

/**
 * How sure it is that a source is the distribution's own: other publishers name their suites after releases too.
 * @param {Source} source
 * @param {readonly Source[]} all
 */
function likeness({ uris, signedBy }, all) {
  const updates = all.some(
    (other) => other.uris[0] === uris[0] && other.suites.some((suite) => suite.endsWith("-updates")),
  );
  return updates ? 2 : Number(!signedBy || signedBy.includes("debian-archive"));
}

/**
 * The file that gives apt the backports of the Debian release `codename`, from the mirror that it uses for the release;
 * an empty object when apt has them already, nothing when no mirror is found.
 * @param {Readonly<Record<string, string>>} files The text of apt's files of sources, by path.
 * @param {string} codename
 * @returns {{ path?: string, text?: string } | undefined}
 */
export function backportsFile(files, codename) {
  const suite = `${codename}-backports`;
  const all = readFiles(files);
  if (all.some(({ suites }) => suites.includes(suite))) return {};
  const mirror = findMirror(all, codename);
  return mirror && { path: `${FOLDER}/${suite}.${mirror.format}`, text: mirror.withSuite(suite) };
}

/**
 * The mirror that apt uses for the Debian release `codename`.
 * @param {readonly Source[]} all
 * @param {string} codename
 */
function findMirror(all, codename) {
  return all
    .filter(
      ({ suites, components }) =>
        components.includes("main") && suites.some((name) => [codename, "stable", "oldstable"].includes(name)),
    )
    .toSorted((a, b) => likeness(b, all) - likeness(a, all))
    .at(0);
}

/**
 * A file of apt that gives another suite of Debian alone, from the mirror of the release `codename`: its packages, or
 * their sources. Nothing when no mirror is found.
 * @param {Readonly<Record<string, string>>} files The text of apt's files of sources, by path.
 * @param {string} codename
 * @param {string} suite
 * @param {"deb" | "deb-src"} type
 * @returns {{ format: string, text: string } | undefined}
 */
export function suiteFile(files, codename, suite, type) {
  const mirror = findMirror(readFiles(files), codename);
  const text = mirror?.withSuite(suite).replace(/^(Types: )?deb\b/, `$1${type}`);
  return mirror && text ? { format: mirror.format, text } : undefined;
}

/**
 * The fields of /etc/os-release that are needed here.
 * @param {string} text
 */
export function readRelease(text) {
  const field = (/** @type {string} */ name) => text.match(new RegExp(`^${name}="?([^"\\n]*)`, "m"))?.[1] ?? "";
  return { id: field("ID"), like: field("ID_LIKE"), version: field("VERSION_ID"), codename: field("VERSION_CODENAME") };
}

/** @typedef {ReturnType<typeof readRelease>} Release */

/** @param {Release | undefined} release */
const hasApt = (release) => /debian|ubuntu/.test(`${release?.id} ${release?.like}`);

const quote = (/** @type {string} */ text) => `'${text.replaceAll("\n", String.raw`\n`)}'`;

/**
 * The shell lines that install packages of Mesa. Debian 12 has one that is too old, and a newer one in its backports.
 * @param {Release} release
 * @param {Readonly<Record<string, string>>} sources
 * @param {string} packages
 * @returns {string[] | undefined}
 */
function mesaCommands(release, sources, packages) {
  if (release.id !== "debian" || release.version !== "12") return ["apt-get update", `${INSTALL} ${packages}`];
  const backports = backportsFile(sources, release.codename);
  if (!backports) return undefined;
  const { path, text = "" } = backports;
  return [
    ...(path ? [`printf '%b' ${quote(text)} > ${path}`] : []),
    "apt-get update",
    `${INSTALL} -t ${release.codename}-backports ${packages}`,
  ];
}

/**
 * The shell lines that install the software adapter lavapipe, or nothing where we know none.
 * @param {Release | undefined} release
 * @param {Readonly<Record<string, string>>} sources
 */
export const adapterCommands = (release, sources) =>
  release && hasApt(release) ? mesaCommands(release, sources, ADAPTER) : undefined;

/**
 * The shell lines that install what lets AMD's driver compile without a GPU; nothing where we know no package of it.
 * @param {Release | undefined} release
 * @param {Readonly<Record<string, string>>} sources
 */
export const shimCommands = (release, sources) =>
  release?.id === "debian" ? mesaCommands(release, sources, SHIM) : undefined;

/**
 * The shell lines that install Chromium, or nothing where we know none: Ubuntu's package is a stub for snaps.
 * @param {Release | undefined} release
 * @returns {string[] | undefined}
 */
export function browserCommands(release) {
  if (release?.id === "ubuntu" || !`${release?.id} ${release?.like}`.includes("debian")) return undefined;
  return ["apt-get update", `${INSTALL} chromium`];
}

/**
 * The shell lines that install a server of Redis, or nothing where we know none. The tools hold the program of the server
 * too, and begin no service.
 * @param {Release | undefined} release
 * @returns {string[] | undefined}
 */
export const queueCommands = (release) => (hasApt(release) ? ["apt-get update", `${INSTALL} redis-tools`] : undefined);

const SERVERS = ["redis-server", "valkey-server", "redis-check-rdb"]; // the last is the first by another name

/**
 * The path of a server of Redis or Valkey, or nothing where there is none.
 * @param {string | undefined} folders PATH of the environment.
 * @param {(path: string) => boolean} exists
 */
export const findServer = (folders = "", exists) =>
  SERVERS.flatMap((name) => folders.split(":").map((folder) => `${folder}/${name}`)).find(exists);
