import { packRules } from "../../kernels/logits_process.js";
import type { Source } from "../inputs.js";
import { lengthOf } from "../inputs.js";
import type { LoopCall } from "./call.js";
import { leadLength } from "./sizes.js";
import type { LoopState } from "./state.js";
import type { LoopOptions } from "./loop.js";
import { createRanges, type Ranges } from "./ranges.js";
import { createSlots } from "./slots.js";
import { neededSlots, type SourceHold, type Span, type Task, type TaskPlaces } from "./task.js";

/** Who has which places of a loop. */
export interface Places {
  /** Gives a task all that it may need, or nothing. Returns whether it did, and whether its source is new. */
  take(task: Task): { readonly fresh: boolean } | undefined;
  /** Takes back what a task has, and the lists of its call after the last one. */
  free(task: Task): void;
  /** Keeps the tokens of a prompt that was read for prompts that begin alike. */
  share(task: Task): void;
  /** Moves the rows of tasks together, and tells from where to where each one goes. */
  compact(tasks: readonly Task[]): Map<Task, number>;
  /** Forgets all prompts that were shared. */
  forget(): void;
  /** How many rows and slots are taken, and slots that shared prompts have. */
  readonly rows: number;
  readonly slots: number;
  readonly shared: number;
  /** Tokens of prompts that were there before. */
  readonly reused: number;
  /** Walks all that is taken by `tasks` and throws where the counts disagree. For tests. */
  check(tasks: readonly Task[]): void;
}

