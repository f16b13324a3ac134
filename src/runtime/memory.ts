import { DeviceError } from "./errors.js";
import {
  byteLength,
  describe,
  elements,
  owner,
  type Role,
  type Tensor,
  type TypedArray,
  typedArray,
} from "./tensor.js";

/** Flags of `GPUBufferUsage`, for which Node has no global. */
export const USAGE = {
  mapRead: 0x1,
  copySource: 0x4,
  copyTarget: 0x8,
  uniform: 0x40,
  storage: 0x80,
  queryResolve: 0x200,
} as const;
const MAP_READ = 1; // GPUMapMode.READ

/** Bytes allocated on a device: of tensors by role, of uniforms, of staging buffers for reading back, and in total. */
export type MemoryUse = Readonly<Record<Role | "uniforms" | "staging" | "total", number>>;

/** Buffers for the tensors of one device, every byte counted. */
export interface Memory {
  /** Bytes above which a weight is split by rows. */
  readonly weightLimit: number;
  /** The buffer of a weight or a state; created, full of zeros, when it is first asked for. */
  buffer(t: Tensor): GPUBuffer;
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
  /** Appends copies of tensors to the commands in `encoder`; call `collect` after the submit. */
  stage(encoder: GPUCommandEncoder, locations: readonly Location[]): Staged;
  /** Destroys the buffers of weights and states. */
  free(tensors: Iterable<Tensor>): void;
  /** Bytes held now. */
  use(): MemoryUse;
  /** Destroys all buffers. */
  dispose(): void;
}

/** Where the values of a tensor are: at `offset` bytes in a buffer. */
export interface Location {
  readonly tensor: Tensor;
  readonly buffer: GPUBuffer;
  readonly offset: number;
}

/** Values on their way to the host. */
export interface Staged {
  /** Resolves with the tensors' values, in order, once the device has computed them. */
  collect(): Promise<TypedArray[]>;
}

/** Words after every weight and state of a device with `guard`: a launch that writes past its output changes them. */
export const GUARD_WORDS = 64;
/** The value of every guard word. */
export const GUARD_WORD = 0xa5a5a5a5;

/** The memory of a device; `guard` puts guard words after every weight and state. */
export function createMemory(
  device: GPUDevice,
  guard: boolean,
  weightLimit = device.limits.maxStorageBufferBindingSize,
): Memory {
  const buffers = new Map<Tensor, GPUBuffer>();
  const kinds = new Map<GPUBuffer, keyof MemoryUse>();
  const idle: GPUBuffer[] = [];

  const checkSize = (label: string, bytes: number): void => {
    const limit = device.limits.maxBufferSize;
    if (bytes > limit)
      throw new DeviceError(
        `gpu: ${label} needs a buffer of ${bytes} bytes, the device allows ${limit}; use fewer rows or beams`,
      );
  };
  const make = (label: string, bytes: number, usage: number, kind: keyof MemoryUse): GPUBuffer => {
    checkSize(label, bytes);
    const created = device.createBuffer({ label, size: Math.max(16, Math.ceil(bytes / 16) * 16), usage });
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
        `gpu: ${describe(t)} must fit one binding of ${limit} bytes, needs ${byteLength(t)}; use fewer rows, beams or a shorter max_length`,
      );
    }
  };
  const buffer = (t: Tensor): GPUBuffer => {
    const root = owner(t);
    const known = buffers.get(root);
    if (known) return known;
    if (root.role === "activation")
      throw new Error(`${describe(root)} is an activation: it has memory only while its plan runs`);
    check(root);
    const bytes = byteLength(root) + (guard ? 4 * GUARD_WORDS : 0);
    const made = make(root.name, bytes, USAGE.storage | USAGE.copySource | USAGE.copyTarget, root.role);
    buffers.set(root, made);
    if (guard) device.queue.writeBuffer(made, byteLength(root), new Uint32Array(GUARD_WORDS).fill(GUARD_WORD));
    return made;
  };
  const staging = (bytes: number): GPUBuffer => {
    const found = idle.findIndex((candidate) => candidate.size >= bytes && candidate.size <= 4 * bytes + 4096);
    if (found >= 0) return idle.splice(found, 1)[0];
    return make(
      "staging",
      2 ** Math.ceil(Math.log2(Math.max(256, bytes))),
      USAGE.mapRead | USAGE.copyTarget,
      "staging",
    );
  };

  return {
    weightLimit,
    buffer,
    check,
    checkSize,
    release,
    create: (label, bytes, usage, kind) => make(label, bytes, usage, kind),
    write(t, data, at = 0) {
      if (at + data.byteLength > byteLength(t))
        throw new RangeError(`gpu: ${data.byteLength} bytes do not fit ${describe(t)}`);
      if (data.byteLength === 0) return; // Deno panics
      const whole = data.byteLength % 4 === 0;
      if (whole) return device.queue.writeBuffer(buffer(t), at, data.buffer, data.byteOffset, data.byteLength);
      const padded = new Uint8Array(Math.ceil(data.byteLength / 4) * 4);
      padded.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
      device.queue.writeBuffer(buffer(t), at, padded);
    },
    stage(encoder, locations) {
      const sizes = locations.map(({ tensor }) => byteLength(tensor));
      const target = staging(sizes.reduce((sum, size) => sum + size, 0));
      let at = 0;
      locations.forEach((location, index) => {
        encoder.copyBufferToBuffer(location.buffer, location.offset, target, at, sizes[index]);
        at += sizes[index];
      });
      return {
        async collect() {
          await target.mapAsync(MAP_READ, 0, Math.max(4, at));
          const copy = target.getMappedRange(0, Math.max(4, at)).slice(0);
          target.unmap();
          idle.push(target);
          let start = 0;
          return locations.map(({ tensor }, index) => {
            const bytes = copy.slice(start, (start += sizes[index]));
            return typedArray(tensor.dtype, bytes, elements(tensor));
          });
        },
      };
    },
    free(tensors) {
      for (const t of tensors) {
        const found = buffers.get(owner(t));
        if (found) release(found);
        buffers.delete(owner(t));
      }
    },
    use() {
      const use = { weight: 0, state: 0, activation: 0, uniforms: 0, staging: 0, total: 0 };
      for (const [made, kind] of kinds) {
        use[kind] += made.size;
        use.total += made.size;
      }
      return use;
    },
    dispose() {
      for (const made of kinds.keys()) made.destroy();
      kinds.clear();
      buffers.clear();
      idle.length = 0;
    },
  };
}
