import type { DecoderCore } from "../core.js";
import { createAdmission } from "./admission.js";
import type { Job } from "../decode/job.js";
import { createLoopCall, type DecodeHooks, type Decoded, type LoopCall } from "./call.js";
import { admittedTasks, failCall, type LoopContext } from "./context.js";
import type { LoopState } from "./state.js";
import { isWorthMoving, moveTogether } from "./moving.js";
import { createPlaces } from "./places.js";
import type { Prefixes } from "./prefixes.js";
import { takeReport } from "./reporting.js";
import type { Generation } from "../decode/resolve.js";
import type { Slots } from "./slots.js";
import { type Submitted, submitNext } from "./submission.js";

/** How a loop works. */
export interface LoopOptions {
  /** Makes what keeps prompts for those that begin alike, if anything does. */
  readonly prefixes?: (slots: Slots) => Prefixes;
  /** Most tokens of prompts that are read beside a step. */
  readonly chunk: number;
}

/** What a loop does now, and has done so far. */
export interface LoopCounts {
  /** Calls that wait, and those that have places. */
  readonly waiting: number;
  readonly running: number;
  /** Rows and slots that are taken, and slots that keep prompts. */
  readonly rows: number;
  readonly slots: number;
  readonly shared: number;
  readonly steps: number;
  /** Tokens that sentences chose, tokens of prompts that were read, and those that were there before. */
  readonly tokens: number;
  readonly prompt_tokens: number;
  readonly reused_tokens: number;
}

/** The decoding loop: calls join it and leave it between steps. */
export interface Loop {
  /** Adds a call, which is admitted after all that came before it with the same priority. */
  add(job: Job, g: Generation, hooks?: DecodeHooks): { readonly call: LoopCall; readonly result: Promise<Decoded> };
  /** Rejects a call with this reason. */
  cancel(call: LoopCall, reason: unknown): void;
  readonly counts: LoopCounts;
  /** Whether it does nothing any more, after an error of the device or `stop()`. */
  readonly broken: boolean;
  /** Whether the device failed it, so that its state is not worth keeping. */
  readonly failed: boolean;
  /** Whether it has nothing to do. */
  readonly resting: boolean;
  /** Resolves when it has nothing to do. */
  idle(): Promise<void>;
  /** Forgets the prompts that it keeps. */
  forget(): void;
  /** Throws where what is taken and what is counted disagree. For tests. */
  check(): void;
  /** Does nothing any more. Resolves when it writes nothing to the device any more; steps may still run there. */
  stop(): Promise<void>;
}

/**
 * A loop over this state, in which nothing is taken. The host submits steps ahead of time and reads their small reports
 * later, so that no step waits for the host.
 */
export function createLoop(core: DecoderCore, state: LoopState, { prefixes, chunk }: LoopOptions): Loop {
  let wake = (): void => {};
  const context: LoopContext = {
    core,
    state,
    places: createPlaces(state, prefixes),
    tasks: { waiting: [], filling: [], reading: [], running: [] },
    done: { steps: 0, tokens: 0, prompt_tokens: 0, sentences: 0, bucket: 0 },
    broken: false,
    failed: false,
    wake: () => go(),
  };
  const { tasks, places, done } = context;
  const { admit, filled } = createAdmission(context);
  const { host } = state.sizes;
  const depth = host ? 1 : core.gpu.readAhead;
  const ahead: Submitted[] = [];
  let driving: Promise<void> | undefined;
  let submitting = Promise.resolve();
  try {
    state.reset();
  } catch (error) {
    state.dispose();
    throw error;
  }

  const submitAhead = async (): Promise<void> => {
    while (ahead.length < depth) {
      admit();
      const next = await submitNext(context, chunk);
      if (!next) return;
      ahead.push(next);
    }
  };
  const drive = async (): Promise<void> => {
    let moving = false;
    while (!context.broken) {
      if (!moving) await (submitting = submitAhead());
      const next = ahead.shift();
      if (next) {
        const values = await next.values;
        if (context.broken) return;
        await takeReport(context, next, values);
        moving ||= isWorthMoving(context);
      } else if (moving) {
        moveTogether(context);
        moving = false;
      } else if (tasks.filling.length) await new Promise<void>((resolve) => (wake = resolve));
      else return;
    }
  };
  const failAll = (error: unknown): void => {
    if (context.broken) return;
    context.broken = context.failed = true;
    for (const { call } of [...tasks.waiting, ...admittedTasks(context)]) failCall(context, call, error);
  };
  let again = false; // something came while it drove
  const driveOn = async (): Promise<void> => {
    try {
      for (; again; await drive()) again = false;
    } catch (error) {
      failAll(error);
    } finally {
      driving = undefined;
    }
  };
  const go = (): void => {
    wake();
    again = true;
    driving ??= driveOn();
  };
  const callsOf = (list: typeof tasks.waiting): number => new Set(list.map(({ call }) => call)).size;

  return {
    add(job, g, hooks = {}) {
      const call = createLoopCall(job, g, hooks);
      const { priority = 0 } = hooks;
      const before = tasks.waiting.findIndex((task) => (task.call.hooks.priority ?? 0) < priority);
      tasks.waiting.splice(before < 0 ? tasks.waiting.length : before, 0, ...call.tasks);
      go();
      return { call, result: call.result.promise };
    },
    cancel(call, reason) {
      try {
        failCall(context, call, reason);
      } catch (error) {
        failAll(error); // of a device that was lost a moment ago
      }
      go();
    },
    get counts() {
      const { steps, tokens, prompt_tokens } = done;
      return {
        waiting: callsOf(tasks.waiting),
        running: callsOf(admittedTasks(context)),
        rows: places.rows,
        slots: places.slots,
        shared: places.shared,
        steps,
        tokens,
        prompt_tokens,
        reused_tokens: places.reused,
      };
    },
    get broken() {
      return context.broken;
    },
    get failed() {
      return context.failed;
    },
    get resting() {
      return driving === undefined;
    },
    async idle() {
      while (driving) await driving;
      await filled();
    },
    forget: () => places.forget(),
    check: () => places.check(admittedTasks(context)),
    async stop() {
      context.broken = true;
      await filled();
      await (host ? driving : submitting.catch(() => {})); // the host is amid a step, or submits one
    },
  };
}
