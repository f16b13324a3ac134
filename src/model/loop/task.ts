import type { RowSlots, SentenceStart } from "../../kernels/search_host.js";
import type { MovedBeam } from "./state.js";
import { slotsOf } from "./sizes.js";
import type { LoopCall } from "./call.js";
import { firstStep } from "./settings.js";

/** Neighbouring places: rows, sentences, numbers in lists, rows of sources. */
export interface Span {
  readonly at: number;
  readonly count: number;
}

/** A source whose keys are kept for the tasks that attend to it. */
export interface SourceHold extends Span {
  tasks: number;
}

/** What an admitted prompt of a call holds. */
export interface TaskPlaces {
  /** Its rows: W for each of its sentences. They may be moved. */
  rows: Span;
  readonly sentences: Span;
  readonly source: SourceHold | undefined;
  /** The slots of all its tokens but the last; the first ones may be shared. */
  readonly prompt: readonly number[];
  /** The slots that each row may write, from the position of the last token of the prompt on. */
  readonly homes: readonly (readonly number[])[];
}

/** A prompt of a call in a loop: its sentences take their steps together. */
export interface Task {
  readonly call: LoopCall;
  /** The number of the prompt in its call. */
  readonly b: number;
  /** The numbers of its sentences in their call. */
  readonly numbers: readonly number[];
  /** What it holds; undefined before it is admitted and after it was freed. */
  places: TaskPlaces | undefined;
  /** How many tokens of the prompt were read, of all but the last. */
  read: number;
  /** Steps that it has part in, whether they have run or not. */
  submitted: number;
  /** Which of its sentences have ended, and which are told to. */
  readonly ended: boolean[];
  readonly closing: boolean[];
}

/** A task for prompt b of a call. */
export function createTask(call: LoopCall, b: number): Task {
  const { n } = call.g;
  return {
    call,
    b,
    numbers: Array.from({ length: n }, (_, i) => b * n + i),
    places: undefined,
    read: 0,
    submitted: 0,
    ended: Array<boolean>(n).fill(false),
    closing: Array<boolean>(n).fill(false),
  };
}

/** How many tokens it has to read before its first step, which feeds the last one. */
export const unread = ({ call, b, read }: Task): number => call.job.prompts[b].length - 1 - read;

/** How many slots it needs in all. */
export const neededSlots = ({ call, b }: Task): number => slotsOf(call.job, b, call.g);

/** Whether the device may have something to do for it: a step that was not submitted yet, or its end. */
export const needsSteps = (task: Task): boolean =>
  task.submitted < task.call.g.newTokens && task.ended.some((ended) => !ended);

/** Its sentences before the first step, where its lists are at `lists` and the ids of its rules' lead at `leadAt`. */
export function starts(task: Task, { rows }: TaskPlaces, lists: number, leadAt: number): SentenceStart[] {
  const { job, g } = task.call;
  return task.ended.map((_, i) => firstStep(job, g, task.b, i, { first: rows.at + i * g.W, lists, leadAt }));
}

/** The slots of its rows before the first step. */
export const startSlots = ({ prompt, homes }: TaskPlaces): RowSlots[] =>
  homes.map(([own, ...later]) => ({ position: prompt.length, slots: [...prompt, own], homes: later }));

/** The beams of its sentence i after its last report, with the slots of all their tokens. */
export function movedBeams({ call, numbers }: Task, { prompt, homes }: TaskPlaces, i: number): MovedBeam[] {
  const { reports, g } = call;
  const last = reports.latest(numbers[i]);
  if (!last) return [];
  return last.beams.map(({ id, score }, w) => {
    // A token lies in the slot of the beam that fed it: the parent of the next token.
    const held = reports.backtrace(numbers[i], w).map(({ parent }, step) => homes[i * g.W + parent][step]);
    const own = homes[i * g.W + w];
    const slots = [...prompt, ...held, own[held.length]];
    return { id, score, position: slots.length - 1, slots, homes: own.slice(held.length + 1) };
  });
}
