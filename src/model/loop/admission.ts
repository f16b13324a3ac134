import type { Source } from "../inputs.js";
import { createQueue } from "../queue.js";
import type { LoopCall } from "./call.js";
import { failCall, type LoopContext } from "./context.js";
import type { Task } from "./task.js";

/** Lets tasks into a loop. */
export interface Admission {
  /** Admits those that wait, as many as there are places for. */
  admit(): void;
  /** Resolves when nothing is on its way to the device for those that were admitted. */
  filled(): Promise<void>;
}

/** The admission to this loop. */
export function createAdmission(loop: LoopContext): Admission {
  const { places, tasks } = loop;
  const queue = createQueue();
  const admit = (): void => {
    const taken: Task[] = [];
    const fresh: Task[] = [];
    // First come, first served: a large one is not passed by.
    for (let task = tasks.waiting[0]; task; task = tasks.waiting[0]) {
      const given = places.take(task);
      if (!given) break;
      tasks.waiting.shift();
      taken.push(task);
      if (given.fresh) fresh.push(task);
    }
    for (const call of new Set(taken.map((task) => task.call))) call.hooks.onAdmit?.();
    tasks.reading.push(...taken.filter((task) => !attendsToMore(task)));
    const filling = taken.filter(attendsToMore);
    if (!filling.length) return;
    tasks.filling.push(...filling);
    void queue(() => fill(loop, filling, fresh)).then(loop.wake);
  };
  return { admit, filled: () => queue(async () => {}) };
}

/** Whether the device needs more for it than the tokens that it reads. */
const attendsToMore = ({ call: { job } }: Task): boolean => Boolean(job.sources ?? job.past ?? job.vectors);

/** Brings to the device what tasks attend to beside the tokens that they read: sources that are not there, vectors, pasts. */
async function fill(loop: LoopContext, filling: readonly Task[], fresh: readonly Task[]): Promise<void> {
  const { places, tasks } = loop;
  for (const group of sourceGroups(fresh)) await encode(loop, group);
  for (const call of new Set(filling.map((task) => task.call))) {
    const own = filling.filter((task) => task.call === call);
    await fillPast(loop, call, own).catch((error: unknown) => failCall(loop, call, error));
  }
  tasks.filling = tasks.filling.filter((task) => !filling.includes(task));
  for (const task of filling) {
    if (task.call.settled) places.free(task);
    else tasks.reading.push(task);
  }
}

async function encode(loop: LoopContext, group: readonly Task[]): Promise<void> {
  const failAll = (error: unknown): void => {
    loop.failed = true;
    group.forEach(({ call }) => failCall(loop, call, error));
  };
  try {
    const at = group[0].places?.source?.at;
    if (loop.broken || !loop.state.encoder || at === undefined) return;
    const { plan, done } = await loop.state.encoder.encode(group.map(sourceOf), at);
    done.catch(failAll); // steps that read it come after it
    for (const { call } of group) call.encode = plan;
  } catch (error) {
    failAll(error);
  }
}

async function fillPast({ broken, core, state }: LoopContext, call: LoopCall, group: readonly Task[]): Promise<void> {
  const { prompts, past, vectors } = call.job;
  if (broken || call.settled) return;
  if (vectors && state.held.vectors) core.gpu.write(state.held.vectors, vectors);
  if (!past) return;
  const known = await past.copyInto(
    state.pool,
    group.map(({ b, places }) => ({ row: b, ids: prompts[b].slice(0, -1), slots: places?.prompt ?? [] })),
  );
  group.forEach((task, i) => (task.read = known[i]));
}

const sourceOf = ({ call, b }: Task): Source => (call.job.sources as readonly Source[])[b];

/** Tasks in groups whose sources can be encoded together: token ids of any calls, else those of one call; neighbours. */
function sourceGroups(tasks: readonly Task[]): Task[][] {
  const groups: Task[][] = [];
  for (const task of tasks) {
    const last = groups[groups.length - 1]?.at(-1);
    const before = last?.places?.source;
    const alike = last && (last.call === task.call || ("ids" in sourceOf(last) && "ids" in sourceOf(task)));
    if (alike && before && before.at + before.count === task.places?.source?.at) groups[groups.length - 1].push(task);
    else groups.push([task]);
  }
  return groups;
}
