import type { Choose, Fallback } from "./compile.js";
import { type Connection, connect } from "./connection.js";
import type { AdapterInfo, DeviceOptions } from "./device.js";
import type { AdapterClass, DeviceClass } from "./device_class.js";
import { checkGpuOptions } from "./gpu_options.js";
import type { DeviceLost } from "./health.js";
import { isDeno, hostObject } from "./host.js";
import type { Memory, MemoryUse } from "./memory.js";
import type { Plan } from "./plan.js";
import { preparePlan, type Prepared } from "./prepare.js";
import type { Location } from "./staging.js";
import { storage, type Tensor, type TypedArray } from "./tensor.js";
import type { Tuning } from "./tuning.js";

/** Who is told of what happens on a device. What these functions throw is ignored: no call waits for them. */
export interface GpuListener {
  /** The device was lost, and calls in flight reject. */
  onDeviceLost?(event: DeviceLost): void;
  /** A compiler refused a variant of a kernel, and the next one runs instead; told once for each. */
  onFallback?(event: Fallback): void;
  /** A kernel begins or ends to be compiled, as the first calls make it happen. */
  onCompile?(event: Compiling): void;
}

/** How far compiling is. */
export interface Compiling {
  /** Kernels that are ready. */
  readonly done: number;
  /** Kernels that were asked for so far. */
  readonly total: number;
}

/** How a device is opened. */
export interface GpuOptions extends DeviceOptions, GpuListener {
  /** Put guard words after every weight and state, for tests. Default false. */
  readonly guard?: boolean;
  /** Run the kernel variants for this class of adapters. Default: the class of the adapter. */
  readonly adapter?: AdapterClass;
  /** Unroll loops of known length in shaders. Default: on GPUs, because software adapters take seconds to compile them. */
  readonly unroll?: boolean;
  /**
   * Use the variants that `tune` found to be fastest on this adapter, and keep what it finds. Default: true, but false
   * when `adapter` is given.
   */
  readonly tuned?: boolean;
  /** Bytes above which a weight is split by rows. Default: what the device can bind. */
  readonly weightLimit?: number;
  /**
   * Floating-point operations of a submit: longer runs are cut, because browsers end a GPU that is busy for seconds.
   * Default: 50e9 at first, then as many as take 100 ms.
   */
  readonly submitFlops?: number;
  /** Floating-point operations of a launch, above which it is cut by rows. Default: 20e9. */
  readonly launchFlops?: number;
}

/**
 * A copy of `count` elements, in whole words, between tensors of one format: from element `fromAt` of `from` to element
 * `toAt` of `to`.
 */
export interface Copy {
  readonly from: Tensor;
  readonly fromAt: number;
  readonly to: Tensor;
  readonly toAt: number;
  readonly count: number;
}

/** A device with its memory and its compiled kernels: runs plans. Another device takes the place of one that was lost. */
export interface Gpu {
  /** The device in use. */
  readonly device: GPUDevice;
  /** What the adapter says of itself. */
  readonly info: AdapterInfo;
  /** Tensors on the device. */
  readonly memory: Memory;
  /** How many runs to keep in flight: more in runtimes that take longer to map a buffer. */
  readonly readAhead: number;
  /** The properties of the device by which variants are chosen. */
  readonly class: DeviceClass;
  /** The variant in which a launch of these sizes runs on this device. */
  readonly choose: Choose;
  /** What `tune` found on this adapter. */
  readonly tuning: Tuning;
  /** Variants that the compiler refused, on this device or on one before. */
  readonly fallbacks: readonly Fallback[];
  /**
   * Undefined while the device can be used; when it was lost, resolves once another is open. Weights and states are lost
   * with a device, and plans must be prepared again. Rejects with DeviceError when none can be opened.
   */
  ready(): Promise<void> | undefined;
  /**
   * Compiles the pipelines of a plan and allocates its memory. `progress` counts compiled pipelines; `choose` replaces
   * the device's own choice of variants. Throws DeviceError when a tensor exceeds a limit of the device, and with the
   * line of a shader that does not compile.
   */
  prepare(plan: Plan, progress?: (done: number, total: number) => void, choose?: Choose): Promise<Prepared>;
  /** Copies values into a weight or a state, from byte `at` on: a multiple of 4, by default 0. Runs after it fail if it does. */
  write(t: Tensor, data: TypedArray | Uint8Array<ArrayBuffer>, at?: number): void;
  /**
   * Resolves when all that was written before is on the device, and its copies on the way there are freed. Throws
   * DeviceError where there was no memory for it.
   */
  settle(): Promise<void>;
  /** Copies the values of weights and states to the host. */
  read(...tensors: Tensor[]): Promise<TypedArray[]>;
  /** Copies elements of one weight or state to another, on the device. */
  copy(copies: readonly Copy[]): Promise<void>;
  /** Submits the commands that `encode` records, and copies tensors to the host after them. */
  submit(encode: (encoder: GPUCommandEncoder) => void, read: readonly Location[]): Promise<TypedArray[]>;
  /** Bytes held on the device, by role. */
  use(): MemoryUse;
  /** Tells this listener too, until the returned function is called. */
  listen(listener: GpuListener): () => void;
  /** Frees all memory, and destroys the device unless it is the caller's. */
  dispose(): void;
}

