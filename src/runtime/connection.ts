import { createBudget } from "./budget.js";
import type { Fallback } from "./compile.js";
import { type AdapterInfo, openDevice } from "./device.js";
import { type DeviceClass, deviceClass } from "./device_class.js";
import type { Compiling, GpuOptions } from "./gpu.js";
import { type DeviceLost, type Health, watchHealth } from "./health.js";
import type { Variant } from "./kernel.js";
import { LAUNCH_FLOPS } from "./launches.js";
import { createMemory, type Gone, USAGE } from "./memory.js";
import { createPipelines } from "./pipelines.js";
import { throttlePolling } from "./polling.js";
import type { PrepareContext, Work } from "./prepare.js";
import { deviceError, handled, scoped } from "./scopes.js";
import type { Location } from "./staging.js";
import type { TypedArray } from "./tensor.js";
import { openTuning, type Tuning } from "./tuning.js";
import { chooseVariant } from "./variants.js";

/** One open device and all that is made on it. It ends when the device is lost. */
export interface Connection extends PrepareContext {
  readonly info: AdapterInfo;
  readonly owned: boolean;
  readonly class: DeviceClass;
  readonly tuning: Tuning;
  readonly health: Health;
  /** Resolves when all that was written before is on the device. Throws DeviceError for what is not. */
  settle(): Promise<void>;
  /** Frees all memory, and destroys the device unless it is the caller's. A second time does nothing. */
  dispose(): void;
}

/** What outlives a device, and who is told of what happens on it. */
export interface ConnectionHooks {
  readonly gone: Gone;
  onLost(lost: DeviceLost): void;
  onFallback(fallback: Fallback): void;
  onCompile(event: Compiling): void;
}

const SUBMIT_FLOPS = 50e9; // until the device has been measured

/**
 * Opens a device, or takes the caller's. What was measured on the one before goes on if the adapter is the same. Throws
 * DeviceError.
 */
export async function connect(
  options: GpuOptions,
  hooks: ConnectionHooks,
  before?: Pick<Connection, "info" | "tuning">,
): Promise<Connection> {
  const { device, info, owned } = await openDevice(options);
  const { guard, weightLimit, submitFlops = SUBMIT_FLOPS, launchFlops = LAUNCH_FLOPS } = options;
  const memory = createMemory(device, { guard, weightLimit, gone: hooks.gone });
  const refused = new Set<Variant>();
  const kind = deviceClass(info, device.features, options, refused);
  const known = before?.info.description === info.description ? before.tuning : undefined;
  const tuning = known ?? (await openTuning(info, options.tuned ?? options.adapter === undefined));
  const health = watchHealth(device, owned, (lost) => {
    memory.dispose(`was lost with its device (${lost.message}); compute it again`);
    hooks.onLost(lost);
  });
  const small = { size: 256, usage: USAGE.storage };
  const { value: absent } = scoped(device, "opening", () => ({
    read: device.createBuffer(small),
    write: device.createBuffer(small),
  }));
  const budget = createBudget(submitFlops);
  const throttle = info.software ? throttlePolling() : undefined;
  return {
    device,
    info,
    owned,
    class: kind,
    memory,
    health,
    tuning,
    absent,
    budget,
    launchFlops,
    pipelines: createPipelines(device, kind, hooks.onCompile),
    healthy: health.check,
    choose: (kernel, dims, without) =>
      chooseVariant(
        kernel,
        dims,
        without?.size ? { ...kind, refused: new Set([...refused, ...without]) } : kind,
        tuning.choices(),
      ),
    refuse(variant, fallback) {
      if (refused.has(variant)) return;
      refused.add(variant);
      hooks.onFallback(fallback);
    },
    submit: (...work) => handled(submit({ device, memory, health, budget, throttle }, ...work)),
    async settle() {
      health.check();
      const written = handled(memory.settled());
      try {
        device.queue.submit([]);
        await device.queue.onSubmittedWorkDone();
        await written;
      } catch (cause) {
        health.check();
        throw deviceError("writing", cause);
      }
      health.check();
    },
    dispose() {
      if (!health.close()) return;
      memory.dispose("was freed with its device");
      absent.read.destroy();
      absent.write.destroy();
      if (owned) device.destroy();
    },
  };
}

interface SubmitContext extends Pick<Connection, "device" | "memory" | "health" | "budget"> {
  /** Leaves the processor to an adapter that computes on it. */
  readonly throttle: ((pending: Promise<unknown>) => void) | undefined;
}

async function submit(
  { device, memory, health, budget, throttle }: SubmitContext,
  work: readonly Work[],
  read: () => readonly Location[],
  submitted?: () => void,
): Promise<TypedArray[]> {
  health.check();
  try {
    const { value, fault } = scoped(device, "running", () => send(device, memory, work, read()));
    const written = handled(memory.settled());
    submitted?.();
    if (value.ends.length > 1)
      budget.learn(
        work.map(({ flops }) => flops),
        value.ends,
      );
    if (value.collecting) throttle?.(value.collecting);
    const error = await fault; // it says more than a read that fails for it
    if (error) throw error;
    const values = (await value.collecting) ?? [];
    await written;
    health.check();
    return values;
  } catch (cause) {
    health.check();
    throw deviceError("running", cause);
  }
}

/** Submits each work in turn, and begins to copy tensors to the host after the last. */
function send(
  device: GPUDevice,
  memory: PrepareContext["memory"],
  work: readonly Work[],
  read: readonly Location[],
): { readonly collecting: Promise<TypedArray[]> | undefined; readonly ends: Promise<number>[] } {
  const ends: Promise<number>[] = [];
  let collecting: Promise<TypedArray[]> | undefined;
  work.forEach(({ encode }, index) => {
    const encoder = device.createCommandEncoder();
    encode(encoder);
    const staged = read.length && index === work.length - 1 ? memory.stage(encoder, read) : undefined;
    try {
      device.queue.submit([encoder.finish()]);
    } catch (error) {
      staged?.abandon();
      throw error;
    }
    collecting = staged && handled(staged.collect());
    if (work.length > 1) ends.push(handled(device.queue.onSubmittedWorkDone().then(() => performance.now())));
  });
  return { collecting, ends };
}
