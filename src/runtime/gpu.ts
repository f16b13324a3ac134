import { assignArenas } from "./arena.js";
import { type AdapterInfo, type DeviceOptions, openDevice } from "./device.js";
import { DeviceError } from "./errors.js";
import { type Choice, chooseForm, type DeviceClass, deviceClass } from "./variants.js";
import type { Dims, FormName, Kernel } from "./kernel.js";
import { createMemory, type Memory, type MemoryUse, type Location, USAGE } from "./memory.js";
import { createPipelines, shaderOf } from "./pipelines.js";
import type { Plan } from "./plan.js";
import { createRest } from "./polling.js";
import { byteLength, owner, type Tensor, type TypedArray } from "./tensor.js";
import { openTuning, type Tuning } from "./tuning.js";
import { packParams } from "./wgsl.js";

export interface GpuOptions extends DeviceOptions {
  /** Put guard words after every weight and state (tests). */
  readonly guard?: boolean;
  /** Kernel forms to prefer; the adapter's class decides when absent. */
  readonly form?: FormName;
  /** Use the forms that `tune` found fastest on this adapter, and keep what it finds. Default true. */
  readonly tuned?: boolean;
  /** Most bytes of a weight that stays in one piece; what the device can bind when absent. Larger ones are split by rows. */
  readonly weightLimit?: number;
}

export interface RunOptions {
  /** Tensors to copy to the host after the run: weights or states. */
  readonly read?: readonly Tensor[];
  /** Steps to run, `[first, last)`; all when absent. */
  readonly launches?: readonly [number, number];
}

/** `count` four-byte elements of `from`, from element `fromAt`, to element `toAt` of `to`. */
export interface Copy {
  readonly from: Tensor;
  readonly fromAt: number;
  readonly to: Tensor;
  readonly toAt: number;
  readonly count: number;
}

/** A plan on a device: pipelines, bind groups, uniforms and arenas are settled, a run only encodes launches. */
export interface Prepared {
  readonly plan: Plan;
  /** One encoder, one compute pass, one submit. Resolves with the tensors asked for, once the device has computed them. */
  run(options?: RunOptions): Promise<TypedArray[]>;
  /** Changes scalars of one launch, for the runs to come. */
  set(launch: number, values: Readonly<Record<string, number>>): void;
  /** The commands of one launch in a pass of the caller's (timing). */
  encode(pass: GPUComputePassEncoder, launch: number): void;
  /** Where a tensor of this plan lies; activations too. */
  locate(t: Tensor): Location;
  dispose(): void;
}

export interface Gpu {
  readonly device: GPUDevice;
  readonly info: AdapterInfo;
  readonly memory: Memory;
  /** Runs to keep in flight, by how long this runtime takes to hand a buffer back. */
  readonly readAhead: number;
  /** What decides the forms of launches here. */
  readonly class: DeviceClass;
  /** The form in which a launch runs here. */
  choose(kernel: Kernel, dims: Dims): Choice;
  readonly tuning: Tuning;
  /**
   * Settles a plan for this device. `progress` counts compiled pipelines; `choose` takes the place of the device's own choice of forms.
   * Throws DeviceError with the shader's line.
   */
  prepare(plan: Plan, progress?: (done: number, total: number) => void, choose?: Gpu["choose"]): Promise<Prepared>;
  write(t: Tensor, data: TypedArray | Uint8Array<ArrayBuffer>): void;
  read(...tensors: Tensor[]): Promise<TypedArray[]>;
  /** Copies elements of one weight or state to another, on the device. */
  copy(copies: readonly Copy[]): Promise<void>;
  /** Runs commands of the caller's and copies tensors to the host after them. */
  submit(encode: (encoder: GPUCommandEncoder) => void, read: readonly Location[]): Promise<TypedArray[]>;
  use(): MemoryUse;
  dispose(): void;
}