/**
 * Opens a device (or takes the caller's) and runs plans on it. Throws DeviceError when there is none, and OptionError.
 *
 * @example
 * const device = await gpu({ powerPreference: "high-performance" });
 * const [embed, generate] = await Promise.all([
 *   featureExtraction("models/all-MiniLM-L6-v2", { gpu: device }),
 *   textGeneration("models/gpt2-brown", { gpu: device }),
 * ]);
 * console.log(device.info.description, device.use(), embed.model, generate.model);
 * device.dispose();
 */
export async function gpu(options: GpuOptions = {}): Promise<Gpu> {
  checkGpuOptions(options);
  const { listeners, hooks, fallbacks } = createHooks(options);
  let now = await connect(options, hooks);
  let opening: Promise<void> | undefined;
  const reopen = async (): Promise<void> => {
    const next = await connect(options, hooks, now);
    if (now.health.close()) now = next;
    else next.dispose(); // it was disposed meanwhile
    now.health.check();
  };
  const submit: Connection["submit"] = (...work) => now.submit(...work);
  return {
    get device() {
      return now.device;
    },
    get info() {
      return now.info;
    },
    get memory() {
      return now.memory;
    },
    get class() {
      return now.class;
    },
    get tuning() {
      return now.tuning;
    },
    fallbacks,
    readAhead: readAhead(),
    choose: (...launch) => now.choose(...launch),
    ready() {
      if (!now.health.lost?.reopens) return undefined; // a call says what is wrong, if something is
      return (opening ??= reopen().finally(() => (opening = undefined)));
    },
    submit: (encode, read) => submit([{ flops: 0, encode }], () => read),
    prepare: (plan, progress, choose = now.choose) => preparePlan({ ...now, choose }, plan, progress),
    write(t, data, at) {
      now.health.check();
      now.memory.write(t, data, at);
    },
    settle: () => now.settle(),
    async read(...tensors) {
      const { memory } = now;
      return submit([{ flops: 0, encode() {} }], () =>
        tensors.map((t) => ({ tensor: t, buffer: memory.buffer(t), offset: 0 })),
      );
    },
    async copy(copies) {
      const { memory } = now;
      const at = (t: Tensor, element: number): [GPUBuffer, number] => [
        memory.buffer(t),
        (element * storage(t.dtype).bits) / 8,
      ];
      const encode = (encoder: GPUCommandEncoder): void => {
        for (const { from, fromAt, to, toAt, count } of copies)
          encoder.copyBufferToBuffer(...at(from, fromAt), ...at(to, toAt), (count * storage(to.dtype).bits) / 8);
      };
      await submit([{ flops: 0, encode }], () => []);
    },
    use: () => now.memory.use(),
    listen(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    dispose() {
      listeners.clear();
      now.dispose();
    },
  };
}

/** The listeners of a device, and the hooks that tell them. */
function createHooks(first: GpuListener) {
  const listeners = new Set<GpuListener>([first]);
  const fallbacks: Fallback[] = [];
  const tell = (call: (listener: GpuListener) => void): void => {
    for (const listener of [...listeners]) {
      try {
        call(listener);
      } catch {
        // there is nobody to catch it
      }
    }
  };
  const hooks = {
    gone: new WeakMap<Tensor, string>(),
    onLost: (lost: DeviceLost) => tell(({ onDeviceLost }) => onDeviceLost?.(lost)),
    onCompile: (event: Compiling) => tell(({ onCompile }) => onCompile?.(event)),
    onFallback(fallback: Fallback) {
      fallbacks.push(fallback);
      tell(({ onFallback }) => onFallback?.(fallback));
    },
  };
  return { listeners, fallbacks, hooks };
}

// As measured; runs in flight beyond what is needed may be steps after the last one. Firefox polls every 100 ms, and
// mapAsync of Deno blocks until the device is idle.
function readAhead(): number {
  if (hostObject("navigator")?.userAgent?.includes("Firefox")) return 16;
  return isDeno() ? 4 : 3;
}
