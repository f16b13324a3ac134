import { InputError, OptionError } from "../../runtime/errors.js";
import { record } from "../../runtime/plan.js";
import { tensor } from "../../runtime/tensor.js";
import type { DecoderCore, During, HostTensor } from "../core.js";
import { decoderStep } from "../graph/decoder.js";
import { MAX_BEAMS } from "./option_rules.js";
import { createSession } from "./cache.js";

/** The Decoder with its caches on the device, driven one token a row at a time. Release it with `dispose()`. */
export interface Stepper {
  /**
   * Feeds one token to each of the B*W rows and returns their logits f32[B*W,V]. `parents[r]` is the beam (0 to W-1) of the
   * same sentence whose past row r continues; its own when absent. Throws InputError on bad ids and when the cache is full.
   */
  step(ids: readonly number[], parents?: readonly number[]): Promise<HostTensor>;
  /** Tokens fed to each row so far. */
  readonly length: number;
  dispose(): void;
}

export async function createStepper(
  core: DecoderCore,
  sources: readonly (readonly number[])[],
  { max_length: M, num_beams: W = 1 }: { max_length: number; num_beams?: number },
  during: During,
): Promise<Stepper> {
  const { gpu, architecture: a } = core;
  const { P } = a.decoder;
  if (!Number.isInteger(M) || M < 1 || M > P)
    throw new OptionError(`decoder: max_length must be a whole number from 1 to ${P}, got ${M}`);
  if (!Number.isInteger(W) || W < 1 || W > MAX_BEAMS)
    throw new OptionError(`decoder: num_beams must be a whole number from 1 to ${MAX_BEAMS}, got ${W}`);
  const B = sources.length;
  const R = B * W;
  const session = createSession(core, { B, n: 1, W, M, S: sources.reduce((sum, { length }) => sum + length, 0) });
  const { rows, indirection, cache, cross } = session;
  const logits = tensor("logits", "f32", [R, a.V]);
  const prepared = await gpu.prepare(
    record("decoder", (run) => void decoderStep(run, core, { rows, past: cache, indirection, cross, logits })),
  );
  await session.encode(sources);
  let table: number[][] = Array.from({ length: R }, () => []); // for every row, which row holds each step of its past
  let length = 0;
  return {
    get length() {
      return length;
    },
    step: (ids, parents) =>
      during(async () => {
        if (length === M)
          throw new InputError(
            `decoder: at most max_length=${M} tokens fit, all are fed; open one with a larger max_length`,
          );
        checkRows("ids", ids, R, a.V);
        if (parents) checkRows("parents", parents, R, W);
        if (length > 0) {
          const origin = (r: number): number => (parents ? Math.floor(r / W) * W + parents[r] : r);
          table = table.map((_, r) => [...table[origin(r)], origin(r)]);
        }
        const packed = new Uint32Array(2 * R * M);
        table.forEach((past, r) => packed.set(past, ((length % 2) * R + r) * M));
        gpu.write(indirection, packed);
        gpu.write(rows, Uint32Array.from(ids.flatMap((id, r) => [id, length, Math.floor(r / W), 0])));
        length++;
        const [data] = (await prepared.run({ read: [logits] })) as Float32Array[];
        return { dims: [R, a.V], data };
      }),
    dispose() {
      prepared.dispose();
      session.dispose();
      gpu.memory.free([logits]);
    },
  };
}

function checkRows(name: string, list: readonly number[], R: number, size: number): void {
  if (list.length !== R) throw new InputError(`decoder: ${name} must have ${R} entries, got ${list.length}`);
  const bad = list.find((value) => !Number.isInteger(value) || value < 0 || value >= size);
  if (bad !== undefined)
    throw new InputError(`decoder: ${name} must be whole numbers from 0 to ${size - 1}, got ${bad}`);
}
