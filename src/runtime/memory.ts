import { DeviceError, type WgformerError } from "./errors.js";
import { scoped } from "./scopes.js";
import { createStaging, type Location, type Staged } from "./staging.js";
import { byteLength, describe, owner, type Role, type Tensor, type TypedArray } from "./tensor.js";

/** Flags of `GPUBufferUsage`, for which Node has no global. */
export const USAGE = {
  mapRead: 0x1,
  copySource: 0x4,
  copyTarget: 0x8,
  uniform: 0x40,
  storage: 0x80,
  queryResolve: 0x200,
} as const;

/** Bytes allocated on a device: of tensors by role, of uniforms, of staging buffers for reading back, and in total. */
export type MemoryUse = Readonly<Record<Role | "uniforms" | "staging" | "total", number>>;

/** Buffers for the tensors of one device, every byte counted. */
export interface Memory {
  /** Bytes above which a weight is split by rows. */
  readonly weightLimit: number;
  /**
   * The buffer of a weight or a state; created, full of zeros, when it is first asked for. Throws DeviceError for one
   * that was freed, lost with its device, or could not be written.
   */
  buffer(t: Tensor): GPUBuffer;
  /** Whether a weight or a state has a buffer by now. */
  has(t: Tensor): boolean;
  /** Creates a buffer for activations or uniforms, counted under `kind`. */
  create(label: string, bytes: number, usage: number, kind: "activation" | "uniforms"): GPUBuffer;
  /** Destroys a buffer that `create` made. */
  release(buffer: GPUBuffer): void;
  /** Throws DeviceError when a weight or state of this size could not be bound. */
  check(t: Tensor): void;
  /** Throws DeviceError when no buffer could have this size. */
  checkSize(label: string, bytes: number): void;
  /** Copies values into a weight or a state, from byte `at` on: a multiple of 4, by default 0. */
  write(t: Tensor, data: TypedArray | Uint8Array<ArrayBuffer>, at?: number): void;
  /** Copies bytes into a buffer that `create` made. */
  writeBytes(buffer: GPUBuffer, offset: number, bytes: ArrayBuffer): void;
  /** How many writes have failed. */
  readonly faults: number;
  /**
   * Resolves when it is known of all writes under way whether they arrive. Throws DeviceError for one that does not; its
   * tensor is gone, as those of earlier writes are.
   */
  settled(): Promise<void>;
  /** Appends copies of tensors to the commands in `encoder`; call `collect` after the submit. */
  stage(encoder: GPUCommandEncoder, locations: readonly Location[]): Staged;
  /** Destroys the buffers of weights and states, which must not be used after that. */
  free(tensors: Iterable<Tensor>): void;
  /** Destroys their buffers, but they may be used again. */
  forget(tensors: Iterable<Tensor>): void;
  /** Bytes held now. */
  use(): MemoryUse;
  /** Destroys all buffers; `why` says of each tensor what became of it. */
  dispose(why: string): void;
}

/** Words after every weight and state of a device with `guard`: a launch that writes past its output changes them. */
export const GUARD_WORDS = 64;
/** The value of every guard word. */
export const GUARD_WORD = 0xa5a5a5a5;

/** Tensors that have no values any more, and why. */
export type Gone = WeakMap<Tensor, string>;

/** How to make the memory of a device. */
export interface MemoryOptions {
  /** Put guard words after every weight and state. */
  readonly guard?: boolean;
  readonly weightLimit?: number;
  /** Tensors without values, also those of earlier devices. */
  readonly gone: Gone;
}

/** The size of a buffer for so many bytes. */
export const bufferBytes = (bytes: number): number => Math.max(16, Math.ceil(bytes / 16) * 16);

