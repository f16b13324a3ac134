import { packBeams, packTables } from "../../kernels/search_host.js";
import { ROW_FIELDS, TABLES } from "../../kernels/search_state.js";
import { checkOptions, wholeNumber } from "../../runtime/checks.js";
import { InputError, OptionError } from "../../runtime/errors.js";
import { type Plan, record } from "../../runtime/plan.js";
import type { Prepared } from "../../runtime/prepare.js";
import { type Tensor, tensor } from "../../runtime/tensor.js";
import type { DecoderCore, HostTensor } from "../core.js";
import { checkFinite } from "../finite.js";
import { type CrossKeys, decoderStep, type StepInput } from "../graph/decoder.js";
import { packSpans, type Source, totalLength } from "../inputs.js";
import { createLifetime, type KeepAlive } from "../lifetime.js";
import { readList } from "../lists.js";
import { createQueue } from "../queue.js";
import { MAX_BEAMS } from "./options.js";
import { createPool } from "../loop/pool.js";
import { createSourceEncoder } from "../loop/source_keys.js";

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
  const memory = createMemory(core, { B: sources.length, W, M, S: totalLength(sources) });
  let prepared: Prepared | undefined;
  const free = (): void => {
    prepared?.dispose();
    memory.dispose();
  };
  try {
    prepared = await core.gpu.prepare(stepPlan(core, memory.step));
    await encodeInto(core, memory.step.cross, sources);
  } catch (error) {
    free();
    throw error;
  }
  return createStepper(core, { prepared, memory, free }, keepAlive);
}

/** Sizes of a decoder: B sources of W beams, which feed up to M tokens; S rows of sources. */
type Sizes = Readonly<Record<"B" | "W" | "M" | "S", number>>;

/** What the steps of a decoder read and write. */
interface Memory {
  readonly sizes: Sizes;
  readonly step: StepInput & { readonly cross: CrossKeys; readonly logits: Tensor };
  dispose(): void;
}

function createMemory(core: DecoderCore, sizes: Sizes): Memory {
  const { gpu, architecture } = core;
  const { B, W, M, S } = sizes;
  const { depth, K, E } = architecture.decoder;
  const R = B * W;
  const pool = createPool(core, { Z: R * M, M });
  const keys = (l: number): Tensor => tensor(`decoder.layers.${l}.source_keys`, "f32", [S, 2 * K * E]);
  const cross = {
    kv: Array.from({ length: depth }, (_, l) => keys(l)),
    spans: tensor("cross_spans", "u32", [B, 2]),
  };
  const own = {
    rows: tensor("rows", "u32", [R, ROW_FIELDS]),
    indirection: tensor("indirection", "u32", [R, TABLES, M]),
    logits: tensor("logits", "f32", [R, architecture.V]),
  };
  return {
    sizes,
    step: { ...own, past: pool.past, cross },
    dispose() {
      pool.dispose();
      gpu.memory.free([...Object.values(own), ...cross.kv, cross.spans]);
    },
  };
}

const stepPlan = (core: DecoderCore, step: StepInput): Plan =>
  record("decoder", (run) => void decoderStep(run, core, step));

/** Writes the keys and values of the sources. */
async function encodeInto(core: DecoderCore, cross: CrossKeys, sources: readonly Source[]): Promise<void> {
  const encoder = createSourceEncoder(core, cross.kv, { B: sources.length, S: totalLength(sources) }, false);
  try {
    core.gpu.write(cross.spans, packSpans(sources));
    const { done } = await encoder.encode(sources, 0);
    await done;
  } finally {
    encoder.dispose();
  }
}

/** A prepared step, what it reads and writes, and how to free all of it. */
interface Step {
  readonly prepared: Prepared;
  readonly memory: Memory;
  free(): void;
}

/** Steps come in a queue, so that those of a caller who does not wait are fed in order. */
function createStepper(
  { gpu, architecture: { V } }: DecoderCore,
  { prepared, memory: { sizes, step }, free }: Step,
  keepAlive: KeepAlive,
): Decoder {
  const { rows, indirection, logits } = step;
  const { W, M } = sizes;
  const [R] = logits.shape;
  const queue = createQueue();
  const life = createLifetime("decoder", "open another", free);
  let tables: number[][] = Array.from({ length: R }, () => []); // the slots of each row's tokens
  let length = 0;
  const feed = async (ids: readonly number[], parents: readonly number[] | undefined): Promise<HostTensor> => {
    if (length === M)
      throw new InputError(
        `decoder: at most max_length=${M} tokens can be fed, and all were; open one with a larger max_length`,
      );
    const position = length;
    const next = tables.map((table, r) => [
      ...(parents ? tables[r - (r % W) + parents[r]] : table),
      r * M + position, // row r has M slots of its own
    ]);
    const packed = new Uint32Array(R * TABLES * M);
    next.forEach((slots, r) => packed.set(packTables({ position, slots, homes: [] }, M), r * TABLES * M));
    gpu.write(indirection, packed);
    gpu.write(rows, packBeams(ids.map((id, r) => ({ id, position, sentence: Math.floor(r / W) }))));
    const [data] = (await prepared.run({ read: [logits] })) as Float32Array[];
    [tables, length] = [next, position + 1];
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

function readRow(name: string, given: unknown, R: number, size: number): number[] {
  const list = readList(`decoder: ${name}`, given, size);
  if (list.length !== R) throw new InputError(`decoder: ${name} must have ${R} entries, got ${list.length}`);
  return list;
}
