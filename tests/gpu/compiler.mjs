// Compiles launches with the driver of a GPU that need not be there, in a process of its own.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { bundleText, entryOf } from "../support/bundle.mjs";
import { FAMILIES, launcherOf } from "./families.mjs";
import { readLoops } from "./machine_code.mjs";
import { readPipelines, readStatistics } from "./statistics.mjs";

/** @typedef {import("./compile.js").Request} Request */
/** @typedef {import("./statistics.mjs").Pipeline & import("./statistics.mjs").Statistics & { loops: import("./machine_code.mjs").Loop[], machineCode: string }} Compiled */

const root = fileURLToPath(new URL("../..", import.meta.url));

/**
 * What the compiler of a GPU makes of launches. Throws Error when its driver is not here, or ends before it is done.
 * @param {string} id
 * @param {Request} request
 * @param {boolean} [code] Whether to read its machine code too.
 * @returns {Promise<{ description: string, pipelines: Compiled[], faults: string[] }>}
 */
export async function compileFor(id, request, code = true) {
  const launcher = launcherOf(id, code);
  if (typeof launcher === "string") throw new Error(`${id}: ${launcher}`);
  const bundle = `build/gpu.${process.pid}.mjs`;
  const folder = mkdtempSync(`${tmpdir()}/wgformer-gpu-`);
  try {
    const text = `import { compileAll } from "../tests/gpu/compile.js";
await compileAll(${JSON.stringify(request)});
process.exit();`;
    await bundleText(text, bundle, { external: ["node:*"] });
    const output = await capture(`${folder}/output`, { ...launcher, args: [...launcher.args, root + bundle] });
    const { description, pipelines, faults } = readPipelines(output);
    return { description, faults, pipelines: pipelines.map((one) => describe(FAMILIES[id].maker, one)) };
  } finally {
    rmSync(folder, { recursive: true });
    for (const path of [bundle, entryOf(bundle)]) rmSync(root + path, { force: true });
  }
}

/** Both outputs of a process in the order in which it wrote them: drivers use either. */
async function capture(path, { command, args, env }) {
  const file = openSync(path, "w");
  const child = spawn(command, args, { cwd: root, env: { ...process.env, ...env }, stdio: ["ignore", file, file] });
  const [code, signal] = await once(child, "close");
  closeSync(file);
  const output = readFileSync(path, "latin1");
  if (code !== 0) throw new Error(`the driver ended with ${signal ?? code}:\n${output.slice(-3000)}`);
  return output;
}

/**
 * @param {import("./statistics.mjs").Maker} maker
 * @param {import("./statistics.mjs").Printed} printed
 * @returns {Compiled}
 */
function describe(maker, { text, ...pipeline }) {
  const at = text.search(/^(@@repr .*[aA]ssembly|disasm:)/m);
  const machineCode = text.slice(Math.max(0, at));
  return { ...pipeline, ...readStatistics(maker, text), loops: readLoops(maker, machineCode), machineCode };
}
