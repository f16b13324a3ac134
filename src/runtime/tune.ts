import { candidates, choiceOf, type TunedChoice, type TunedChoices, tuningKey } from "./variants.js";
import type { Gpu } from "./gpu.js";
import type { Plan, Launch } from "./plan.js";
import { profile } from "./profile.js";
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
  /** Kinds of launches measured, of `total`. */
  readonly loaded: number;
  /** How many there are. */
  readonly total: number;
}

const ROUNDS = 7; // timings of each candidate, in turn; the first one includes compiling and is left out
const MARGIN = 0.97; // a candidate replaces the present choice only below this share of its time: noise changes nothing

/**
 * Measures all ways to run the launches of some plans on this device. Returns the fastest of each, which the device
 * uses and stores from then on, each once it is found. Launches that read indices are left out, because their cost depends on the index data.
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
  const kinds = new Map<string, Launch>();
  for (const launch of plans.flatMap(({ launches }) => launches)) {
    if (!readsIndices(launch) && candidates(launch.kernel, launch.dims, gpu.class).length > 1)
      kinds.set(tuningKey(launch.kernel, launch.dims), launch);
  }
  const choices: Record<string, TunedChoice> = {};
  let loaded = 0;
  for (const [key, launch] of kinds) {
    signal?.throwIfAborted();
    const { tuned, speedup } = await fastest(gpu, launch, candidates(launch.kernel, launch.dims, gpu.class));
    choices[key] = tuned;
    const unsaved = await gpu.tuning.keep({ [key]: tuned });
    progress?.({ status: "progress", key, tuned, speedup, unsaved, loaded: ++loaded, total: kinds.size });
  }
  return choices;
}

const readsIndices = ({ kernel, tensors }: Launch): boolean =>
  Object.keys(kernel.reads).some((name) => name !== "status" && tensors[name]?.dtype === "u32");

/** The fastest of all ways to run a launch. Throws DeviceError when none compiles. */
async function fastest(
  gpu: Gpu,
  launch: Launch,
  all: readonly TunedChoice[],
): Promise<{ tuned: TunedChoice; speedup: number }> {
  const made: Tensor[] = [];
  const alone = (t: Tensor): Tensor => {
    if (t.role === "weight") return t;
    made.push(tensor(`tune ${t.name}`, t.dtype, t.shape));
    return made[made.length - 1];
  };
  const { status: _, ...tensors } = launch.tensors;
  const copies = Object.entries(tensors).map(([name, t]) => [name, t && alone(t)]);
  const single = {
    ...launch,
    tensors: Object.fromEntries(copies) as Launch["tensors"],
    dims: { ...launch.dims, HAS_STATUS: 0 },
  };
  const plan: Plan = { name: "tune", launches: [single] };
  const present = gpu.choose(launch.kernel, launch.dims);
  const trials = await Promise.allSettled(
    all.map((one) => gpu.prepare(plan, undefined, (kernel, dims) => choiceOf(kernel, dims, one, gpu.class))),
  );
  const best = all.map(() => Infinity);
  try {
    const failed = trials.find((trial) => trial.status === "rejected");
    if (failed && trials.every(({ status }) => status === "rejected")) throw failed.reason;
    for (let round = 0; round < ROUNDS; round++) {
      for (const [index, trial] of trials.entries()) {
        if (trial.status === "rejected") continue; // it does not compile here
        const [{ ms }] = await profile(gpu, trial.value);
        if (round > 0) best[index] = Math.min(best[index], ms);
      }
    }
  } finally {
    for (const trial of trials) if (trial.status === "fulfilled") trial.value.dispose();
    gpu.memory.free(made);
  }
  const own = all.findIndex((one) => {
    const { variant, dims } = choiceOf(launch.kernel, launch.dims, one, gpu.class);
    return variant === present.variant && Object.keys(dims).every((key) => dims[key] === present.dims[key]);
  });
  const first = best.indexOf(Math.min(...best));
  const chosen = own >= 0 && best[first] > MARGIN * best[own] ? own : first;
  return { tuned: all[chosen], speedup: own < 0 ? 1 : best[own] / best[chosen] };
}