/** The places of a loop, all free; `keep` makes what keeps prompts for those that begin alike, if anything does. */
export function createPlaces({ sizes }: Pick<LoopState, "sizes">, keep: LoopOptions["prefixes"]): Places {
  const slots = createSlots(sizes.Z);
  const rows = createRanges(sizes.R);
  const sentences = createRanges(sizes.B);
  const lists = createRanges(sizes.X);
  const sources = createRanges(sizes.S);
  const prefixes = keep?.(slots);
  const holds = new Map<LoopCall, Map<Source, SourceHold>>();
  let reused = 0;

  const takeSlots = (count: number): number[] | undefined => {
    if (count > slots.free) prefixes?.evict(count - slots.free);
    return slots.take(count);
  };
  const holdSource = ({ call, b }: Task): { hold: SourceHold; fresh: boolean } | undefined => {
    const source = (call.job.sources as readonly Source[])[b];
    const own = holds.get(call) ?? new Map<Source, SourceHold>();
    const known = own.get(source);
    if (known) return { hold: known, fresh: false };
    const at = span(sources, lengthOf(source));
    if (!at) return undefined;
    const hold = { ...at, tasks: 0 };
    holds.set(call, own.set(source, hold));
    return { hold, fresh: true };
  };
  const dropSource = ({ call, b }: Task, hold: SourceHold): void => {
    if (--hold.tasks > 0) return;
    sources.release(hold.at, hold.count);
    const own = holds.get(call);
    own?.delete((call.job.sources as readonly Source[])[b]);
    if (own?.size === 0) holds.delete(call);
  };
  const takeLists = (call: LoopCall): boolean => {
    call.lists ??= span(lists, listLength(call));
    return call.lists !== undefined;
  };
  const freeLists = (call: LoopCall): void => {
    if (!call.lists || call.tasks.some(({ places }) => places)) return;
    lists.release(call.lists.at, call.lists.count);
    call.lists = undefined;
  };
  const give = ({ rows: r, sentences: s, prompt, homes }: Partial<TaskPlaces>): void => {
    if (r) rows.release(r.at, r.count);
    if (s) sentences.release(s.at, s.count);
    if (prompt) slots.release(prompt);
    homes?.forEach((own) => slots.release(own));
  };

  return {
    get rows() {
      return rows.used;
    },
    get slots() {
      return slots.used;
    },
    get shared() {
      return prefixes?.size ?? 0;
    },
    get reused() {
      return reused;
    },
    take(task) {
      const { call, b } = task;
      const { n, W, newTokens } = call.g;
      const beginning = call.job.prompts[b].slice(0, -1);
      const known = isShared(call) ? (prefixes?.match(beginning) ?? []) : [];
      const places: { -readonly [K in keyof TaskPlaces]?: TaskPlaces[K] } = { prompt: known };
      const source = call.job.sources ? holdSource(task) : undefined;
      places.rows = span(rows, n * W);
      places.sentences = span(sentences, n);
      const own = takeSlots(neededSlots(task) - known.length);
      const hasLists = takeLists(call);
      if (!places.rows || !places.sentences || !own || !hasLists || (call.job.sources && !source)) {
        give(places);
        if (own) slots.release(own);
        if (source?.fresh) dropSource(task, { ...source.hold, tasks: 1 });
        freeLists(call);
        return undefined;
      }
      const rest = beginning.length - known.length;
      const homes = Array.from({ length: n * W }, (_, r) =>
        own.slice(rest + r * newTokens, rest + (r + 1) * newTokens),
      );
      if (source) source.hold.tasks++;
      task.places = {
        rows: places.rows,
        sentences: places.sentences,
        source: source?.hold,
        prompt: [...known, ...own.slice(0, rest)],
        homes,
      };
      task.read = known.length;
      reused += known.length;
      return { fresh: source?.fresh ?? false };
    },
    free(task) {
      const { places } = task;
      if (!places) return;
      task.places = undefined;
      give(places);
      if (places.source) dropSource(task, places.source);
      freeLists(task.call);
    },
    share({ call, b, places }) {
      if (places && isShared(call)) prefixes?.add(call.job.prompts[b].slice(0, -1), places.prompt);
    },
    compact(tasks) {
      const held = tasks.flatMap(({ places }) => (places ? [places] : []));
      for (const { rows: own } of held) rows.release(own.at, own.count);
      const moves = new Map<Task, number>();
      for (const task of tasks) {
        const { places } = task;
        if (!places) continue;
        const from = places.rows.at;
        places.rows = span(rows, places.rows.count) as Span; // there was place before
        if (places.rows.at !== from) moves.set(task, from);
      }
      return moves;
    },
    forget: () => prefixes?.clear(),
    check(tasks) {
      slots.check();
      for (const ranges of [rows, sentences, lists, sources]) ranges.check();
      const counts = new Map<number, number>();
      for (const { places } of tasks)
        for (const slot of [...(places?.prompt ?? []), ...(places?.homes.flat() ?? [])])
          counts.set(slot, (counts.get(slot) ?? 0) + 1);
      let kept = 0;
      for (let slot = 0; slot < sizes.Z; slot++) {
        const more = slots.references(slot) - (counts.get(slot) ?? 0);
        if (more < 0 || more > 1) throw new Error(`loop: slot ${slot} has ${more} references more than tasks hold`);
        kept += more;
      }
      if (kept !== (prefixes?.size ?? 0)) throw new Error(`loop: ${kept} slots are kept, ${prefixes?.size} are shared`);
      const used = tasks.reduce((sum, { places }) => sum + (places?.rows.count ?? 0), 0);
      if (used !== rows.used) throw new Error(`loop: ${rows.used} rows are taken, tasks have ${used}`);
    },
  };
}

/** Numbers that the lists of a call have. */
export const listLength = ({ job, g }: Pick<LoopCall, "job" | "g">): number =>
  packRules(g.lists).length + job.prompts.reduce((sum, _, b) => sum + leadLength(job, b, g), 0);

/** Whether its prompts can be shared with other calls: they are tokens, and nothing else has a say in their keys. */
const isShared = ({ job }: LoopCall): boolean => !job.sources && !job.vectors && !job.past;

const span = (ranges: Ranges, count: number): Span | undefined => {
  const at = ranges.take(count);
  return at === undefined ? undefined : { at, count };
};
