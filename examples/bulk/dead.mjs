// node dead.mjs QUEUE: a line of JSON for each job that failed for good. node dead.mjs QUEUE --retry [ID ...] puts all, or these,
// back into the queue with all their tries. node dead.mjs QUEUE --drop removes the queue with everything in it.
import { parseArgs } from "node:util";
import { jobIdOf, openQueue } from "./queue.mjs";

const {
  positionals: [name, ...ids],
  values: { retry, drop },
} = parseArgs({ allowPositionals: true, options: { retry: { type: "boolean" }, drop: { type: "boolean" } } });
const queue = openQueue(name);
const all = await queue.getFailed();
const wanted = new Set(ids.map(jobIdOf));
const dead = ids.length ? all.filter(({ id }) => wanted.has(String(id))) : all;
if (dead.length < wanted.size) {
  console.error(`dead: of the ids given, ${wanted.size - dead.length} are no dead letters of ${name}`);
  process.exitCode = 1;
} else if (drop) await queue.obliterate({ force: true });
else if (retry) {
  for (const job of dead) await job.retry("failed", { resetAttemptsMade: true, resetAttemptsStarted: true });
  console.log(`${dead.length} back in the queue`);
} else
  for (const { data, failedReason, attemptsMade, stalledCounter } of dead)
    console.log(JSON.stringify({ ...data, reason: failedReason, tries: attemptsMade, deaths: stalledCounter }));
await queue.close();
