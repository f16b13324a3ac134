// Measures rivals against wgformer on one adapter in one run:
// node bench/peers/run.mjs [ort] [chrome] [kernels] [encoder] [translation] [speech] [ft] [serve] [--json FILE] [--rounds N].
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { common, wgslLoader } from "../../build.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
// A published figure, on other hardware: for scale only.
const PYTORCH = { "g2p-en, a step at B=1 W=4": 3.2, "g2p-en, a step at B=64 W=4": 19.3 };

// What a part runs: its module and the function in it.
const PARTS = {
  ort: async () => (await import("./decoder/node.mjs")).measureOrt,
  chrome: async () => (await import("./decoder/chrome.mjs")).measureChrome,
  kernels: async () => (await import("./kernels/part.mjs")).measureKernels,
  encoder: async () => (await import("./encoder/part.mjs")).measureEncoder,
  translation: async () => (await import("./decoder/translation.mjs")).measureTranslation,
  speech: async () => (await import("./speech/part.mjs")).measureSpeech,
  ft: async () => (await import("./ft/part.mjs")).measureFt,
  serve: async () => (await import("./serve/part.mjs")).measureServe,
};

const options = { json: { type: "string" }, rounds: { type: "string" } };
const { values, positionals } = parseArgs({ allowPositionals: true, options });
const parts = positionals.length ? positionals : Object.keys(PARTS);
const rounds = values.rounds === undefined ? undefined : Number(values.rounds);

function fail(text) {
  console.error(`peers: ${text}`);
  process.exit(1);
}

/** Installs the packages of a folder, if they are not there. */
function installPackages(folder, command) {
  const { dependencies } = JSON.parse(readFileSync(`${folder}package.json`, "utf8"));
  if (Object.keys(dependencies).every((name) => existsSync(`${folder}node_modules/${name}`))) return;
  // Its install script would fetch CUDA libraries, which nothing here uses.
  const env = { ...process.env, ONNXRUNTIME_NODE_INSTALL: "skip" };
  console.log(`$ npm ${command.join(" ")}`);
  if (spawnSync("npm", command, { stdio: "inherit", cwd: folder, env }).status !== 0) fail(`npm ${command[0]} failed`);
}

/** Bundles wgformer, and the random numbers of its tests, from the sources; one bundle serves every runtime. */
const bundle = () =>
  build({
    ...common,
    entryPoints: {
      wgformer: "bench/peers/wgformer.ts",
      random: "tests/support/random.ts",
      ft: "bench/peers/ft.ts",
      serve: "bench/peers/serve.ts",
    },
    outdir: `${here}build`,
    outExtension: { ".js": ".mjs" },
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: ["import"],
    plugins: [wgslLoader({ release: true })],
  });

function quartiles(samples) {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (share) => sorted[Math.round(share * (sorted.length - 1))];
  return { p25: at(0.25), median: at(0.5), p75: at(0.75) };
}

const strange = parts.find((part) => !Object.hasOwn(PARTS, part));
if (strange) fail(`a part must be one of ${Object.keys(PARTS).join(", ")}, got ${strange}`);
if (rounds !== undefined && !(rounds >= 1)) fail(`--rounds must be a number of at least 1, got ${values.rounds}`);
process.env.XDG_RUNTIME_DIR ??= tmpdir(); // Mesa's drivers want one
installPackages(here, ["ci"]);
// llama.cpp's other binaries, for GPUs that are not here, are 0.4 GB.
if (parts.includes("serve"))
  installPackages(`${here}serve/`, ["install", "--no-package-lock", "--omit=optional", "--ignore-scripts"]);
await bundle();

const load = () =>
  `load ${loadavg()
    .map((average) => average.toFixed(1))
    .join(" ")} on ${cpus().length} cores`;
const rows = [];
const COLUMNS = ["theirs ms", "ours ms", "ratio", "ours, loop alone ms", "ratio"];
const say = (rival, setting, cells, outputs) =>
  console.log(`${rival.padEnd(34)}${setting.padEnd(33)}${cells.map((text) => text.padStart(22)).join("")}  ${outputs}`);
const digits = (ms) => (ms < 10 ? ms.toFixed(2) : ms.toFixed(1));
const show = ({ median, p25, p75 }) =>
  `${digits(median)}${p25 === undefined ? "" : ` (${digits(p25)}..${digits(p75)})`}`;

function report({ theirs, ours, loop, others, rounds, ...rest }) {
  if (rest.failed) {
    rows.push(rest);
    return void console.log(`${rest.rival}, ${rest.setting}: not timed, ${rest.failed}`);
  }
  const row = { ...rest, theirs_ms: quartiles(theirs), ours_ms: quartiles(ours) };
  row.ratio = row.theirs_ms.median / row.ours_ms.median;
  if (loop) row.loop_ms = quartiles(loop);
  if (loop) row.loop_ratio = row.theirs_ms.median / row.loop_ms.median;
  const taken = others && `, others took ${quartiles(others).median.toFixed(1)} cores`;
  row.note = [rest.note, `${ours.length} of ${rounds} rounds${taken ?? ""}`].filter(Boolean).join("; ");
  rows.push(row);
  console.log(`${rest.rival}, ${rest.setting}: ${row.ratio.toFixed(2)}x, ${load()}`);
}

for (const part of parts) await (await PARTS[part]())(report, rounds);

for (const [setting, median] of Object.entries(PYTORCH)) {
  const { ours_ms, loop_ms } = rows.find((row) => row.setting === setting) ?? {};
  if (!ours_ms) continue;
  rows.push({
    rival: "PyTorch, CPU (NOT measured here)",
    setting,
    theirs_ms: { median },
    ours_ms,
    loop_ms,
    ratio: median / ours_ms.median,
    loop_ratio: median / loop_ms.median,
    outputs: "-",
    note: "published, 2 CPU cores",
  });
}
console.log("\nmedians (quartiles); ratio: theirs over ours\n");
say("rival", "setting", COLUMNS, "outputs");
for (const { rival, setting, failed, theirs_ms, ours_ms, ratio, loop_ms, loop_ratio, outputs, note } of rows) {
  if (failed) {
    say(rival, setting, ["not timed", "-", "-", "-", "-"], failed);
    continue;
  }
  const loop = loop_ms ? [show(loop_ms), `${loop_ratio.toFixed(2)}x`] : ["-", "-"];
  say(rival, setting, [show(theirs_ms), show(ours_ms), `${ratio.toFixed(2)}x`, ...loop], `${outputs}; ${note}`);
}
if (values.json) {
  writeFileSync(values.json, `${JSON.stringify({ date: new Date().toISOString(), rows }, null, 1)}\n`);
}
process.exit(0); // devices keep the process alive
