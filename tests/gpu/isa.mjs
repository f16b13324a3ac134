// What the compilers of GPUs make of the kernels: npm run gpu:isa -- FAMILY[,FAMILY] KERNEL[:VARIANT] [NAME=VALUE ...]
// docs/gpu_compilers.md says what is printed.
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { compileFor } from "./compiler.mjs";
import { FAMILIES, launcherOf, MAIN } from "./families.mjs";
import { nameOf, printTable } from "./table.mjs";

const LOOPS = 3; // of a pipeline that are shown
const TABLE = { family: "navi31", path: fileURLToPath(new URL("navi31.txt", import.meta.url)) };

const HELP = `npm run gpu:isa -- [FAMILY[,FAMILY]] [KERNEL[:VARIANT]] [NAME=VALUE ...] [options]

FAMILY       ${Object.keys(FAMILIES).join(", ")}; all: those that this machine can compile for of ${MAIN.join(", ")}
KERNEL       such as matmul; - for all. VARIANT: such as rows.subgroup; default: what the device chooses
NAME=VALUE   sizes of one launch in place of those of models: N=4 I=2048 O=8192 J=1 WEIGHT_FORMAT=4
--set N=V    a constant of the shader that replaces the variant's own: --set SETS=1 --set FOURS=2
--only RE    launches whose place in their model matches: 'llama.* int4 step N=1:'
--all        every variant that can run a launch
--code       the machine code too
--table      the lines of tests/gpu/navi31.txt, which the tests compare; --write writes that file`;

/** Prints a message and ends. */
function fail(/** @type {string} */ text) {
  console.error(`gpu:isa: ${text}`);
  process.exit(1);
}

/** @returns {Record<string, number>} */
function readNumbers(/** @type {readonly string[]} */ words) {
  return Object.fromEntries(
    words.map((word) => {
      const [name, value] = word.split("=");
      if (!value || !Number.isFinite(Number(value))) fail(`${word} must be NAME=NUMBER`);
      return [name, Number(value)];
    }),
  );
}

function readArguments() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      set: { type: "string", multiple: true, default: [] },
      only: { type: "string" },
      all: { type: "boolean", default: false },
      code: { type: "boolean", default: false },
      table: { type: "boolean", default: false },
      write: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const [family = "all", kernel = "-", ...more] = positionals.filter((word) => !word.includes("="));
  if (more.length) fail(`one family and one kernel can be named, got ${more.join(" ")} too`);
  const unknown = family.split(",").find((id) => id !== "all" && !(id in FAMILIES));
  if (unknown) fail(`family must be one of all, ${Object.keys(FAMILIES).join(", ")}, got ${unknown}`);
  const dims = readNumbers(positionals.filter((word) => word.includes("=")));
  const [name, variant] = kernel.split(":");
  const request = {
    ...(name !== "-" && { kernel: name }),
    ...(variant && { variant }),
    ...(Object.keys(dims).length && { dims }),
    constants: readNumbers(values.set),
    only: values.only,
    all: values.all,
  };
  return { ...values, families: family, request };
}

/** Those of some families that can be compiled for here; says of the others what is missing. */
function present(/** @type {string} */ named) {
  return (named === "all" ? MAIN : named.split(",")).filter((id) => {
    const launcher = launcherOf(id);
    if (typeof launcher === "string") console.log(`${id}: skipped, ${launcher}`);
    return typeof launcher !== "string";
  });
}

/** @param {import("./machine_code.mjs").Loop} loop */
function showLoop({ mix, inFlight }) {
  const { fma = 0, valu = 0, lds = 0, load = 0, store = 0, scalar = 0, wait = 0, barrier = 0 } = mix;
  const more = `${store ? `, store ${store}` : ""}${barrier ? `, barrier ${barrier}` : ""}`;
  return `[fma ${fma}, vector ${valu}, lds ${lds}, load ${load}${more}, scalar ${scalar}, wait ${wait}; ${inFlight} in flight]`;
}

/** @param {import("./compiler.mjs").Compiled} pipeline */
function show(pipeline) {
  const { registers, spills, fills, scratch, occupancy, instructions, lds, bytes, cycles, loops, from } = pipeline;
  const memory = spills || fills || scratch ? `SPILLS ${spills}/${fills}, ${scratch} B` : "no spills";
  const counts = `${registers} registers | ${memory} | occupancy ${occupancy} | ${instructions} instructions`;
  console.log(`${nameOf(pipeline)}  (${from})
    ${counts} | LDS ${lds} B | code ${bytes} B | cycles ${cycles}
    ${loops.slice(0, LOOPS).map(showLoop).join(" ") || "no loop"}`);
}

const { families, request, code, table, write, help } = readArguments();
if (help) console.log(HELP);
else if (table || write) {
  const { description, pipelines, faults } = await compileFor(TABLE.family, { others: true }, false);
  if (faults.length) fail(`does not compile:\n${faults.join("\n")}`);
  const text = printTable(description, pipelines);
  if (write) writeFileSync(TABLE.path, text);
  else process.stdout.write(text);
} else {
  let refused = 0;
  for (const id of present(families)) {
    const { description, pipelines, faults } = await compileFor(id, request);
    console.log(`\n${id}: ${FAMILIES[id].name}, ${description}: ${pipelines.length} pipelines`);
    for (const pipeline of pipelines) {
      show(pipeline);
      if (code) console.log(pipeline.machineCode);
    }
    for (const fault of faults) console.log(`REFUSED ${fault}`);
    refused += faults.length;
  }
  process.exitCode = Number(refused > 0);
}
