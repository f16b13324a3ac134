// Reads what drivers say of the pipelines that they compile.

/**
 * What a compiler says of a pipeline. Registers and occupancy are in the units of the GPU.
 * @typedef {object} Statistics
 * @property {number} registers
 * @property {number} scalars Scalar registers, where the GPU has them.
 * @property {number} spills Registers, or stores of them, that went to memory.
 * @property {number} fills
 * @property {number} scratch Bytes of private memory: of spills, and of arrays that did not fit registers.
 * @property {number} occupancy Subgroups, or threads, that fit a core; of Intel's the invocations of a subgroup.
 * @property {number} instructions
 * @property {number} lds Bytes of workgroup memory.
 * @property {number} bytes Of machine code.
 * @property {number} cycles The compiler's own estimate, to compare texts with each other.
 */

/** @typedef {keyof Statistics} Field */

/** @type {Readonly<Record<string, Readonly<Partial<Record<Field, readonly string[]>>>>>} */
const NAMES = {
  amd: {
    registers: ["VGPRs"],
    scalars: ["SGPRs"],
    spills: ["Spilled VGPRs", "Spilled SGPRs"],
    scratch: ["Scratch size"],
    occupancy: ["Subgroups per SIMD"],
    instructions: ["Instructions"],
    lds: ["LDS size"],
    bytes: ["Code size"],
    cycles: ["Inverse Throughput"],
  },
  intel: {
    registers: ["Max live registers"],
    spills: ["Spills"],
    fills: ["Fills"],
    scratch: ["Scratch Memory Size"],
    occupancy: ["Max dispatch width"],
    instructions: ["Instructions"],
    lds: ["Workgroup Memory Size"],
    bytes: ["Code size"],
    cycles: ["Cycles"],
  },
  apple: {
    registers: ["GPRs"],
    spills: ["Spills"],
    fills: ["Fills"],
    scratch: ["Scratch"],
    occupancy: ["Threads"],
    instructions: ["Instructions"],
    bytes: ["Code size"],
    cycles: ["ALU"],
  },
  adreno: {
    registers: ["Registers used"],
    spills: ["STP Count"],
    fills: ["LDP Count"],
    occupancy: ["Max Waves Per Core"],
    instructions: ["Instruction Count"],
    bytes: ["Code size"],
    cycles: ["Estimated cycles stalled on SY"],
  },
  nvidia: {
    registers: ["Number of GPRs"],
    spills: ["Spills to memory"],
    fills: ["Fills from memory"],
    scratch: ["SLM size"],
    occupancy: ["Max warps/SM"],
    instructions: ["Instruction count"],
    bytes: ["Code size"],
    cycles: ["Static cycle count"],
  },
};

/** @typedef {"amd" | "intel" | "apple" | "adreno" | "nvidia"} Maker */

const FIELDS = /** @type {const} */ ([
  ...["registers", "scalars", "spills", "fills", "scratch"],
  ...["occupancy", "instructions", "lds", "bytes", "cycles"],
]);

/**
 * The statistics in the lines that a driver printed for one pipeline; 0 where it does not say.
 * @param {Maker} maker
 * @param {string} text
 * @returns {Statistics}
 */
export function readStatistics(maker, text) {
  const value = (/** @type {string} */ name) =>
    Number([...text.matchAll(new RegExp(`^\\s*${name}: (\\d+(?:\\.\\d+)?)`, "gm"))].at(-1)?.[1] ?? 0);
  const sum = (/** @type {readonly string[]} */ names) => names.reduce((total, name) => total + value(name), 0);
  return /** @type {Statistics} */ (Object.fromEntries(FIELDS.map((field) => [field, sum(NAMES[maker][field] ?? [])])));
}

/**
 * A launch as it is compiled.
 * @typedef {object} Pipeline
 * @property {string} kernel
 * @property {string} variant
 * @property {Readonly<Record<string, number>>} constants Those that its shader declares.
 * @property {string} from The place of the launch in its model.
 */

/** @typedef {Pipeline & { readonly text: string }} Printed A launch with the lines that the driver printed for it. */

/**
 * What is in the output of a process that ran `compileAll`: the driver, the pipelines with the lines that the driver
 * printed for each, and what the compiler refused.
 * @param {string} output
 * @returns {{ description: string, pipelines: Printed[], faults: string[] }}
 */
export function readPipelines(output) {
  const faults = [];
  let description = "";
  /** @type {Printed[]} */
  const pipelines = [];
  for (const part of output.split(/\n?@@wgformer /).slice(1)) {
    const [, word, said, text] = part.match(/^(\w+) ?(.*)\n?([^]*)$/) ?? [];
    if (word === "device") description = JSON.parse(said);
    else if (word === "begin") pipelines.push({ ...JSON.parse(said), text });
    else if (word === "same") pipelines.pop();
    else if (word === "error") {
      const { kernel, variant, from } = /** @type {Pipeline} */ (pipelines.pop());
      faults.push(`${kernel} ${variant} (${from}): ${JSON.parse(said)}`);
    }
  }
  return { description, pipelines, faults };
}
