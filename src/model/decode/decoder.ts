import { packBeams, packIndirection } from "../../kernels/search_state.js";
import { checkOptions, wholeNumber } from "../../runtime/checks.js";
import { InputError, OptionError } from "../../runtime/errors.js";
import { type Plan, record } from "../../runtime/plan.js";
import type { Prepared } from "../../runtime/prepare.js";
import { type Tensor, tensor } from "../../runtime/tensor.js";
import type { DecoderCore, HostTensor } from "../core.js";
import { checkFinite } from "../finite.js";
import { decoderStep } from "../graph/decoder.js";
import { type Source, type TokenLists, totalLength } from "../inputs.js";
import { createLifetime, type KeepAlive } from "../lifetime.js";
import { createQueue } from "../queue.js";
import { readList } from "../lists.js";
import { createDecoderCache, type DecoderCache } from "./cache.js";
import { MAX_BEAMS } from "./options.js";

/** The second level: a decoder with its caches on the device, one step a call. Release it with `dispose()`. */
export interface Decoder {
  /**
   * Feeds one token to each of the B*W rows and returns their logits f32[B*W,V]. `parents[r]` is the beam (0 to W-1) of
   * the same sentence whose past row r continues; by default its own. Steps that overlap are fed in order. Throws
   * InputError for bad ids, when the cache is full, and when logits are not finite.
   */
  step(ids: ArrayLike<number>, parents?: ArrayLike<number>): Promise<HostTensor>;
  /** Tokens fed to each row so far. */
  readonly length: number;
  /** Frees its memory, after the steps in flight. */
  dispose(): void;
}

/** Sizes of a Decoder. */
export interface DecoderOptions {
  /** The most tokens that can be fed to a row. */
  readonly max_length: number;
  /** Beams of each source: rows that may continue one another. Default 1. */
  readonly num_beams?: number;
}

/** Encodes the sources, unless they are states, and opens a Decoder over them. Throws OptionError for sizes that the model does not have. */
export async function createDecoder(
  core: DecoderCore,
  sources: readonly Source[],
  options: Partial<DecoderOptions>,
  keepAlive: KeepAlive,
): Promise<Decoder> {
  checkOptions("decoder", options, {
    max_length: wholeNumber(1, core.architecture.decoder.P),
    num_beams: wholeNumber(1, MAX_BEAMS),
  });
  const { max_length: M, num_beams: W = 1 } = options;
  if (M === undefined) throw new OptionError("decoder: max_length must be given, the most tokens of a row");
  const cache = createDecoderCache(core, { B: sources.length, n: 1, W, M, S: totalLength(sources) });
  const R = sources.length * W;
  const logits = tensor("logits", "f32", [R, core.architecture.V]);
  let prepared: Prepared | undefined;
  const free = (): void => {
    prepared?.dispose();
    cache.dispose();
    core.gpu.memory.free([logits]);
  };
  try {
    prepared = await core.gpu.prepare(stepPlan(core, cache, logits));
    await cache.encode(sources);
  } catch (error) {
    free();
    throw error;
  }
  return createStepper(core, cache, { prepared, logits, free }, keepAlive);
}

const stepPlan = (core: DecoderCore, { rows, past, indirection, cross }: DecoderCache, logits: Tensor): Plan =>
  record("decoder", (run) => void decoderStep(run, core, { rows, past, indirection, cross, logits }));

/** A prepared step, where it leaves its logits, and how to free all that it needs. */
interface Step {
  readonly prepared: Prepared;
  readonly logits: Tensor;
  free(): void;
}

/** Steps come in a queue, so that those of a caller who does not wait are fed in order. */
function createStepper(
  { gpu, architecture: { V } }: DecoderCore,
  { rows, indirection, capacity: { W, M } }: DecoderCache,
  { prepared, logits, free }: Step,
  keepAlive: KeepAlive,
): Decoder {
  const [R] = logits.shape;
  const queue = createQueue();
  const life = createLifetime("decoder", "open another", free);
  let pasts: number[][] = Array.from({ length: R }, () => []); // the row that holds each token of each row's past
  let length = 0;
  const feed = async (ids: readonly number[], parents: readonly number[] | undefined): Promise<HostTensor> => {
    if (length === M)
      throw new InputError(
        `decoder: at most max_length=${M} tokens can be fed, and all were; open one with a larger max_length`,
      );
    const position = length;
    const next = position ? pasts.map((_, r) => continued(pasts, parents ? r - (r % W) + parents[r] : r)) : pasts;
    const places = next.map((past) => ({ position, past }));
    gpu.write(indirection, packIndirection(places, M));
    gpu.write(rows, packBeams(ids.map((id, r) => ({ id, position, sentence: Math.floor(r / W) }))));
    const [data] = (await prepared.run({ read: [logits] })) as Float32Array[];
    [pasts, length] = [next, position + 1];
    ids.forEach((_, r) => checkFinite("logits", data.subarray(r * V, (r + 1) * V), r));
    return { dims: [R, V], data };
  };
  return {
    get length() {
      return length;
    },
    step: (ids, parents) =>
      keepAlive(() =>
        life.keepAlive(async () => {
          const fed = readRow("ids", ids, R, V);
          const continuing = parents === undefined ? undefined : readRow("parents", parents, R, W);
          return queue(() => feed(fed, continuing));
        }),
      ),
    dispose: life.dispose,
  };
}

/** The past of a row that continues row r: the past of r, and the token that r fed. */
const continued = (pasts: TokenLists, r: number): number[] => [...pasts[r], r];

function readRow(name: string, given: unknown, R: number, size: number): number[] {
  const list = readList(`decoder: ${name}`, given, size);
  if (list.length !== R) throw new InputError(`decoder: ${name} must have ${R} entries, got ${list.length}`);
  return list;
}
