import { candidates, choiceOf, type TunedChoice, type TunedChoices, tuningKey } from "./variants.js";
import { DeviceError } from "./errors.js";
import type { Gpu } from "./gpu.js";
import type { Prepared } from "./prepare.js";
import type { Plan, Launch } from "./plan.js";
import { byRepetition } from "./profile.js";
import { type Tensor, tensor } from "./tensor.js";

/** How a caller follows and stops `tune`. */
export interface TuneHooks {
  /** Stops the measurement, which rejects with its reason. */
  readonly signal?: AbortSignal;
  /** Called after each kind of launch. */
  readonly progress?: (event: TuneEvent) => void;
}

/** What was found for one kind of launch. */
export interface TuneEvent {
  /** The only kind. */
  readonly status: "progress";
  /** The kind of launch (`tuningKey`). */
  readonly key: string;
  /** The fastest way to run it. */
  readonly tuned: TunedChoice;
  /** How many times as fast that is as the choice so far. */
  readonly speedup: number;
  /** Why it could not be stored for later runs of the program, if it could not; it is in use all the same. */
  readonly unsaved?: string;
  /** Why it was not measured, if it was not: a tensor is too large for the device. The choice is then what it was. */
  readonly skipped?: string;
  /** Kinds of launches measured, of `total`. */
  readonly loaded: number;
  /** How many there are. */
  readonly total: number;
}

const ROUNDS = 7; // timings of each candidate, in turn; the first one includes compiling and is left out
const MARGIN = 0.97; // a candidate replaces the present choice only below this share of its time: noise changes nothing

const HOPELESS = 2; // a candidate whose two timings are so many times the best is timed no more

/**
 * Measures all ways to run the launches of some plans on this device. Returns the fastest of each, which the device
 * uses and stores from then on, each once it is found. A launch is repeated until a clock can tell its time, with the
 * weights of all launches of its kind in turn: in a model a launch finds no weights in a cache. Launches that read
 * indices are left out, because their cost depends on the index data, and so are those that the device cannot hold.
 * The weights must have been written. Throws the signal's reason when aborted.
 *
 * @example
 * const model = await load("models/bert-pos");
 * const samples = await model.run((core) => samplePlans(core, 64));
 * await tune(model.gpu, samples.map(({ plan }) => plan), { progress: ({ key, speedup }) => console.log(key, speedup) });
 */
export async function tune(
  gpu: Gpu,
  plans: readonly Plan[],
  { signal, progress }: TuneHooks = {},
): Promise<TunedChoices> {
  const kinds = kindsOf(gpu, plans);
  const choices: Record<string, TunedChoice> = {};
  let loaded = 0;
  for (const [key, launches] of kinds) {
    signal?.throwIfAborted();
    const [{ kernel, dims }] = launches;
    const report = (found: Pick<TuneEvent, "tuned" | "speedup" | "unsaved" | "skipped">): void =>
      progress?.({ status: "progress", key, ...found, loaded: ++loaded, total: kinds.size });
    const skipped = tooLarge(gpu, launches[0]);
    if (skipped) {
      report({ tuned: presentChoice(gpu, launches[0]), speedup: 1, skipped });
      continue;
    }
    const { tuned, speedup } = await fastest(gpu, launches, candidates(kernel, dims, gpu.class), signal);
    choices[key] = tuned;
    report({ tuned, speedup, unsaved: await gpu.tuning.keep({ [key]: tuned }) });
  }
  return choices;
}

/** The launches of each kind that can be measured: of the same sizes, so that they differ by their tensors alone. */
function kindsOf(gpu: Gpu, plans: readonly Plan[]): Map<string, readonly Launch[]> {
  const groups = new Map<string, Map<string, Launch[]>>();
  for (const launch of plans.flatMap(({ launches }) => launches)) {
    const { kernel, dims } = launch;
    if (readsIndices(launch) || candidates(kernel, dims, gpu.class).length < 2) continue;
    const group = groups.get(tuningKey(kernel, dims)) ?? new Map<string, Launch[]>();
    groups.set(tuningKey(kernel, dims), group);
    const sizes = JSON.stringify(dims);
    group.set(sizes, [...(group.get(sizes) ?? []), launch]);
  }
  const longest = (lists: Iterable<Launch[]>): Launch[] => [...lists].reduce((a, b) => (b.length > a.length ? b : a));
  return new Map(Array.from(groups, ([key, group]) => [key, longest(group.values())]));
}

const readsIndices = ({ kernel, tensors }: Launch): boolean =>
  Object.keys(kernel.reads).some((name) => name !== "status" && tensors[name]?.dtype === "u32");

