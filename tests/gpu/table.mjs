// The table of what a compiler makes of the launches of real models, as a text whose lines are compared.

/** @typedef {import("./compiler.mjs").Compiled} Compiled */

/** Columns: what is kept of a pipeline. */
const COLUMNS = /** @type {const} */ ({
  registers: "VGPR",
  scalars: "SGPR",
  spills: "spills",
  scratch: "scratch",
  lds: "LDS",
  bytes: "bytes",
  instructions: "instr",
});
const GROWS = /** @type {const} */ (["registers", "bytes", "instructions"]);
const CPU = /^\w+ (\w+\.)?direct( |$)/; // variants that GPUs run only when they refuse all others: the table says what they spill
const MOST = 0.05; // by which a pipeline may grow unseen: compilers shift a few instructions at any change

/** @typedef {Readonly<Record<keyof typeof COLUMNS, number>>} Row */

/** The name of a pipeline: its kernel, its variant, and the constants of its shader, without flags that are off. */
export const nameOf = (
  /** @type {Pick<Compiled, "kernel" | "variant" | "constants">} */ { kernel, variant, constants },
) =>
  [kernel, variant]
    .concat(
      Object.entries(constants).flatMap(([name, value]) =>
        value || !name.startsWith("HAS_") ? `${name}=${value}` : [],
      ),
    )
    .join(" ");

/**
 * Pipelines as a table, with the name of the driver in its head.
 * @param {string} driver
 * @param {readonly Compiled[]} pipelines
 */
export function printTable(driver, pipelines) {
  const fields = /** @type {(keyof typeof COLUMNS)[]} */ (Object.keys(COLUMNS));
  const lines = pipelines.map((one) =>
    [...fields.map((field) => `${one[field]}`.padStart(8)), ` ${nameOf(one)}`].join(""),
  );
  const head = [...Object.values(COLUMNS).map((title) => title.padStart(8)), " pipeline"].join("");
  const byName = (/** @type {string} */ a, /** @type {string} */ b) => (a.slice(56) < b.slice(56) ? -1 : 1);
  return `# ${driver}\n${head}\n${lines.sort(byName).join("\n")}\n`;
}

/**
 * @param {string} text What `printTable` wrote.
 * @returns {{ driver: string, rows: Map<string, Row> }}
 */
export function readTable(text) {
  const [first, , ...lines] = text.trimEnd().split("\n");
  const fields = Object.keys(COLUMNS);
  const rows = lines.map((line) => {
    const words = line.trim().split(/\s+/);
    const values = fields.map((field, column) => [field, Number(words[column])]);
    return /** @type {[string, Row]} */ ([words.slice(fields.length).join(" "), Object.fromEntries(values)]);
  });
  return { driver: first.slice(2), rows: new Map(rows) };
}

/**
 * What is wrong with a new table: pipelines that spill, have grown, are missing or are not in the old one. Growth is
 * judged only where the same driver made both.
 * @param {string} old
 * @param {string} now
 * @returns {string[]}
 */
export function compareTables(old, now) {
  const [before, after] = [readTable(old), readTable(now)];
  const faults = [];
  for (const [name, row] of after.rows) {
    const known = before.rows.get(name);
    const allowed = CPU.test(name) && known ? known : { spills: 0, scratch: 0 };
    if (row.spills > allowed.spills || row.scratch > allowed.scratch)
      faults.push(`${name}: spills ${row.spills} registers, ${row.scratch} bytes of scratch`);
    if (!known) faults.push(`${name}: is not in the table`);
    else if (before.driver === after.driver)
      for (const field of GROWS)
        if (row[field] > known[field] * (1 + MOST)) faults.push(`${name}: ${field} ${known[field]} -> ${row[field]}`);
  }
  for (const name of before.rows.keys())
    if (!after.rows.has(name)) faults.push(`${name}: is in the table, but no launch`);
  return faults;
}
