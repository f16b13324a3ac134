// A device whose calls fail when they are told to, and that knows which of its buffers live.

/** The calls that can fail. */
export const CALLS = [
  "createBuffer",
  "createShaderModule",
  "createComputePipelineAsync",
  "createBindGroup",
  "createCommandEncoder",
  "submit",
  "writeBuffer",
  "mapAsync",
] as const;
export type Call = (typeof CALLS)[number];

/**
 * How a call fails: it throws (or rejects, where it gives a promise), the device reports an error of it, or the device
 * is lost at it.
 */
export type Way = "throws" | "reports" | "loses";

/** A device under fault injection. */
export interface FaultyDevice {
  /** From now on the `k`-th call (from 0) of this kind fails, or the `k`-th of all kinds. */
  fail(call: Call | "any", k: number, way: Way): void;
  /** Ends the injection. Returns whether the call came. */
  end(): boolean;
  /** Buffers that were created and not destroyed. */
  readonly live: ReadonlySet<GPUBuffer>;
}

type Method = (...args: never[]) => unknown;

/** Arguments of which the device reports an error. */
const REPORTED: Partial<Record<Call, (args: unknown[]) => unknown[]>> = {
  createBuffer: ([descriptor]) => [{ ...(descriptor as GPUBufferDescriptor), size: 2 ** 40 }],
  writeBuffer: ([buffer, , data, at, size]) => [buffer, (buffer as GPUBuffer).size, data, at, size],
  createBindGroup: ([descriptor]) => [{ ...(descriptor as GPUBindGroupDescriptor), entries: [] }],
};

/** The ways in which a call can fail on a device that is not lost. */
export const waysOf = (call: Call): Way[] => (REPORTED[call] ? ["throws", "reports"] : ["throws"]);

/** Puts fault injection into a device. */
export function injectFaults(device: GPUDevice): FaultyDevice {
  const live = new Set<GPUBuffer>();
  let plan: { call: Call | "any"; left: number; way: Way } | undefined;
  let came = false;
  const wrap = (target: object, call: Call, after: (result: unknown) => void = () => {}): void => {
    const methods = target as Record<Call, Method>;
    const original = methods[call].bind(target) as (...args: unknown[]) => unknown;
    methods[call] = (...args: unknown[]): unknown => {
      let given = args;
      if (plan && (plan.call === call || plan.call === "any") && plan.left-- === 0) {
        came = true;
        if (plan.way === "throws") {
          const error = new Error(`${call} was made to fail`);
          if (call === "mapAsync" || call === "createComputePipelineAsync") return Promise.reject(error);
          throw error;
        }
        if (plan.way === "loses") device.destroy();
        else given = REPORTED[call]?.(args) ?? args;
      }
      const result = original(...given);
      after(result);
      return result;
    };
  };
  const watch = (buffer: GPUBuffer): void => {
    live.add(buffer);
    const destroy = buffer.destroy.bind(buffer);
    buffer.destroy = () => {
      live.delete(buffer);
      return destroy();
    };
    wrap(buffer, "mapAsync");
  };
  for (const call of CALLS) {
    if (call === "submit" || call === "writeBuffer") wrap(device.queue, call);
    else if (call === "createBuffer") wrap(device, call, (made) => watch(made as GPUBuffer));
    else if (call !== "mapAsync") wrap(device, call);
  }
  return {
    live,
    fail(call, k, way) {
      came = false;
      plan = { call, left: k, way };
    },
    end() {
      plan = undefined;
      return came;
    },
  };
}

interface Rejections {
  on(type: "unhandledRejection", call: (reason: unknown) => void): void;
  off(type: "unhandledRejection", call: (reason: unknown) => void): void;
}

/** Runs `body` and returns what rejected without a handler meanwhile, which ends a plain Node. */
export async function unhandled(body: () => Promise<void>): Promise<string[]> {
  const found: string[] = [];
  const add = (reason: unknown) => void found.push(String(reason));
  const onEvent = (event: Event) => {
    event.preventDefault();
    add((event as PromiseRejectionEvent).reason);
  };
  const { Deno, process } = globalThis as { Deno?: unknown; process?: Rejections };
  const node = Deno ? undefined : process;
  if (node) node.on("unhandledRejection", add);
  else globalThis.addEventListener("unhandledrejection", onEvent);
  try {
    await body();
    await new Promise((resolve) => setTimeout(resolve, 5)); // they are told after the turn
  } finally {
    if (node) node.off("unhandledRejection", add);
    else globalThis.removeEventListener("unhandledrejection", onEvent);
  }
  return found;
}
