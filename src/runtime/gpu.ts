import { type AdapterInfo, type DeviceOptions, openDevice } from "./device.js";
import { DeviceError } from "./errors.js";
import { checkGpuOptions } from "./gpu_options.js";
import type { Dims, Kernel } from "./kernel.js";
import { createMemory, type Location, type Memory, type MemoryUse, USAGE } from "./memory.js";
import { createPipelines } from "./pipelines.js";
import type { Plan } from "./plan.js";
import { throttlePolling } from "./polling.js";
import { preparePlan, type Prepared } from "./prepare.js";
import type { Tensor, TypedArray } from "./tensor.js";
import { openTuning, type Tuning } from "./tuning.js";
import { type AdapterClass, type Choice, chooseVariant, type DeviceClass } from "./variants.js";

/** How a device is opened. */
export interface GpuOptions extends DeviceOptions {
  /** Put guard words after every weight and state, for tests. Default false. */
  readonly guard?: boolean;
  /** Run the kernel variants for this class of adapters. Default: the class of the adapter. */
  readonly adapter?: AdapterClass;
  /**
   * Use the variants that `tune` found to be fastest on this adapter, and keep what it finds. Default: true, but false
   * when `adapter` is given.
   */
  readonly tuned?: boolean;
  /** Bytes above which a weight is split by rows. Default: what the device can bind. */
  readonly weightLimit?: number;
}

/** A copy of `count` four-byte elements: from element `fromAt` of `from` to element `toAt` of `to`. */
export interface Copy {
  readonly from: Tensor;
  readonly fromAt: number;
  readonly to: Tensor;
  readonly toAt: number;
  readonly count: number;
}

/** A device with its memory and its compiled kernels: runs plans. */
export interface Gpu {
  readonly device: GPUDevice;
  readonly info: AdapterInfo;
  readonly memory: Memory;
  /** How many runs to keep in flight: more in runtimes that take longer to map a buffer. */
  readonly readAhead: number;
  /** The properties of the device by which variants are chosen. */
  readonly class: DeviceClass;
  /** The variant in which a launch of these sizes runs on this device. */
  choose(kernel: Kernel, dims: Dims): Choice;
  /** What `tune` found on this adapter. */
  readonly tuning: Tuning;
  /**
   * Compiles the pipelines of a plan and allocates its memory. `progress` counts compiled pipelines; `choose` replaces
   * the device's own choice of variants. Throws DeviceError when a tensor exceeds a limit of the device, and with the
   * line of a shader that does not compile.
   */
  prepare(plan: Plan, progress?: (done: number, total: number) => void, choose?: Gpu["choose"]): Promise<Prepared>;
  /** Copies values into a weight or a state, from byte `at` on: a multiple of 4, by default 0. */
  write(t: Tensor, data: TypedArray | Uint8Array<ArrayBuffer>, at?: number): void;
  /** Resolves when all that was written before is on the device, and its copies on the way there are freed. */
  settle(): Promise<void>;
  /** Copies the values of weights and states to the host. */
  read(...tensors: Tensor[]): Promise<TypedArray[]>;
  /** Copies elements of one weight or state to another, on the device. */
  copy(copies: readonly Copy[]): Promise<void>;
  /** Submits the commands that `encode` records, and copies tensors to the host after them. */
  submit(encode: (encoder: GPUCommandEncoder) => void, read: readonly Location[]): Promise<TypedArray[]>;
  /** Bytes held on the device, by role. */
  use(): MemoryUse;
  /** Frees all memory, and destroys the device unless it is the caller's. */
  dispose(): void;
}

/** Opens a device (or takes the caller's) and runs plans on it. Throws DeviceError when there is none, and OptionError. */
export async function gpu(options: GpuOptions = {}): Promise<Gpu> {
  checkGpuOptions(options);
  const { device, info, owned } = await openDevice(options);
  const memory = createMemory(device, options.guard ?? false, options.weightLimit);
  const small = { size: 256, usage: USAGE.storage };
  const absent = { read: device.createBuffer(small), write: device.createBuffer(small) };
  const kind: DeviceClass = {
    adapter: options.adapter ?? (info.software ? "cpu" : "gpu"),
    features: new Set(device.features),
    subgroup: device.features.has("subgroups") ? info.subgroup : 0,
  };
  const tuning = await openTuning(info, options.tuned ?? options.adapter === undefined);
  const choose = (kernel: Kernel, dims: Dims): Choice => chooseVariant(kernel, dims, kind, tuning.choices());
  const health = watchHealth(device);
  const throttle = throttlePolling();

  const submit = async (
    encode: (encoder: GPUCommandEncoder) => void,
    read: readonly Location[],
    submitted?: () => void,
  ): Promise<TypedArray[]> => {
    health.check();
    const encoder = device.createCommandEncoder();
    encode(encoder);
    const staged = read.length ? memory.stage(encoder, read) : undefined;
    device.queue.submit([encoder.finish()]);
    submitted?.();
    try {
      const collecting = staged?.collect();
      if (collecting && info.software) throttle(collecting);
      const values = (await collecting) ?? [];
      health.check();
      return values;
    } catch (cause) {
      health.check();
      throw new DeviceError(`gpu: reading back failed: ${cause instanceof Error ? cause.message : String(cause)}`, {
        cause,
      });
    }
  };
  const context = { device, memory, pipelines: createPipelines(device), absent, healthy: health.check, submit };

  return {
    device,
    info,
    memory,
    class: kind,
    choose,
    tuning,
    readAhead: readAhead(),
    submit: (encode, read) => submit(encode, read),
    prepare: (plan, progress, chosen = choose) => preparePlan({ ...context, choose: chosen }, plan, progress),
    write: (t, data, at) => {
      health.check();
      memory.write(t, data, at);
    },
    async settle() {
      device.queue.submit([]);
      await device.queue.onSubmittedWorkDone();
      health.check();
    },
    async read(...tensors) {
      health.check();
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
      if (!health.close()) return;
      memory.dispose();
      absent.read.destroy();
      absent.write.destroy();
      if (owned) device.destroy();
    },
  };
}

/** Keeps the first fault of a device, and whether it was disposed. */
function watchHealth(device: GPUDevice) {
  let fault: DeviceError | undefined;
  let disposed = false;
  device.addEventListener("uncapturederror", (event) => {
    fault ??= new DeviceError(`gpu: ${event.error.message}`);
  });
  void device.lost.then(({ reason, message }) => {
    fault ??= new DeviceError(
      `gpu: the device was ${disposed ? "disposed" : `lost (${reason}: ${message})`}; open it again and load the model again`,
    );
  });
  return {
    check(): void {
      if (disposed) throw new DeviceError("gpu: must not be used after dispose(); open it again");
      if (fault) throw fault;
    },
    /** Returns false if it was closed before. */
    close(): boolean {
      const first = !disposed;
      disposed = true;
      return first;
    },
  };
}

// As measured; runs in flight beyond what is needed may be steps after the last one. Firefox polls every 100 ms, and
// mapAsync of Deno blocks until the device is idle.
function readAhead(): number {
  const { Deno, navigator } = globalThis as { Deno?: unknown; navigator?: { userAgent?: string } };
  if (navigator?.userAgent?.includes("Firefox")) return 16;
  return Deno ? 4 : 3;
}
