import { packBeams, packIndirection } from "../../kernels/search_state.js";
import { InputError, OptionError } from "../../runtime/errors.js";
import { record } from "../../runtime/plan.js";
import { tensor } from "../../runtime/tensor.js";
import type { DecoderCore, HostTensor } from "../core.js";
import { decoderStep } from "../graph/decoder.js";
import { type EncoderInput, type TokenLists, totalLength } from "../inputs.js";
import type { KeepAlive } from "../lifetime.js";
import { createDecoderCache } from "./cache.js";
import { MAX_BEAMS } from "./options.js";

/** The second level: a decoder with its caches on the device, one step a call. Release it with `dispose()`. */
export interface Decoder {
  /**
   * Feeds one token to each of the B*W rows and returns their logits f32[B*W,V]. `parents[r]` is the beam (0 to W-1) of
   * the same sentence whose past row r continues; by default its own. Throws InputError for bad ids and when the cache
   * is full.
   */
  step(ids: readonly number[], parents?: readonly number[]): Promise<HostTensor>;
  /** Tokens fed to each row so far. */
  readonly length: number;
  /** Frees its memory. */
  dispose(): void;
}

/** Sizes of a Decoder. */
export interface DecoderOptions {
  /** The most tokens that can be fed to a row. */
  readonly max_length: number;
  /** Beams of each source: rows that may continue one another. Default 1. */
  readonly num_beams?: number;
}

/** Encodes the sources and opens a Decoder over them. Throws OptionError for sizes that the model does not have. */
export async function createDecoder(
  core: DecoderCore,
  sources: readonly EncoderInput[],
  { max_length: M, num_beams: W = 1 }: DecoderOptions,
  keepAlive: KeepAlive,
): Promise<Decoder> {
  const { gpu, architecture } = core;
  checkSize("max_length", M, architecture.decoder.P);
  checkSize("num_beams", W, MAX_BEAMS);
  const B = sources.length;
  const R = B * W;
  const cache = createDecoderCache(core, { B, n: 1, W, M, S: totalLength(sources) });
  const { rows, indirection, past, cross } = cache;
  const logits = tensor("logits", "f32", [R, architecture.V]);
  const step = record("decoder", (run) => void decoderStep(run, core, { rows, past, indirection, cross, logits }));
  const prepared = await gpu.prepare(step);
  await cache.encode(sources);
  let pasts: number[][] = Array.from({ length: R }, () => []); // the row that holds each token of each row's past
  let length = 0;
  const feed = async (ids: readonly number[], parents: readonly number[] | undefined): Promise<HostTensor> => {
    if (length === M)
      throw new InputError(
        `decoder: at most max_length=${M} tokens can be fed, and all were; open one with a larger max_length`,
      );
    checkRows("ids", ids, R, architecture.V);
    if (parents) checkRows("parents", parents, R, W);
    if (length > 0) pasts = pasts.map((_, r) => continued(pasts, parents ? r - (r % W) + parents[r] : r));
    const position = length++;
    gpu.write(
      indirection,
      packIndirection(
        pasts.map((past) => ({ position, past })),
        M,
      ),
    );
    gpu.write(rows, packBeams(ids.map((id, r) => ({ id, position, sentence: Math.floor(r / W) }))));
    const [data] = (await prepared.run({ read: [logits] })) as Float32Array[];
    return { dims: [R, architecture.V], data };
  };
  return {
    get length() {
      return length;
    },
    step: (ids, parents) => keepAlive(() => feed(ids, parents)),
    dispose() {
      prepared.dispose();
      cache.dispose();
      gpu.memory.free([logits]);
    },
  };
}

/** The past of a row that continues row r: the past of r, and the token that r fed. */
const continued = (pasts: TokenLists, r: number): number[] => [...pasts[r], r];

function checkSize(name: string, value: number, most: number): void {
  if (!Number.isInteger(value) || value < 1 || value > most)
    throw new OptionError(`decoder: ${name} must be a whole number from 1 to ${most}, got ${value}`);
}

function checkRows(name: string, list: readonly number[], R: number, size: number): void {
  if (list.length !== R) throw new InputError(`decoder: ${name} must have ${R} entries, got ${list.length}`);
  const bad = list.find((value) => !Number.isInteger(value) || value < 0 || value >= size);
  if (bad !== undefined)
    throw new InputError(`decoder: ${name} must be whole numbers from 0 to ${size - 1}, got ${bad}`);
}
