import { DeviceError } from "../../runtime/errors.js";
import type { DecoderCore } from "../core.js";
import { decodedOf, type LoopCall } from "./call.js";
import type { LoopState } from "./state.js";
import type { Places } from "./places.js";
import type { Task } from "./task.js";

/** What the parts of a loop share. */
export interface LoopContext {
  readonly core: DecoderCore;
  readonly state: LoopState;
  readonly places: Places;
  /** The tasks of the loop, by what comes next for them. */
  readonly tasks: {
    /** They have no places yet. */
    waiting: Task[];
    /** What they attend to is on its way to the device. */
    filling: Task[];
    /** Their prompts are read. */
    reading: Task[];
    /** Their sentences take steps. */
    running: Task[];
  };
  /** What the loop has done so far, and how many rows its last step had. */
  readonly done: { steps: number; tokens: number; prompt_tokens: number; sentences: number; bucket: number };
  /** Whether it does nothing any more. */
  broken: boolean;
  /** Whether the device failed it, so that its memory is not worth keeping. */
  failed: boolean;
  /** Lets the loop go on that waits for something. */
  wake(): void;
}

/** The tasks that have places. */
export const admittedTasks = ({ tasks: { filling, reading, running } }: LoopContext): Task[] => [
  ...filling,
  ...reading,
  ...running,
];

/** Lets the open sentences of a task end in their next step, or the one of this number. */
export function closeTask({ state }: LoopContext, task: Task, i?: number): void {
  task.ended.forEach((ended, s) => {
    if (ended || task.closing[s] || !task.places || (i !== undefined && i !== s)) return;
    task.closing[s] = true;
    try {
      state.close(task.places.sentences.at + s);
    } catch (error) {
      if (!(error instanceof DeviceError)) throw error; // a lost device has ended them: the next report says so
    }
  });
}

/** Rejects a call, unless its result is known already. */
export const failCall = (loop: LoopContext, call: LoopCall, reason: unknown): void =>
  settle(loop, call, () => call.result.reject(reason));

/** Resolves a call, unless its result is known already; rejects it where no token was allowed. */
export const finishCall = (loop: LoopContext, call: LoopCall): void =>
  settle(loop, call, () => {
    try {
      call.result.resolve(decodedOf(call));
    } catch (error) {
      call.result.reject(error);
    }
  });

/** A call whose result is known takes no more of the loop than the device needs to end its sentences. */
function settle(loop: LoopContext, call: LoopCall, act: () => void): void {
  const { tasks, places } = loop;
  if (call.settled) return;
  call.settled = true;
  act();
  const others = (list: Task[]): Task[] => list.filter((task) => task.call !== call);
  tasks.waiting = others(tasks.waiting);
  for (const task of call.tasks) {
    if (tasks.reading.includes(task)) places.free(task);
    else if (!loop.broken && tasks.running.includes(task)) closeTask(loop, task);
  }
  tasks.reading = others(tasks.reading);
}
