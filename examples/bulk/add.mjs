// node add.mjs QUEUE [FILE] [--options JSON]: adds a job for each line of a file, or of standard input. Of a file *.jsonl, or
// with --jsonl, lines are {"id", "text" or "messages", "options"}; else they are texts. A line that was added before adds
// nothing; another line of the same id ends the run.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { isDeepStrictEqual, parseArgs } from "node:util";
import { jobIdOf, openQueue } from "./queue.mjs";

const CHUNK = 1000; // lines that are looked up and added together
const {
  positionals: [name, file],
  values,
} = parseArgs({ allowPositionals: true, options: { options: { type: "string" }, jsonl: { type: "boolean" } } });
const common = values.options === undefined ? undefined : JSON.parse(values.options);
const isJson = values.jsonl ?? /\.(jsonl|ndjson)$/.test(file ?? "");

/**
 * The task of a line; without an id of its own, its content is its id.
 * @param {string} line
 * @param {number} number
 * @returns {import("./queue.mjs").Task}
 */
function taskOf(line, number) {
  try {
    const { id, text, messages, options, ...rest } = isJson ? JSON.parse(line) : { text: line };
    const input = text ?? messages;
    if (input === undefined || Object.keys(rest).length)
      throw new Error('must be {"id", "text" or "messages", "options"}');
    const task = { input, ...((common ?? options) && { options: { ...common, ...options } }) };
    return { id: String(id ?? createHash("sha256").update(JSON.stringify(task)).digest("hex").slice(0, 16)), ...task };
  } catch (error) {
    throw new Error(`line ${number}: ${/** @type {Error} */ (error).message}, got ${line.slice(0, 60)}`, {
      cause: error,
    });
  }
}

const queue = openQueue(name);
let [added, known] = [0, 0];

/** @param {readonly import("./queue.mjs").Task[]} tasks */
async function add(tasks) {
  /** @type {Map<string, import("./queue.mjs").Task>} */
  const fresh = new Map();
  const there = await Promise.all(tasks.map(({ id }) => queue.getJob(jobIdOf(id))));
  for (const [at, task] of tasks.entries()) {
    const before = there[at]?.data ?? fresh.get(task.id);
    if (!before) fresh.set(task.id, task);
    else if (isDeepStrictEqual(before, task)) known++;
    else throw new Error(`id ${task.id} must name one task, got another; choose another id, or drop the queue ${name}`);
  }
  await queue.addBulk([...fresh.values()].map((data) => ({ name: "task", data, opts: { jobId: jobIdOf(data.id) } })));
  added += fresh.size;
}

try {
  if (!name) throw new Error("node add.mjs QUEUE [FILE]: the queue must be named");
  const tasks = /** @type {import("./queue.mjs").Task[]} */ ([]);
  let number = 0;
  for await (const line of createInterface({ input: file ? createReadStream(file) : process.stdin })) {
    number++;
    if (line.trim()) tasks.push(taskOf(line, number));
    if (tasks.length === CHUNK) await add(tasks.splice(0));
  }
  await add(tasks);
} catch (error) {
  console.error(`add: ${/** @type {Error} */ (error).message}`);
  process.exitCode = 1;
} finally {
  console.log(`${added} added, ${known} there before`);
  await queue.close();
}
