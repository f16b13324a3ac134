import { packRules } from "../../kernels/logits_process.js";
import type { TypedArray } from "../../runtime/tensor.js";
import { scoresOnHost } from "./host_scores.js";
import type { LoopContext } from "./context.js";
import type { PromptPiece } from "./prompts.js";
import { hasRules } from "../decode/resolve.js";
import { leadOf } from "./settings.js";
import { kindOf, type StepKind } from "./step_plan.js";
import { needsSteps, starts, startSlots, type Task, type TaskPlaces, unread } from "./task.js";

/** A step or a chunk of prompts that was submitted. */
export interface Submitted {
  /** What the host reads after it. */
  readonly values: Promise<TypedArray[]>;
  /** The tasks that have a part in the step. */
  readonly tasks: readonly Task[];
  /** The step, if there is one. */
  readonly kind: StepKind | undefined;
}

/**
 * Submits the next chunk of prompts, of at most so many tokens, and the next step, in one submit; undefined when there is
 * nothing to do.
 */
export async function submitNext(loop: LoopContext, chunk: number): Promise<Submitted | undefined> {
  const { core, state, tasks, done } = loop;
  const pieces = takePieces(loop, chunk);
  const before = pieces.length ? await state.reader.load(pieces.map(({ piece }) => piece)) : undefined;
  if (loop.broken) return undefined;
  for (const { task, piece } of pieces) {
    task.read += piece.ids.length;
    done.prompt_tokens += piece.ids.length;
  }
  start(loop);
  const going = tasks.running.filter(needsSteps);
  if (!going.length) {
    return before && submitted(before.run({ read: [state.held.status] }), [], undefined);
  }
  done.bucket = stepRows(endOf(going), state.sizes.R);
  const kind = kindOf(
    going.map(({ call }) => call.g),
    done.bucket,
    core.architecture.V,
    core.gpu.class.adapter,
  );
  const step = await state.step(kind);
  if (loop.broken) return undefined;
  const { prepared, report } = step;
  const { logits } = state.held;
  const values = logits
    ? scoresOnHost(core, { ...step, logits, before }, going[0].call)
    : prepared.run({ read: report, before });
  for (const task of going) {
    task.submitted++;
    task.call.step ??= prepared.plan;
  }
  done.steps++;
  return submitted(values, going, kind);
}

function submitted(values: Promise<TypedArray[]>, tasks: readonly Task[], kind: StepKind | undefined): Submitted {
  values.catch(() => {}); // it is awaited later, or never when a step before it throws
  return { values, tasks, kind };
}

/** The next tokens of prompts, at most so many. */
function takePieces({ state: { sizes }, tasks }: LoopContext, chunk: number): { task: Task; piece: PromptPiece }[] {
  const pieces: { task: Task; piece: PromptPiece }[] = [];
  let [left, past] = [chunk, sizes.U];
  for (const task of tasks.reading) {
    const { call, b, places } = task;
    const count = Math.min(unread(task), left);
    const end = task.read + count;
    if (!places || count === 0) continue;
    if (end > past || pieces.length === sizes.prompts) break;
    const source = places.source && ([places.source.at, places.source.count] as const);
    const ids = call.job.prompts[b].slice(task.read, end);
    pieces.push({ task, piece: { ids, slots: places.prompt.slice(0, end), source } });
    [left, past] = [left - count, past - end];
  }
  return pieces;
}

/** Starts the sentences of prompts that are read. */
function start(loop: LoopContext): void {
  const { state, tasks, done } = loop;
  const ready = tasks.reading.filter((task) => unread(task) === 0);
  if (!ready.length) return;
  tasks.reading = tasks.reading.filter((task) => unread(task) > 0);
  tasks.running.push(...ready); // first: where a write fails, they fail with all that run
  for (const task of ready) if (task.places) startTask(loop, task, task.places);
  done.sentences += ready.reduce((sum, { ended }) => sum + ended.length, 0);
  state.admit(done.sentences);
}

function startTask({ state, places }: LoopContext, task: Task, own: TaskPlaces): void {
  const { call, b } = task;
  const { job, g, lists } = call;
  if (!lists) throw new Error("loop: a task without lists");
  const rules = packRules(g.lists);
  const lead = leadOf(job, g, b);
  const before = job.prompts.slice(0, b).reduce((sum, _, other) => sum + leadOf(job, g, other).ids.length, 0);
  const leadAt = lists.at + rules.length + before;
  state.list(rules, lists.at);
  if (lead.ids.length) state.list(Uint32Array.from(lead.ids), leadAt);
  if (hasRules(g)) state.remember(job.prompts[b].slice(0, -1), own.prompt);
  const sentences = starts(task, own, lists.at, leadAt);
  state.start(own.sentences.at, sentences, startSlots(own));
  const { source } = own;
  if (source)
    state.attend(
      own.sentences.at,
      Array.from(sentences, () => [source.at, source.count] as const),
    );
  places.share(task);
}

/** The end of the last row that any of these tasks has. */
const endOf = (tasks: readonly Task[]): number =>
  Math.max(...tasks.map(({ places }) => (places ? places.rows.at + places.rows.count : 0)));

/** How many rows a step has that must have `end`: few numbers, so that steps are prepared once; all rows at most. */
export function stepRows(end: number, R: number): number {
  const power = 2 ** Math.ceil(Math.log2(Math.max(1, end)));
  return Math.min(R, end > 8 && end <= 0.75 * power ? 0.75 * power : power);
}
