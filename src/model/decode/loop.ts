import { packRules } from "../../kernels/logits_process.js";
import { readReport, readSentence, type SearchReport, type SentenceReport } from "../../kernels/search_host.js";
import type { Prepared } from "../../runtime/prepare.js";
import type { TypedArray } from "../../runtime/tensor.js";
import type { DecoderCore } from "../core.js";
import { createQueue } from "../queue.js";
import { readLists, type SeenStep, topLogprobs } from "./candidates.js";
import { notFinite, scoresOnHost } from "./host_scores.js";
import type { Job } from "./job.js";
import { createLoopCall, type DecodeHooks, type Decoded, decodedOf, type LoopCall } from "./loop_call.js";
import type { LoopState } from "./loop_state.js";
import { createPlaces } from "./places.js";
import type { PromptPiece } from "./prompts.js";
import { type Generation, hasRules } from "./resolve.js";
import { leadOf } from "./settings.js";
import { kindOf, type StepKind } from "./step_plan.js";
import { movedBeams, needsSteps, starts, startSlots, type Task, unread } from "./task.js";

/** How a loop works. */
export interface LoopOptions {
  /** Slots that keep prompts for those that begin alike. */
  readonly prefixes: number;
  /** Most tokens of prompts that are read beside a step. */
  readonly chunk: number;
}

/** What a loop has done so far, and does now. */
export interface LoopCounts {
  readonly waiting: number;
  readonly running: number;
  readonly rows: number;
  readonly slots: number;
  readonly shared: number;
  readonly steps: number;
  readonly tokens: number;
  readonly prompt_tokens: number;
  readonly reused_tokens: number;
}

/** The decoding loop: calls join it and leave it between steps. */
export interface Loop {
  /** Adds a call, which is admitted after all that came before it with the same priority. */
  add(job: Job, g: Generation, hooks?: DecodeHooks): { readonly call: LoopCall; readonly result: Promise<Decoded> };
  /** Ends a call, whose result rejects with this reason. */
  cancel(call: LoopCall, reason: unknown): void;
  readonly counts: LoopCounts;
  /** Whether it can go on: an error of the device ends all calls. */
  readonly broken: boolean;
  /** Whether an error did it, so that its state is worth nothing. */
  readonly failed: boolean;
  /** Whether it has nothing to do. */
  readonly resting: boolean;
  /** Resolves when nothing is left to do. */
  idle(): Promise<void>;
  /** Forgets the prompts that it kept. */
  forget(): void;
  /** Throws where what is taken and what is counted disagree. For tests. */
  check(): void;
  /** Ends all calls with this reason. */
  stop(reason: unknown): void;
}

/** A step or a chunk of prompts that was submitted. */
interface Submitted {
  readonly values: Promise<TypedArray[]>;
  /** The tasks that have a part in the step. */
  readonly tasks: readonly Task[];
  readonly kind: StepKind | undefined;
}

const SMALL = 16; // up to this many rows, a smaller step is hardly faster
const WORTH = 16; // to move sentences costs about one step, and pays when at least this many may be left

/**
 * A loop over this state, in which nothing is taken. The host submits steps ahead of time and reads their small reports
 * later, so that no step waits for the host.
 */