/** The memory of a device. */
export function createMemory(device: GPUDevice, { guard = false, weightLimit, gone }: MemoryOptions): Memory {
  const buffers = new Map<Tensor, GPUBuffer>();
  const kinds = new Map<GPUBuffer, keyof MemoryUse>();
  const writing = new Set<Promise<WgformerError | undefined>>(); // those of which it is not known whether they arrive
  let faults = 0;

  const checkSize = (label: string, bytes: number): void => {
    const limit = device.limits.maxBufferSize;
    if (bytes > limit)
      throw new DeviceError(
        `gpu: ${label} needs a buffer of ${bytes} bytes, the device allows ${limit}; use fewer rows or beams`,
      );
  };
  const make = (label: string, bytes: number, usage: number, kind: keyof MemoryUse): GPUBuffer => {
    checkSize(label, bytes);
    const created = device.createBuffer({ label, size: bufferBytes(bytes), usage });
    kinds.set(created, kind);
    return created;
  };
  const release = (buffer: GPUBuffer): void => {
    kinds.delete(buffer);
    buffer.destroy();
  };
  const check = (t: Tensor): void => {
    const limit = device.limits.maxStorageBufferBindingSize;
    if (byteLength(t) > limit) {
      throw new DeviceError(
        `gpu: ${describe(t)} must fit one binding of ${limit} bytes, needs ${byteLength(t)}; use ${t.role === "weight" ? "a smaller dtype or another device" : "fewer rows, beams or a shorter max_length"}`,
      );
    }
  };
  const buffer = (t: Tensor): GPUBuffer => {
    const root = owner(t);
    const known = buffers.get(root);
    if (known) return known;
    const fate = gone.get(root);
    if (fate) throw new DeviceError(`gpu: ${describe(root)} ${fate}`);
    if (root.role === "activation")
      throw new Error(`${describe(root)} is an activation: it has memory only while its plan runs`);
    check(root);
    const bytes = byteLength(root) + (guard ? 4 * GUARD_WORDS : 0);
    const made = make(root.name, bytes, USAGE.storage | USAGE.copySource | USAGE.copyTarget, root.role);
    buffers.set(root, made);
    if (guard) device.queue.writeBuffer(made, byteLength(root), new Uint32Array(GUARD_WORDS).fill(GUARD_WORD));
    return made;
  };
  const forget = (tensors: Iterable<Tensor>): void => {
    for (const t of tensors) {
      const found = buffers.get(owner(t));
      if (found) release(found);
      buffers.delete(owner(t));
    }
  };
  const lose = (tensors: Iterable<Tensor>, why: string): void => {
    forget(tensors);
    for (const t of tensors) gone.set(owner(t), why);
  };
  const put = (what: string, t: Tensor | undefined, write: () => void): void => {
    const arrived = scoped(device, `writing ${what}`, write).fault.then((fault) => {
      writing.delete(arrived);
      if (fault) faults++;
      if (fault && t) lose([t], `was not written: ${fault.message}`);
      return fault;
    });
    writing.add(arrived);
  };

  const staging = createStaging(
    (bytes) => make("staging", bytes, USAGE.mapRead | USAGE.copyTarget, "staging"),
    release,
  );

  return {
    weightLimit: weightLimit ?? device.limits.maxStorageBufferBindingSize,
    buffer,
    has: (t) => buffers.has(owner(t)),
    forget,
    check,
    checkSize,
    release,
    create: (label, bytes, usage, kind) => make(label, bytes, usage, kind),
    write(t, data, at = 0) {
      if (at + data.byteLength > byteLength(t))
        throw new RangeError(`gpu: ${data.byteLength} bytes do not fit ${describe(t)}`);
      if (data.byteLength === 0) return; // Deno panics
      put(describe(t), t, () => {
        const target = buffer(t);
        if (data.byteLength % 4 === 0)
          return device.queue.writeBuffer(target, at, data.buffer, data.byteOffset, data.byteLength);
        const padded = new Uint8Array(Math.ceil(data.byteLength / 4) * 4);
        padded.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
        device.queue.writeBuffer(target, at, padded);
      });
    },
    writeBytes: (target, offset, bytes) =>
      put(target.label, undefined, () => device.queue.writeBuffer(target, offset, bytes)),
    get faults() {
      return faults;
    },
    async settled() {
      const fault = (await Promise.all(writing)).find((error) => error !== undefined);
      if (fault) throw fault;
    },
    stage: staging.stage,
    free: (tensors) => lose([...tensors], "was freed, and must not be used any more"),
    use() {
      const use = { weight: 0, state: 0, activation: 0, uniforms: 0, staging: 0, total: 0 };
      for (const [made, kind] of kinds) {
        use[kind] += made.size;
        use.total += made.size;
      }
      return use;
    },
    dispose(why) {
      for (const t of buffers.keys()) gone.set(t, why);
      for (const made of kinds.keys()) made.destroy();
      kinds.clear();
      buffers.clear();
    },
  };
}
