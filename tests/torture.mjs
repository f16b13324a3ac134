// Repeats the seeded campaigns of the tests in Node with fresh seeds, and adds up what their cases came to:
// npm run torture -- --minutes 60 --seed 7
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const folder = fileURLToPath(new URL(".", import.meta.url));
const CAMPAIGN = /campaign (.+): \d+ cases of seed \d+: (.+)/g;
const KEPT = 200; // lines of a failed round that are shown

/** The test files that hold campaigns, as words for run.mjs. */
const files = readdirSync(folder)
  .filter((name) => name.endsWith(".test.ts") && name !== "campaign.test.ts")
  .filter((name) => readFileSync(folder + name, "utf8").includes("./support/campaign.js"))
  .map((name) => name.replace(".test.ts", ""));

const { values } = parseArgs({ options: { minutes: { type: "string" }, seed: { type: "string" } } });
const minutes = readNumber("minutes", values.minutes ?? "10", 0);
const first = readNumber("seed", values.seed ?? String(Date.now() % 1e6), 1);

function readNumber(name, text, least) {
  const number = Number(text);
  if (text.trim() && number >= least && (name === "minutes" || Number.isSafeInteger(number))) return number;
  console.error(`torture: --${name} must be a number from ${least}, got ${text}`);
  process.exit(1);
}

/** Runs all campaigns once; resolves with what they printed and whether all went well. */
async function runRound(seed) {
  const env = { ...process.env, WGFORMER_SEED: String(seed) };
  const child = spawn(process.execPath, [`${folder}run.mjs`, "node", ...files], { env, stdio: ["ignore", "pipe", 2] });
  let text = "";
  child.stdout?.on("data", (chunk) => (text += chunk));
  const [code] = await once(child, "close");
  return { text, good: code === 0 };
}

/** Cases by campaign and outcome. */
const totals = new Map();

function count(text) {
  let cases = 0;
  for (const [, name, outcomes] of text.matchAll(CAMPAIGN)) {
    const counts = totals.get(name) ?? new Map();
    totals.set(name, counts);
    for (const [, kind, number] of outcomes.matchAll(/(\S.*?) (\d+)(?:, |$)/g)) {
      counts.set(kind, (counts.get(kind) ?? 0) + Number(number));
      cases += Number(number);
    }
  }
  return cases;
}

console.log(`torture: ${files.join(", ")}; ${minutes} minutes, seeds from ${first}`);
const failed = [];
const end = performance.now() + 60e3 * minutes;
let seed = first;
do {
  const { text, good } = await runRound(seed);
  console.log(`seed ${seed}: ${count(text)} cases, ${good ? "all well" : "FAILED"}`);
  if (!good) {
    failed.push(seed);
    console.log(text.split("\n").slice(-KEPT).join("\n"));
  }
  seed++;
} while (performance.now() < end);

for (const [name, counts] of totals) {
  const shown = [...counts].sort(([, a], [, b]) => b - a).map(([kind, number]) => `${kind} ${number}`);
  console.log(`${name}: ${shown.join(", ")}`);
}
console.log(failed.length ? `failed with seed ${failed.join(", ")}; WGFORMER_SEED repeats one` : "no failure");
process.exit(failed.length ? 1 : 0);
