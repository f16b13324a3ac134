import { readReport, readSentence, type SearchReport, type SentenceReport } from "../../kernels/search_host.js";
import type { TypedArray } from "../../runtime/tensor.js";
import { readLists, type SeenStep, topLogprobs } from "../decode/candidates.js";
import { notFinite } from "./host_scores.js";
import type { LoopCall } from "./call.js";
import { closeTask, failCall, finishCall, type LoopContext } from "./context.js";
import type { Submitted } from "./submission.js";
import type { Task } from "./task.js";

/** What a step did to a sentence of a task. */
interface Update {
  readonly task: Task;
  /** Which of its sentences. */
  readonly i: number;
  readonly report: SentenceReport;
}

/** Tells each call what a step did to its sentences, and frees the tasks whose sentences have all ended. */
export async function takeReport(loop: LoopContext, step: Submitted, values: readonly TypedArray[]): Promise<void> {
  const { state, places, tasks, done } = loop;
  if (!step.kind) return;
  const report = readReport(values);
  const lists = readLists(values, step.kind.R);
  const updates = updatesOf(step.tasks, report, state.sizes.A);
  done.tokens += updates.length;
  await Promise.all(
    Array.from(new Set(updates.map(({ task }) => task.call)), (call) =>
      tell(
        loop,
        call,
        updates.filter(({ task }) => task.call === call),
        lists && call.g.shown > 0 ? { ...lists, after: report } : undefined,
      ),
    ),
  );
  for (const task of step.tasks) {
    if (task.places && lists) state.mirror.keep(report, task.places.rows, task.places.sentences);
    if (task.ended.every(Boolean)) places.free(task);
  }
  tasks.running = tasks.running.filter((task) => task.places);
}

/** What a report says of the open sentences of tasks; those that it ends count as ended from now on. */
function updatesOf(tasks: readonly Task[], report: SearchReport, A: number): Update[] {
  const updates: Update[] = [];
  for (const task of tasks) {
    const { places, ended } = task;
    if (!places) continue;
    ended.forEach((over, i) => {
      if (over) return;
      const now = readSentence(report, places.sentences.at + i, A);
      ended[i] = now.done;
      updates.push({ task, i, report: now });
    });
  }
  return updates;
}

/** Tells a call what a step did to its sentences, and ends it when that was the last one. */
async function tell(
  loop: LoopContext,
  call: LoopCall,
  updates: readonly Update[],
  shown: Pick<SeenStep, "lists" | "top" | "R" | "after"> | undefined,
): Promise<void> {
  if (call.settled) return;
  const { g, hooks, reports } = call;
  const seen = shown && seenStep(loop, call, shown);
  reports.append(
    updates.map(({ task, i, report }) => {
      const b = task.numbers[i];
      const top = seen && g.top_logprobs ? topLogprobs(g, seen, seen.places[b]) : undefined;
      return { b, report, ...(top && { top }) };
    }),
  );
  call.begun ||= performance.now();
  const fault = updates.find(({ report }) => report.broken);
  if (fault) return failCall(loop, call, notFinite(reports.length, fault.task.b));
  try {
    const going = await hooks.onStep?.(reports, seen);
    hooks.signal?.throwIfAborted();
    hooks.kept?.forEach((count, number) => {
      if (count !== undefined) closeTask(loop, call.tasks[Math.floor(number / g.n)], number % g.n);
    });
    if (going === false || call.tasks.every(({ ended }) => ended.every(Boolean))) finishCall(loop, call);
  } catch (error) {
    failCall(loop, call, error);
  }
}

/** A step as a call sees it. */
function seenStep(
  { core, state }: LoopContext,
  call: LoopCall,
  shown: Pick<SeenStep, "lists" | "top" | "R" | "after">,
): SeenStep {
  return {
    ...shown,
    before: state.mirror.report,
    places: call.tasks.flatMap(({ places, numbers }) => numbers.map((_, i) => (places ? places.sentences.at + i : -1))),
    A: state.sizes.A,
    V: core.architecture.V,
  };
}
