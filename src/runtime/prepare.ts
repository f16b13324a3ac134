import { allocate, type Dispatch, type Piece } from "./allocate.js";
import { assignArenas } from "./arena.js";
import { sum, type WorkBudget } from "./budget.js";
import { type CompileContext, compileLaunch } from "./compile.js";
import { DeviceError } from "./errors.js";
import type { Dims } from "./kernel.js";
import { rowRanges } from "./launches.js";
import type { Memory } from "./memory.js";
import type { Plan } from "./plan.js";
import { handled } from "./scopes.js";
import type { Location } from "./staging.js";
import type { Tensor, TypedArray } from "./tensor.js";

/** How to run a prepared plan. */
export interface RunOptions {
  /** Tensors to copy to the host after the run; activations only if no later launch reuses their memory. */
  readonly read?: readonly Tensor[];
  /** A plan to run before this one, in the same submit. */
  readonly before?: Prepared;
  /** The range of launches to run, its end excluded; all when absent. */
  readonly launches?: readonly [number, number];
  /** Called when the commands have been submitted, before anything is awaited; for measurements. */
  readonly submitted?: () => void;
  /** Where the device writes when the pass began and ended; for measurements. */
  readonly timestampWrites?: GPUComputePassTimestampWrites;
}

/** A plan that is ready to run on a device: compiled, with all its memory. A run only encodes its launches. */
export interface Prepared {
  /** The plan that was prepared. */
  readonly plan: Plan;
  /**
   * Runs the plan in one compute pass and one submit. Resolves with the tensors in `read` once the device has computed
   * them.
   */
  run(options?: RunOptions): Promise<TypedArray[]>;
  /** Changes scalars of one launch for later runs. */
  set(launch: number, values: Dims): void;
  /** What a run encodes, launch by launch. Throws DeviceError after `dispose()`. */
  dispatches(): readonly (readonly Dispatch[])[];
  /** Encodes one launch into a pass of the caller's, such as one with timestamps. */
  encode(pass: GPUComputePassEncoder, launch: number): void;
  /** Where the values of a tensor of this plan are, of activations too. */
  locate(t: Tensor): Location;
  /** Frees its memory. Runs after this reject with DeviceError. */
  dispose(): void;
}

/** Commands of one submit: they are recorded into an encoder, and take so many operations. */
export interface Work {
  readonly flops: number;
  encode(encoder: GPUCommandEncoder): void;
}

/** The parts of a device that prepare and run a plan. */
export interface PrepareContext extends CompileContext {
  readonly device: GPUDevice;
  readonly memory: Memory;
  /** Bound in place of absent arguments. There are two because a launch must not read and write the same buffer. */
  readonly absent: Readonly<Record<"read" | "write", GPUBuffer>>;
  readonly budget: WorkBudget;
  /** Operations above which a launch is cut by rows. */
  readonly launchFlops: number;
  /** Submits each work in turn; then calls `submitted`, and reads tensors back. */
  submit(work: readonly Work[], read: () => readonly Location[], submitted?: () => void): Promise<TypedArray[]>;
}

/**
 * Compiles the pipelines of a plan and allocates its memory. `progress` counts compiled pipelines. Throws DeviceError
 * when a tensor exceeds a limit of the device or there is no memory for it, and with the line of a shader that does not
 * compile in any variant.
 */
export async function preparePlan(
  context: PrepareContext,
  plan: Plan,
  progress?: (done: number, total: number) => void,
): Promise<Prepared> {
  const { memory, healthy, submit, budget } = context;
  healthy();
  for (const { tensors } of plan.launches) for (const t of Object.values(tensors)) if (t) memory.check(t);
  const arenas = assignArenas(plan);
  arenas.sizes.forEach((size, index) => memory.checkSize(`${plan.name} arena ${index}`, size));
  const pieces = await compilePieces(context, plan, progress);
  healthy();
  const { dispatches, locate, set, release } = await allocate(context, plan, arenas, pieces);
  const encode = (pass: GPUComputePassEncoder, { pipeline, group, x, y }: Dispatch): void => {
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(x, y);
  };
  const all = dispatches.flat();
  let released = false;
  const held = (): readonly (readonly Dispatch[])[] => {
    healthy();
    if (released) throw new DeviceError(`${plan.name}: must not be run after dispose(); prepare the plan again`);
    return dispatches;
  };
  const run: Prepared["run"] = async ({ read = [], before, launches, submitted, timestampWrites } = {}) => {
    const pieces = held();
    const own = launches ? pieces.slice(...launches).flat() : all;
    const wanted = before ? [...before.dispatches().flat(), ...own] : own;
    const work = (timestampWrites ? [wanted] : budget.cut(wanted)).map((list) => ({
      flops: sum(list),
      encode(encoder: GPUCommandEncoder) {
        const pass = encoder.beginComputePass({ label: plan.name, timestampWrites });
        for (const dispatch of list) encode(pass, dispatch);
        pass.end();
      },
    }));
    return submit(work, () => read.map(locate), submitted);
  };
  return {
    plan,
    locate,
    dispatches: held,
    set(launch, values) {
      healthy();
      set(launch, values);
    },
    encode: (pass, launch) => dispatches[launch].forEach((dispatch) => encode(pass, dispatch)),
    run: (options) => handled(run(options)),
    dispose() {
      released = true;
      release();
    },
  };
}

/** The pieces of all launches, compiled in parallel. */
async function compilePieces(
  context: PrepareContext,
  { launches }: Plan,
  progress: ((done: number, total: number) => void) | undefined,
): Promise<Piece[]> {
  let done = 0;
  const compiled = await Promise.all(
    launches.map(async (launch) => {
      const made = await compileLaunch(context, launch);
      progress?.(++done, launches.length);
      return made;
    }),
  );
  return compiled
    .flatMap((made, launch) =>
      rowRanges(launches[launch], context.launchFlops).map((rows) => ({ ...made, launch, rows })),
    )
    .map((piece, slot) => ({ ...piece, slot }));
}
