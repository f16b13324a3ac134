import { assignArenas } from "./arena.js";
import { DeviceError } from "./errors.js";
import type { Dims, Kernel } from "./kernel.js";
import { type Location, type Memory, USAGE } from "./memory.js";
import type { Pipelines } from "./pipelines.js";
import type { Plan } from "./plan.js";
import { byteLength, owner, type Tensor, type TypedArray } from "./tensor.js";
import type { Choice } from "./variants.js";
import { packParams } from "./wgsl.js";

/** How to run a prepared plan. */
export interface RunOptions {
  /** Tensors to copy to the host after the run; activations only if no later launch reuses their memory. */
  readonly read?: readonly Tensor[];
  /** The range of launches to run, its end excluded; all when absent. */
  readonly launches?: readonly [number, number];
  /** Called when the commands have been submitted, before anything is awaited; for measurements. */
  readonly submitted?: () => void;
  /** Where the device writes when the pass began and ended; for measurements. */
  readonly timestampWrites?: GPUComputePassTimestampWrites;
}

/** A plan that is ready to run on a device: compiled, with all its memory. A run only encodes its launches. */
export interface Prepared {
  readonly plan: Plan;
  /**
   * Runs the plan in one compute pass and one submit. Resolves with the tensors in `read` once the device has computed
   * them.
   */
  run(options?: RunOptions): Promise<TypedArray[]>;
  /** Changes scalars of one launch for later runs. */
  set(launch: number, values: Dims): void;
  /** Encodes one launch into a pass of the caller's, such as one with timestamps. */
  encode(pass: GPUComputePassEncoder, launch: number): void;
  /** Where the values of a tensor of this plan are, of activations too. */
  locate(t: Tensor): Location;
  /** Frees its memory. Runs after this reject with DeviceError. */
  dispose(): void;
}

/** The parts of a device that prepare and run a plan. */
export interface PrepareContext {
  readonly device: GPUDevice;
  readonly memory: Memory;
  readonly pipelines: Pipelines;
  /** Bound in place of absent arguments. There are two because a launch must not read and write the same buffer. */
  readonly absent: Readonly<Record<"read" | "write", GPUBuffer>>;
  /** The variant in which a launch runs. */
  readonly choose: (kernel: Kernel, dims: Dims) => Choice;
  /** Throws DeviceError when the device was lost, disposed or failed. */
  healthy(): void;
  /** Submits the commands of `encode`; then calls `submitted`, and reads tensors back. */
  submit(
    encode: (encoder: GPUCommandEncoder) => void,
    read: readonly Location[],
    submitted?: () => void,
  ): Promise<TypedArray[]>;
}

/**
 * Compiles the pipelines of a plan and allocates its memory. `progress` counts compiled pipelines. Throws DeviceError
 * when a tensor exceeds a limit of the device, and with the line of a shader that does not compile.
 */
export async function preparePlan(
  context: PrepareContext,
  plan: Plan,
  progress?: (done: number, total: number) => void,
): Promise<Prepared> {
  const { memory, pipelines, choose, healthy, submit } = context;
  healthy();
  for (const { tensors } of plan.launches) for (const t of Object.values(tensors)) if (t) memory.check(t);
  const { sizes, places } = assignArenas(plan);
  sizes.forEach((size, index) => memory.checkSize(`${plan.name} arena ${index}`, size));
  const choices = plan.launches.map(({ kernel, dims }) => choose(kernel, dims));
  let done = 0;
  const compiled = await Promise.all(
    plan.launches.map(async ({ kernel }, index) => {
      const pipeline = await pipelines.get(kernel, choices[index]);
      progress?.(++done, plan.launches.length);
      return pipeline;
    }),
  );
  healthy();
  const arenas = sizes.map((size, index) =>
    memory.create(`${plan.name} arena ${index}`, size, USAGE.storage | USAGE.copySource, "activation"),
  );
  const uniforms = createUniforms(context, plan, choices);
  const locate = (t: Tensor): Location => {
    const place = places.get(owner(t));
    return { tensor: t, buffer: place ? arenas[place.arena] : memory.buffer(t), offset: place?.offset ?? 0 };
  };
  const commands = choices.map((choice, index) => ({
    pipeline: compiled[index],
    group: bindArguments(context, plan, index, choice, uniforms.entry(index), locate),
    ...gridOf(choice),
  }));
  const encode = (pass: GPUComputePassEncoder, index: number): void => {
    const { pipeline, group, x, y } = commands[index];
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(x, y);
  };
  let released = false;
  return {
    plan,
    set: uniforms.set,
    encode,
    locate,
    async run({ read = [], launches = [0, commands.length], submitted, timestampWrites } = {}) {
      healthy();
      if (released) throw new DeviceError(`${plan.name}: must not be run after dispose(); prepare the plan again`);
      const record = (encoder: GPUCommandEncoder): void => {
        const pass = encoder.beginComputePass({ label: plan.name, timestampWrites });
        for (let index = launches[0]; index < launches[1]; index++) encode(pass, index);
        pass.end();
      };
      return submit(record, read.map(locate), submitted);
    },
    dispose() {
      released = true;
      [...arenas, uniforms.buffer].forEach(memory.release);
    },
  };
}

/** The workgroups of a launch in two dimensions, because one dimension has at most 65,535. */
function gridOf({ variant, dims }: Choice): { x: number; y: number } {
  const groups = variant.groups(dims);
  const y = Math.ceil(groups / 65535);
  return { x: Math.ceil(groups / y), y };
}

/** One buffer with `struct Params` of every launch. */
function createUniforms({ device, memory, pipelines }: PrepareContext, plan: Plan, choices: readonly Choice[]) {
  const stride = device.limits.minUniformBufferOffsetAlignment;
  const size = stride * plan.launches.length;
  const buffer = memory.create(`${plan.name} uniforms`, size, USAGE.uniform | USAGE.copyTarget, "uniforms");
  const pack = (index: number, values: Dims = {}): ArrayBuffer => {
    const { kernel, dims } = plan.launches[index];
    return packParams(kernel.name, pipelines.shader(kernel, choices[index]).params, { ...dims, ...values });
  };
  const bytes = new Uint8Array(size);
  plan.launches.forEach((_, index) => bytes.set(new Uint8Array(pack(index)), index * stride));
  device.queue.writeBuffer(buffer, 0, bytes);
  return {
    buffer,
    entry: (index: number): GPUBindGroupEntry => ({
      binding: 0,
      resource: { buffer, offset: index * stride, size: stride },
    }),
    set: (index: number, values: Dims): void => device.queue.writeBuffer(buffer, index * stride, pack(index, values)),
  };
}

function bindArguments(
  { device, pipelines, absent }: PrepareContext,
  plan: Plan,
  index: number,
  choice: Choice,
  uniform: GPUBindGroupEntry,
  locate: (t: Tensor) => Location,
): GPUBindGroup {
  const { kernel, tensors } = plan.launches[index];
  const shader = pipelines.shader(kernel, choice);
  const entries = shader.bindings.map(({ name, access }, position): GPUBindGroupEntry => {
    const t = tensors[name];
    const { buffer, offset } = t ? locate(t) : { buffer: absent[access], offset: 0 };
    const size = t?.role === "activation" ? Math.ceil(byteLength(t) / 16) * 16 : buffer.size - offset;
    return { binding: position + 1, resource: { buffer, offset, size } };
  });
  return device.createBindGroup({
    label: kernel.name,
    layout: pipelines.layout(shader),
    entries: [uniform, ...entries],
  });
}
