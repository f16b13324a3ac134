import { byteLength, elements, type Tensor, type TypedArray, typedArray } from "./tensor.js";

/** Where the values of a tensor are: at `offset` bytes in a buffer. */
export interface Location {
  readonly tensor: Tensor;
  readonly buffer: GPUBuffer;
  readonly offset: number;
}

/** Values on their way to the host. Call one of the two. */
export interface Staged {
  /** Resolves with the tensors' values, in order, once the device has computed them; to be called after the submit. */
  collect(): Promise<TypedArray[]>;
  /** Gives the memory back: the commands were not submitted. */
  abandon(): void;
}

const MAP_READ = 1; // GPUMapMode.READ
const KEPT = 16 * 2 ** 20; // bytes of buffers for later reads

/** Buffers through which values come back to the host. `make` creates one of this size, `release` destroys it. */
export function createStaging(make: (bytes: number) => GPUBuffer, release: (buffer: GPUBuffer) => void) {
  const idle: GPUBuffer[] = [];
  const take = (bytes: number): GPUBuffer => {
    const found = idle.findIndex(({ size }) => size >= bytes && size <= 4 * bytes + 4096);
    return found >= 0 ? idle.splice(found, 1)[0] : make(2 ** Math.ceil(Math.log2(Math.max(256, bytes))));
  };
  const keep = (buffer: GPUBuffer): void => {
    idle.push(buffer);
    let held = idle.reduce((sum, { size }) => sum + size, 0);
    while (held > KEPT) {
      const oldest = idle.shift() as GPUBuffer;
      held -= oldest.size;
      release(oldest);
    }
  };
  return {
    /** Appends copies of tensors to the commands in `encoder`. */
    stage(encoder: GPUCommandEncoder, locations: readonly Location[]): Staged {
      const sizes = locations.map(({ tensor }) => byteLength(tensor));
      const bytes = sizes.reduce((sum, size) => sum + size, 0);
      const target = take(bytes);
      const abandon = (): void => release(target);
      const copy = (): void => {
        let at = 0;
        locations.forEach(({ buffer, offset }, index) => {
          encoder.copyBufferToBuffer(buffer, offset, target, at, sizes[index]);
          at += sizes[index];
        });
      };
      const map = async (): Promise<TypedArray[]> => {
        await target.mapAsync(MAP_READ, 0, Math.max(4, bytes));
        const copied = target.getMappedRange(0, Math.max(4, bytes)).slice(0);
        target.unmap();
        keep(target);
        let at = 0;
        return locations.map(({ tensor }, index) =>
          typedArray(tensor.dtype, copied.slice(at, (at += sizes[index])), elements(tensor)),
        );
      };
      try {
        copy();
      } catch (error) {
        abandon();
        throw error;
      }
      return {
        abandon,
        collect: () =>
          map().catch((error: unknown) => {
            abandon();
            throw error;
          }),
      };
    },
  };
}