/** Opens a device (or takes the caller's) and runs plans on it. Throws DeviceError when there is none. */
export async function gpu(options: GpuOptions = {}): Promise<Gpu> {
  const { device, info, instance } = await openDevice(options);
  const memory = createMemory(device, options.guard ?? false, options.weightLimit);
  const pipelines = createPipelines(device);
  // Bound where an optional argument is absent. Two, because one launch must not read and write a buffer.
  const absent = {
    read: device.createBuffer({ size: 256, usage: USAGE.storage }),
    write: device.createBuffer({ size: 256, usage: USAGE.storage }),
  };
  const kind = deviceClass(info.software, device.features.has("subgroups"), info.subgroup, options.form);
  const tuning = await openTuning(info, options.tuned !== false);
  const choose = (kernel: Kernel, dims: Dims): Choice =>
    chooseForm(kernel, dims, kind, options.form ? { forced: true } : { winners: tuning.winners() });
  const rest = createRest();
  let fault: DeviceError | undefined;
  let disposed = false;
  device.addEventListener("uncapturederror", (event) => {
    fault ??= new DeviceError(`gpu: ${event.error.message}`);
  });
  void device.lost.then(({ reason, message }) => {
    fault ??= new DeviceError(
      `gpu: the device was ${disposed ? "disposed" : `lost (${reason}: ${message})`}; open it anew and load the model again`,
    );
  });
  const healthy = (): void => {
    if (disposed) throw new DeviceError("gpu: must not be used after dispose(); open it anew");
    if (fault) throw fault;
  };

  const submit = async (
    encode: (encoder: GPUCommandEncoder) => void,
    read: readonly Location[],
  ): Promise<TypedArray[]> => {
    healthy();
    const encoder = device.createCommandEncoder();
    encode(encoder);
    const staged = read.length ? memory.stage(encoder, read) : undefined;
    device.queue.submit([encoder.finish()]);
    try {
      const collecting = staged?.collect();
      if (collecting && info.software) rest(collecting);
      const values = (await collecting) ?? [];
      healthy();
      return values;
    } catch (cause) {
      healthy();
      throw new DeviceError(`gpu: reading back failed: ${cause instanceof Error ? cause.message : String(cause)}`, {
        cause,
      });
    }
  };

  const prepare: Gpu["prepare"] = async (plan, progress, chosen = choose) => {
    healthy();
    for (const { tensors } of plan.launches) for (const t of Object.values(tensors)) if (t) memory.check(t);
    const { sizes, places } = assignArenas(plan);
    sizes.forEach((size, index) => memory.checkSize(`${plan.name} arena ${index}`, size));
    let done = 0;
    const choices = plan.launches.map(({ kernel, dims }) => chosen(kernel, dims));
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
    const stride = device.limits.minUniformBufferOffsetAlignment;
    const uniforms = memory.create(
      `${plan.name} uniforms`,
      stride * plan.launches.length,
      USAGE.uniform | USAGE.copyTarget,
      "uniforms",
    );
    const bytes = new Uint8Array(stride * plan.launches.length);
    const locate = (t: Tensor): Location => {
      const place = places.get(owner(t));
      return { tensor: t, buffer: place ? arenas[place.arena] : memory.buffer(t), offset: place?.offset ?? 0 };
    };
    const commands = plan.launches.map(({ kernel, tensors, dims }, index) => {
      const choice = choices[index];
      const shader = shaderOf(kernel, choice.form);
      bytes.set(new Uint8Array(packParams(kernel.name, shader.params, dims)), index * stride);
      const entries: GPUBindGroupEntry[] = [
        { binding: 0, resource: { buffer: uniforms, offset: index * stride, size: stride } },
      ];
      shader.bindings.forEach(({ name, access }, position) => {
        const t = tensors[name];
        const { buffer, offset } = t ? locate(t) : { buffer: absent[access], offset: 0 };
        const size = t?.role === "activation" ? Math.ceil(byteLength(t) / 16) * 16 : buffer.size - offset;
        entries.push({ binding: position + 1, resource: { buffer, offset, size } });
      });
      const groups = choice.form.groups(choice.dims);
      const rows = Math.ceil(groups / 65535); // the limit of workgroups in one dimension
      const group = device.createBindGroup({ label: kernel.name, layout: pipelines.layout(shader), entries });
      return { pipeline: compiled[index], group, x: Math.ceil(groups / rows), y: rows };
    });
    device.queue.writeBuffer(uniforms, 0, bytes);
    const encode = (pass: GPUComputePassEncoder, index: number): void => {
      const { pipeline, group, x, y } = commands[index];
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(x, y);
    };
    const set = (launch: number, values: Readonly<Record<string, number>>): void => {
      const { kernel, dims } = plan.launches[launch];
      const { params } = shaderOf(kernel, choices[launch].form);
      device.queue.writeBuffer(uniforms, launch * stride, packParams(kernel.name, params, { ...dims, ...values }));
    };
    let released = false;
    return {
      plan,
      set,
      encode,
      locate,
      async run({ read = [], launches = [0, commands.length] } = {}) {
        healthy();
        if (released) throw new DeviceError(`${plan.name}: must not be run after dispose(); prepare the plan again`);
        return submit((encoder) => {
          const pass = encoder.beginComputePass({ label: plan.name });
          for (let index = launches[0]; index < launches[1]; index++) encode(pass, index);
          pass.end();
        }, read.map(locate));
      },
      dispose() {
        released = true;
        [...arenas, uniforms].forEach(memory.release);
      },
    };
  };

  return {
    device,
    info,
    memory,
    prepare,
    submit,
    class: kind,
    choose,
    tuning,
    readAhead: readAhead(),
    write: (t, data) => {
      healthy();
      memory.write(t, data);
    },
    async read(...tensors) {
      healthy();
      return submit(
        () => {},
        tensors.map((t) => ({ tensor: t, buffer: memory.buffer(t), offset: 0 })),
      );
    },
    async copy(copies) {
      await submit((encoder) => {
        for (const { from, fromAt, to, toAt, count } of copies) {
          encoder.copyBufferToBuffer(memory.buffer(from), 4 * fromAt, memory.buffer(to), 4 * toAt, 4 * count);
        }
      }, []);
    },
    use: () => memory.use(),
    dispose() {
      if (disposed) return;
      disposed = true;
      memory.dispose();
      absent.read.destroy();
      absent.write.destroy();
      if (instance) device.destroy();
    },
  };
}

// As measured: more in flight than needed over-runs. Firefox polls every 100 ms; Deno's mapAsync blocks until the device is idle.
function readAhead(): number {
  const { Deno, navigator } = globalThis as { Deno?: unknown; navigator?: { userAgent?: string } };
  if (navigator?.userAgent?.includes("Firefox")) return 16;
  return Deno ? 4 : 3;
}