export function createLoop(core: DecoderCore, state: LoopState, { prefixes, chunk }: LoopOptions): Loop {
  const { gpu, architecture } = core;
  const { sizes, held } = state;
  const places = createPlaces(state, prefixes);
  const filling = createQueue();
  const waiting: Task[] = [];
  let admitted: Task[] = []; // whose sources and pasts are on the way
  let reading: Task[] = []; // whose prompts are read
  let running: Task[] = [];
  const ahead: Submitted[] = [];
  const depth = sizes.host ? 1 : gpu.readAhead;
  let driving: Promise<void> | undefined;
  let wake = (): void => {};
  let ever = 0; // sentences that were admitted
  let steps = 0;
  let tokens = 0;
  let promptTokens = 0;
  let broken = false;
  let failed = false;
  let bucket = 0;
  state.reset();

  const all = (): Task[] => [...admitted, ...reading, ...running];
  const without = (tasks: Task[], gone: (task: Task) => boolean): Task[] =>
    tasks.some(gone) ? tasks.filter((task) => !gone(task)) : tasks;

  const settle = (call: LoopCall, act: () => void): void => {
    if (call.settled) return;
    call.settled = true;
    act();
    for (const task of call.tasks) {
      const at = waiting.indexOf(task);
      if (at >= 0) waiting.splice(at, 1);
      else if (reading.includes(task)) places.free(task);
      else if (running.includes(task)) close(task);
    }
    reading = without(reading, (task) => task.call === call);
  };
  const fail = (call: LoopCall, reason: unknown): void => settle(call, () => call.result.reject(reason));
  const finish = (call: LoopCall): void =>
    settle(call, () => {
      try {
        call.result.resolve(decodedOf(call));
      } catch (error) {
        call.result.reject(error);
      }
    });
  const close = (task: Task, i?: number): void => {
    task.ended.forEach((ended, s) => {
      if (ended || task.closing[s] || !task.places || (i !== undefined && i !== s)) return;
      task.closing[s] = true;
      state.close(task.places.sentences.at + s);
    });
  };

  /** Gives places to those that wait, first come, first served: a large one is not passed by. */
  const admit = (): void => {
    const groups = new Map<LoopCall, { tasks: Task[]; fresh: Task[] }>();
    while (waiting.length) {
      const task = waiting[0];
      const taken = places.take(task);
      if (!taken) break;
      waiting.shift();
      const group = groups.get(task.call) ?? { tasks: [], fresh: [] };
      group.tasks.push(task);
      if (taken.fresh) group.fresh.push(task);
      groups.set(task.call, group);
    }
    for (const [call, { tasks, fresh }] of groups) {
      call.hooks.onAdmitted?.();
      const { sources, past, vectors } = call.job;
      if (!sources && !past && !vectors) reading.push(...tasks);
      else {
        admitted.push(...tasks);
        void filling(() => fill(call, tasks, fresh)).then(wake, (error) => {
          fail(call, error);
          wake();
        });
      }
    }
  };

  /** Brings to the device what the tasks of a call attend to beside the tokens that they read. */
  const fill = async (call: LoopCall, tasks: readonly Task[], fresh: readonly Task[]): Promise<void> => {
    const { job } = call;
    try {
      for (const group of neighbours(fresh)) {
        const list = group.map(({ b }) => (job.sources as NonNullable<Job["sources"]>)[b]);
        const { plan, done } = (await state.encoder?.encode(list, sourceAt(group[0]))) ?? {};
        call.encode = plan;
        await done;
        if (broken) return;
      }
      if (job.vectors && held.vectors) gpu.write(held.vectors, job.vectors);
      if (job.past) {
        const prompts = tasks.map(({ b }) => job.prompts[b].slice(0, -1));
        const slots = tasks.map((task) => task.places?.prompt ?? []);
        const lengths = await job.past.copyInto(state.pool, prompts, slots);
        tasks.forEach((task, i) => (task.read = lengths[i]));
      }
    } finally {
      admitted = without(admitted, (task) => tasks.includes(task));
      for (const task of tasks) {
        if (call.settled) places.free(task);
        else reading.push(task);
      }
    }
  };

  /** The next tokens of prompts, as many as are read beside a step. */
  const takePieces = (): { readonly pieces: PromptPiece[]; readonly tasks: Task[] } => {
    const pieces: PromptPiece[] = [];
    const tasks: Task[] = [];
    let [left, past] = [chunk, sizes.U];
    for (const task of reading) {
      const { call, b, places: own } = task;
      const count = Math.min(unread(task), left);
      const end = task.read + count;
      if (!own || count === 0) continue;
      if (end > past || pieces.length === sizes.prompts) break;
      const source = own.source && ([own.source.at, own.source.count] as const);
      pieces.push({ ids: call.job.prompts[b].slice(task.read, end), slots: own.prompt.slice(0, end), source });
      tasks.push(task);
      [left, past] = [left - count, past - end];
    }
    return { pieces, tasks };
  };

  /** Starts the sentences of prompts that are read. */
  const start = (): void => {
    const ready = reading.filter((task) => unread(task) === 0);
    reading = without(reading, (task) => unread(task) === 0);
    for (const task of ready) {
      const { call, b, places: own } = task;
      if (!own || !call.lists) continue;
      const { job, g } = call;
      const rules = packRules(g.lists);
      const lead = leadOf(job, g, b);
      const before = job.prompts.slice(0, b).reduce((sum, _, p) => sum + leadOf(job, g, p).ids.length, 0);
      const leadAt = call.lists.at + rules.length + before;
      gpu.write(held.lists, rules, 4 * call.lists.at);
      if (lead.ids.length) gpu.write(held.lists, Uint32Array.from(lead.ids), 4 * leadAt);
      if (hasRules(g)) state.remember(job.prompts[b].slice(0, -1), own.prompt);
      const sentences = starts(task, own, call.lists.at, leadAt);
      state.start(own.sentences.at, sentences, startSlots(own));
      const { source } = own;
      if (source)
        state.attend(
          own.sentences.at,
          Array.from(sentences, () => [source.at, source.count] as const),
        );
      places.share(task);
      ever += sentences.length;
      running.push(task);
    }
    if (ready.length) state.admit(ever);
  };

  /** Submits the next chunk of prompts and the next step, if there is anything to do. Returns whether there was. */
  const advance = async (): Promise<boolean> => {
    const { pieces, tasks } = takePieces();
    let before: Prepared | undefined;
    if (pieces.length) {
      before = await state.reader.load(pieces);
      if (broken) return false;
      tasks.forEach((task, i) => (task.read += pieces[i].ids.length));
      promptTokens += pieces.reduce((sum, { ids }) => sum + ids.length, 0);
    }
    start();
    const going = running.filter(needsSteps);
    if (!going.length) {
      if (!before) return false;
      submitted(before.run({ read: [held.status] }), [], undefined);
      return true;
    }
    const end = Math.max(...going.map(({ places: own }) => (own ? own.rows.at + own.rows.count : 0)));
    bucket = stepRows(end, sizes.R);
    const kind = kindOf(
      going.map(({ call }) => call.g),
      bucket,
    );
    const step = await state.step(kind);
    if (broken) return false;
    const { prepared, report } = step;
    const { logits } = held;
    const values = logits
      ? scoresOnHost(core, { ...step, logits, before }, going[0].call)
      : prepared.run({ read: report, before });
    for (const task of going) {
      task.submitted++;
      task.call.step ??= prepared.plan;
    }
    steps++;
    submitted(values, going, kind);
    return true;
  };

  const submitted = (values: Promise<TypedArray[]>, tasks: readonly Task[], kind: StepKind | undefined): void => {
    values.catch(() => {}); // it is awaited later, or never when a step before it throws
    ahead.push({ values, tasks, kind });
  };

  /** Tells each call what a step did to its sentences, and frees those that have ended. */
  const take = async ({ tasks, kind }: Submitted, values: TypedArray[]): Promise<void> => {
    if (!kind) return;
    const report = readReport(values);
    const lists = readLists(values, kind.R);
    const byCall = new Map<LoopCall, { task: Task; i: number; report: SentenceReport }[]>();
    for (const task of tasks) {
      const { places: own, call, ended } = task;
      if (!own) continue;
      ended.forEach((over, i) => {
        if (over) return;
        const now = readSentence(report, own.sentences.at + i, sizes.A);
        if (now.done) ended[i] = true;
        byCall.set(call, [...(byCall.get(call) ?? []), { task, i, report: now }]);
        tokens += now.beams.length;
      });
    }
    await Promise.all(Array.from(byCall, ([call, updates]) => tell(call, updates, report, lists)));
    for (const task of tasks) {
      const { places: own } = task;
      if (!own) continue;
      if (lists) state.mirror.keep(report, own.rows, own.sentences);
      if (task.ended.every(Boolean)) places.free(task);
    }
    running = without(running, ({ places: own }) => !own);
  };

  /** Tells a call what a step of so many rows did to its sentences. */
  const tell = async (
    call: LoopCall,
    updates: readonly { task: Task; i: number; report: SentenceReport }[],
    after: SearchReport,
    lists: Pick<SeenStep, "lists" | "top" | "R"> | undefined,
  ): Promise<void> => {
    if (call.settled) return;
    const { g, hooks, reports } = call;
    const places = call.tasks.flatMap(({ places: own, numbers }) =>
      numbers.map((_, i) => (own ? own.sentences.at + i : -1)),
    );
    const seen =
      lists && g.shown
        ? { ...lists, before: state.mirror.report, after, places, A: sizes.A, V: architecture.V }
        : undefined;
    reports.append(
      updates.map(({ task, i, report }) => {
        const b = task.numbers[i];
        return { b, report, ...(seen && g.top_logprobs && { top: topLogprobs(g, seen, places[b]) }) };
      }),
    );
    call.begun ||= performance.now();
    const fault = updates.find(({ report }) => report.broken);
    if (fault) return fail(call, notFinite(reports.length, fault.task.b));
    try {
      const going = await hooks.onStep?.(reports, seen);
      hooks.signal?.throwIfAborted();
      hooks.kept?.forEach((count, number) => {
        if (count !== undefined) close(call.tasks[Math.floor(number / g.n)], number % g.n);
      });
      if (going === false || call.tasks.every(({ ended }) => ended.every(Boolean))) finish(call);
    } catch (error) {
      fail(call, error);
    }
  };

  /** Whether to move the open sentences together, so that steps have fewer rows. */
  const isWorthMoving = (): boolean => {
    const open = running.filter(needsSteps);
    const rows = open.reduce((sum, { places: own }) => sum + (own?.rows.count ?? 0), 0);
    const left = Math.max(0, ...open.map(({ call, submitted }) => call.g.newTokens - submitted));
    const bound = open.some(({ call }) => call.g.logits_processor ?? call.g.beamStep.coverage_penalty > 0);
    return rows > 0 && 4 * stepRows(rows, sizes.R) <= bucket && bucket > SMALL && left >= WORTH && !bound;
  };

  const move = (): void => {
    const open = running.toSorted((x, y) => (x.places?.rows.at ?? 0) - (y.places?.rows.at ?? 0));
    const moves = places.compact(open);
    for (const [task, from] of moves) {
      const own = task.places;
      const { W } = task.call.g;
      task.ended.forEach((ended, i) => {
        if (!own || ended) return;
        state.move(own.sentences.at + i, from + i * W, own.rows.at + i * W, movedBeams(task, own, i));
      });
    }
    for (const call of new Set(open.map((task) => task.call))) call.compactions++;
  };

  const drive = async (): Promise<void> => {
    let moving = false;
    while (!broken) {
      admit();
      while (!moving && ahead.length < depth && (await advance())) admit();
      const next = ahead.shift();
      if (next) {
        const values = await next.values;
        if (broken) return;
        await take(next, values);
        moving ||= isWorthMoving();
      } else if (moving) {
        move();
        moving = false;
      } else if (admitted.length) {
        await new Promise<void>((resolve) => (wake = resolve));
      } else return;
    }
  };

  const go = (): void => {
    wake();
    driving ??= drive()
      .catch((error: unknown) => {
        broken = failed = true;
        for (const { call } of [...waiting, ...all()]) fail(call, error);
      })
      .finally(() => (driving = undefined));
  };

  return {
    get counts() {
      return {
        waiting: new Set(waiting.map(({ call }) => call)).size,
        running: new Set(all().map(({ call }) => call)).size,
        rows: places.rows,
        slots: state.pool.slots.used,
        shared: places.shared,
        steps,
        tokens,
        prompt_tokens: promptTokens,
        reused_tokens: places.reused,
      };
    },
    get resting() {
      return driving === undefined;
    },
    get failed() {
      return failed;
    },
    get broken() {
      return broken;
    },
    add(job, g, hooks = {}) {
      const call = createLoopCall(job, g, hooks);
      const { priority = 0 } = hooks;
      const before = waiting.findIndex((task) => (task.call.hooks.priority ?? 0) < priority);
      waiting.splice(before < 0 ? waiting.length : before, 0, ...call.tasks);
      go();
      return { call, result: call.result.promise };
    },
    cancel(call, reason) {
      fail(call, reason);
      go();
    },
    async idle() {
      while (driving) await driving;
    },
    forget: () => places.forget(),
    check: () => places.check(all()),
    stop(reason) {
      broken = true;
      for (const { call } of [...waiting, ...all()]) fail(call, reason);
    },
  };
}

/** How many rows a step has that must have `end`: few numbers, so that steps are prepared once; all rows at most. */
export function stepRows(end: number, R: number): number {
  const power = 2 ** Math.ceil(Math.log2(Math.max(1, end)));
  return Math.min(R, end > 8 && end <= 0.75 * power ? 0.75 * power : power);
}

const sourceAt = ({ places }: Task): number => places?.source?.at ?? 0;

/** Tasks in groups whose sources are neighbours. */
function neighbours(tasks: readonly Task[]): Task[][] {
  const groups: Task[][] = [];
  for (const task of tasks) {
    const last = groups[groups.length - 1]?.at(-1)?.places?.source;
    if (last && last.at + last.count === sourceAt(task)) groups[groups.length - 1].push(task);
    else groups.push([task]);
  }
  return groups;
}
