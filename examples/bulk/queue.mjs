// The queue: where it is, what a job is, and how often one is tried.
import { createHash } from "node:crypto";
import { Queue } from "bullmq";

/** The server: Redis 6.2 or newer, or Valkey. */
export const connection = { url: process.env.REDIS_URL ?? "redis://127.0.0.1:6379", maxRetriesPerRequest: null };

/** How often a job may fail, or its worker die, before it is a dead letter. */
export const TRIES = 3;

/** Jobs that are not done yet are in these states. */
export const OPEN = /** @type {const} */ (["waiting", "delayed", "prioritized", "active"]);

/**
 * What a job asks for, and the name of its line in the output.
 * @typedef {{ id: string, input: string | import("wgformer").Conversation, options?: Record<string, unknown> }} Task
 */

/**
 * A queue of tasks. One that failed waits for about 1, 2, 4 seconds; one that is done stays, which is why adding it again
 * adds nothing.
 * @param {string} name
 * @returns {Queue<Task>}
 */
export const openQueue = (name) =>
  new Queue(name, {
    connection,
    defaultJobOptions: { attempts: TRIES, backoff: { type: "exponential", delay: 1000, jitter: 0.5 } },
  });

/**
 * The id of a job in the queue, where it may be no number and have no colon.
 * @param {string} id
 */
export const jobIdOf = (id) => `job-${createHash("sha256").update(id).digest("base64url").slice(0, 22)}`;