/** Why the device cannot hold a tensor of a launch; undefined when it can hold all. */
function tooLarge({ memory }: Gpu, { tensors }: Launch): string | undefined {
  try {
    for (const t of Object.values(tensors)) if (t) memory.check(t);
    return undefined;
  } catch (error) {
    if (error instanceof DeviceError) return error.message;
    throw error;
  }
}

function presentChoice(gpu: Gpu, { kernel, dims }: Launch): TunedChoice {
  const { variant, dims: chosen } = gpu.choose(kernel, dims);
  const constants = Object.entries(chosen).filter(([name, value]) => dims[name] !== value);
  return { variant: variant.name, constants: Object.fromEntries(constants) };
}

/** The launches of one kind, with tensors of their own but for the weights. */
function isolated(launches: readonly Launch[]): { plan: Plan; made: readonly Tensor[] } {
  const made = new Map<string, Tensor>();
  const alone = (name: string, t: Tensor): Tensor => {
    if (t.role === "weight") return t;
    const own = made.get(name) ?? tensor(`tune ${name}`, t.dtype, t.shape);
    made.set(name, own);
    return own;
  };
  const copies = launches.map((launch): Launch => {
    const { status: _, ...tensors } = launch.tensors;
    const own = Object.entries(tensors).map(([name, t]) => [name, t && alone(name, t)]);
    return { ...launch, tensors: Object.fromEntries(own), dims: { ...launch.dims, HAS_STATUS: 0 } };
  });
  return { plan: { name: "tune", launches: copies }, made: [...made.values()] };
}

/** The fastest of all ways to run the launches of a kind. Throws DeviceError when none compiles. */
async function fastest(
  gpu: Gpu,
  launches: readonly Launch[],
  all: readonly TunedChoice[],
  signal: AbortSignal | undefined,
): Promise<{ tuned: TunedChoice; speedup: number }> {
  const [{ kernel, dims }] = launches;
  const { plan, made } = isolated(launches);
  const present = gpu.choose(kernel, dims);
  const trials = await Promise.allSettled(
    all.map((one) => gpu.prepare(plan, undefined, (k, d) => choiceOf(k, d, one, gpu.class))),
  );
  try {
    const failed = trials.find((trial) => trial.status === "rejected");
    if (failed && trials.every(({ status }) => status === "rejected")) throw failed.reason;
    const prepared = trials.map((trial) => (trial.status === "fulfilled" ? trial.value : undefined));
    const own = all.findIndex((one) => {
      const choice = choiceOf(kernel, dims, one, gpu.class);
      const same = Object.keys(choice.dims).every((key) => choice.dims[key] === present.dims[key]);
      return choice.variant === present.variant && same;
    });
    const { index, speedup } = fastestOf(await bestTimes(gpu, prepared, signal), own);
    return { tuned: all[index] ?? presentChoice(gpu, launches[0]), speedup };
  } finally {
    for (const trial of trials) if (trial.status === "fulfilled") trial.value.dispose();
    gpu.memory.free(made);
  }
}

/** The best time of each trial, in ms, over rounds in which they take turns; 0 where no clock can tell, or it does not compile. */
async function bestTimes(
  gpu: Gpu,
  trials: readonly (Prepared | undefined)[],
  signal: AbortSignal | undefined,
): Promise<number[]> {
  const best = trials.map(() => 0);
  const counts = trials.map(() => 1);
  let turn = 0; // of the weights
  for (let round = 0; round < ROUNDS; round++) {
    for (const [index, prepared] of trials.entries()) {
      if (!prepared || (round > 2 && best[index] > HOPELESS * Math.min(...best.filter((ms) => ms > 0)))) continue;
      signal?.throwIfAborted();
      const next = (pass: GPUComputePassEncoder): void => prepared.encode(pass, turn++ % prepared.plan.launches.length);
      const { count, ms } = await byRepetition(gpu, next, counts[index]);
      if (round > 0) {
        counts[index] = count;
        best[index] = Math.min(best[index] || Infinity, ms);
      }
    }
  }
  return best;
}

/**
 * Which of several times is the choice: the least, or that of the present choice `own` (-1: it has none) where no other
 * is clearly less. A time of 0 was not measured, and is never the choice; -1 when none was measured.
 */
export function fastestOf(times: readonly number[], own: number): { index: number; speedup: number } {
  const measured = times.map((ms) => (ms > 0 ? ms : Infinity));
  const least = Math.min(...measured);
  const present = own < 0 ? Infinity : measured[own];
  if (least === Infinity) return { index: own, speedup: 1 };
  if (least > MARGIN * present) return { index: own, speedup: 1 };
  return { index: measured.indexOf(least), speedup: present < Infinity ? present / least : 1 };
}
