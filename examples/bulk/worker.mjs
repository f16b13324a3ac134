// Takes jobs off the queue in batches that fit a budget of tokens, and gives each its result, its next try or its end.
import { randomUUID } from "node:crypto";
import { UnrecoverableError, Worker } from "bullmq";
import { connection, OPEN, openQueue, TRIES } from "./queue.mjs";

/**
 * @typedef {import("bullmq").Job<import("./queue.mjs").Task>} Job
 * @typedef {{ job: Job, result?: unknown, error?: Error }} Outcome
 * @typedef {object} Work
 * @property {(task: import("./queue.mjs").Task) => number} sizeOf Tokens that a task takes of the budget.
 * @property {(inputs: (import("./queue.mjs").Task["input"])[], options?: Record<string, unknown>) => Promise<readonly unknown[]>} run A result for each input.
 * @property {() => boolean} isLost Whether the device was lost.
 * @property {number} budget The most tokens of a batch; a larger task is a batch of its own.
 * @property {number} [lock] Milliseconds without a sign of life after which others may take a worker's jobs.
 * @property {boolean} [drain] End when all jobs are done.
 * @property {AbortSignal} signal Ends the work after the batch that runs.
 * @property {(text: string) => void} log
 */

/** Jobs of the same options, which can be one call. */
function alike(/** @type {readonly Job[]} */ jobs) {
  /** @type {Map<string, Job[]>} */
  const groups = new Map();
  for (const job of jobs) {
    const key = JSON.stringify(job.data.options);
    groups.set(key, [...(groups.get(key) ?? []), job]);
  }
  return groups.values();
}

/**
 * Works until the signal; rejects when the device was lost, after the jobs of its batch were given back.
 * @param {string} name
 * @param {Work} options
 */
export async function work(name, { sizeOf, run, isLost, budget, lock = 30_000, drain = false, signal, log }) {
  const times = { lockDuration: lock, stalledInterval: lock, drainDelay: 1 };
  const worker = new Worker(name, null, { connection, ...times, maxStalledCount: TRIES });
  worker.on("error", ({ message }) => log(message));
  const queue = openQueue(name);
  const token = randomUUID();
  /** @type {Map<string, Job>} */
  const held = new Map();
  /** @type {Job | undefined} */
  let next;
  const renewing = setInterval(() => {
    const ids = [...held.keys()];
    const tokens = ids.map(() => token);
    if (ids.length) worker.extendJobLocks(ids, tokens, lock).catch(({ message }) => log(message));
  }, lock / 3);

  /** Tokens of a job; one that cannot be counted is a batch of its own, where it fails as it must. */
  function tokensOf(/** @type {Job} */ { data }) {
    try {
      const tokens = sizeOf(data);
      return tokens >= 0 ? tokens : Infinity;
    } catch {
      return Infinity;
    }
  }

  /** The jobs of the next batch. One that was begun twice before runs alone: what ends workers then ends no others' jobs. */
  async function gather() {
    const batch = /** @type {Job[]} */ ([]);
    let tokens = 0;
    while (!signal.aborted) {
      const job = next ?? (await worker.getNextJob(token, { block: batch.length === 0 }));
      next = undefined;
      if (!job?.id) break;
      held.set(job.id, job);
      if (job.deferredFailure) {
        await settle({ job, error: new UnrecoverableError(job.deferredFailure) }); // too many workers died with it
        continue;
      }
      const own = job.attemptsStarted > 2 ? Infinity : tokensOf(job);
      if (batch.length && tokens + own > budget) {
        next = job;
        break;
      }
      batch.push(job);
      tokens += own;
      if (tokens >= budget) break;
    }
    return { batch, tokens };
  }

  /**
   * Runs jobs of the same options. If one of them cannot be run, those of the other half still can.
   * @param {readonly Job[]} jobs
   * @returns {Promise<Outcome[]>}
   */
  async function answer(jobs) {
    try {
      const results = await run(
        jobs.map(({ data }) => data.input),
        jobs[0].data.options,
      );
      return jobs.map((job, at) => ({ job, result: results[at] }));
    } catch (caught) {
      const error = /** @type {Error} */ (caught);
      if (jobs.length === 1 || isLost()) return jobs.map((job) => ({ job, error }));
      const half = jobs.length >> 1;
      return [...(await answer(jobs.slice(0, half))), ...(await answer(jobs.slice(half)))];
    }
  }

  /**
   * Result and acknowledgement are one step of the server, which refuses both from a worker that was given up.
   * @param {Outcome} outcome
   */
  async function settle({ job, result, error }) {
    try {
      if (!error) await job.moveToCompleted(result, token, false);
      else if (isLost() && job.attemptsStarted < 2 * TRIES) await job.moveToWait(token);
      else {
        const isOwn = ["InputError", "OptionError"].includes(error.name); // the same at every try
        await job.moveToFailed(isOwn ? new UnrecoverableError(error.message) : error, token, false);
        log(`${job.data.id}: ${error.message}`);
      }
    } catch (error) {
      log(`${job.data.id}: no longer ours, another worker's result counts (${/** @type {Error} */ (error).message})`);
    }
    held.delete(String(job.id));
  }

  const isDone = async () => (await queue.getJobCountByTypes(...OPEN)) === 0;
  try {
    await worker.startStalledCheckTimer();
    while (!signal.aborted) {
      const { batch, tokens } = await gather();
      if (!batch.length && drain && (await isDone())) break;
      if (!batch.length) continue;
      log(`runs ${batch.length} jobs, ${Number.isFinite(tokens) ? tokens : "uncounted"} tokens`);
      const start = performance.now();
      for (const jobs of alike(batch)) await Promise.all((await answer(jobs)).map(settle));
      log(`ran ${batch.length} jobs in ${((performance.now() - start) / 1e3).toFixed(1)} s`);
      if (isLost()) throw new Error("the device was lost; its jobs are back in the queue");
    }
  } finally {
    await Promise.all([...held.values()].map((job) => job.moveToWait(token).catch(({ message }) => log(message))));
    clearInterval(renewing);
    await Promise.all([worker.close(), queue.close()]);
  }
}
