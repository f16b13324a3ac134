// node collect.mjs QUEUE OUTPUT: appends a line of JSON for each job that is done, as they come, until no job is open. It may
// be stopped at any time and run again: jobs with a line get no other one. One at a time writes an output.
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, truncateSync, writeSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { OPEN, openQueue } from "./queue.mjs";

const PAGE = 1000; // jobs that are read together
const [name, path] = process.argv.slice(2);

/** The ids that have a line; half a line at the end, of a run that was killed, is taken away. */
function readIds() {
  if (!existsSync(path)) return new Set();
  const text = readFileSync(path);
  const end = text.lastIndexOf("\n") + 1;
  truncateSync(path, end);
  const lines = text.subarray(0, end).toString().split("\n").filter(Boolean);
  return new Set(lines.map((line) => JSON.parse(line).id));
}

const queue = openQueue(name);
const written = readIds();
const output = openSync(path, "a");
const seen = new Set(); // jobs of the queue that are done

/** Writes the jobs that were done since: the newest ones, up to as many as are new. */
async function write(/** @type {number} */ done) {
  for (let at = 0; seen.size < done; at += PAGE) {
    const jobs = await queue.getCompleted(at, at + PAGE - 1);
    if (!jobs.length) return; // it was added to meanwhile: the next turn finds them
    const lines = jobs.reverse().flatMap(({ id, data, returnvalue }) => {
      const isNew = !seen.has(id) && !written.has(data.id);
      seen.add(id);
      written.add(data.id);
      return isNew ? `${JSON.stringify({ id: data.id, ...returnvalue })}\n` : [];
    });
    writeSync(output, lines.join(""));
  }
  fsyncSync(output);
}

let since;
for (;;) {
  const counts = await queue.getJobCounts(...OPEN, "completed", "failed");
  await write(counts.completed);
  const open = OPEN.reduce((sum, state) => sum + (counts[state] ?? 0), 0);
  since ??= { done: seen.size, at: performance.now() };
  const rate = (1e3 * (seen.size - since.done)) / (performance.now() - since.at || 1);
  const left = rate ? `, ${rate.toFixed(1)} a second, ${Math.ceil(open / rate)} s to go` : "";
  console.error(`${seen.size} done, ${open} open (${counts.active} running), ${counts.failed} dead${left}`);
  if (open === 0) {
    if (counts.failed) process.exitCode = 1; // node dead.mjs lists them
    break;
  }
  await setTimeout(1000);
}
closeSync(output);
await queue.close();
