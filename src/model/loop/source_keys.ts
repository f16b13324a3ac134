import { ROW_FIELDS } from "../../kernels/search_state.js";
import { type Plan, record } from "../../runtime/plan.js";
import { prefix, type Tensor, tensor } from "../../runtime/tensor.js";
import type { DecoderCore } from "../core.js";
import { writeVectors } from "../encode/features.js";
import { type DecoderArchitecture, type DecoderModel, memoryWidth } from "../graph/architecture.js";
import { sourceKeys } from "../graph/decoder.js";
import { encodeSource } from "../graph/encoder.js";
import { type PackedInputs, packInputs, type Source } from "../inputs.js";
import { createPreparedPlans } from "./prepared_plans.js";
import { padRows, roundRows } from "./prompts.js";

const PLANS = 16; // shapes of sources whose plans stay prepared

/** The inputs of the plans of the encoder: S packed rows of up to B sources. */
export interface SourceTensors {
  readonly rows: Tensor;
  readonly spans: Tensor;
  /** Features or states. */
  readonly vectors: Tensor;
  /** Keys and values on their way to another place than the first. */
  readonly staged: readonly Tensor[];
}

/** How many sources are encoded together at most, and how many rows they have. */
export type SourceSizes = Readonly<Record<"B" | "S", number>>;

/** Encodes sources, and keeps the keys and values for each layer of the decoder. */
export interface SourceEncoder {
  /**
   * Runs the encoder, unless the sources are its output, and puts keys and values in place from row `at` on. Resolves with
   * the plan that ran when all is submitted; `done` says whether it went well.
   */
  encode(sources: readonly Source[], at: number): Promise<{ readonly plan: Plan; readonly done: Promise<unknown> }>;
  /** Frees its memory. */
  dispose(): void;
}

/** The inputs of the plans. Only those that are used get memory. */
export function sourceTensors(architecture: DecoderArchitecture, { B, S }: SourceSizes): SourceTensors {
  const { D, decoder } = architecture;
  const keys = (l: number): Tensor => tensor(`staged_keys.${l}`, "f32", [S, 2 * decoder.K * decoder.E]);
  return {
    rows: tensor("source_rows", "u32", [S, ROW_FIELDS]),
    spans: tensor("source_spans", "u32", [B, 2]),
    vectors: tensor("source_vectors", "f32", [S, Math.max(D, memoryWidth(architecture))]),
    staged: Array.from({ length: decoder.depth }, (_, l) => keys(l)),
  };
}

/** The encoder over packed sources, unless they are its output, followed by the keys and values for each decoder layer. */
export function encodePlan(
  model: DecoderModel,
  held: SourceTensors,
  kv: readonly Tensor[],
  { rows, kind, width }: Pick<PackedInputs, "rows" | "kind" | "width">,
): Plan {
  const N = rows.length / ROW_FIELDS;
  return record("encode", (run) => {
    const encoded = encodeSource(run, model, {
      rows: prefix(held.rows, [N, ROW_FIELDS]),
      spans: held.spans,
      ...(kind !== "ids" && { [kind === "states" ? kind : "features"]: prefix(held.vectors, [N, width]) }),
    });
    sourceKeys(
      run,
      model,
      encoded,
      kv.map((t) => prefix(t, [N, t.shape[1]])),
    );
  });
}

/**
 * An encoder into `kv`, keys and values f32[S,2*K*E] of each layer. With `padded`, token ids are filled up to few numbers of
 * rows, so that plans stay prepared.
 */
export function createSourceEncoder(
  core: DecoderCore,
  kv: readonly Tensor[],
  sizes: SourceSizes,
  padded: boolean,
): SourceEncoder {
  const { gpu, architecture } = core;
  const held = sourceTensors(architecture, sizes);
  const plans = createPreparedPlans(gpu, PLANS);
  return {
    async encode(sources, at) {
      const packed = packInputs(sources, architecture.D, memoryWidth(architecture));
      const { kind, spans } = packed;
      const count = packed.rows.length / ROW_FIELDS;
      const rows = padded && kind === "ids" ? padRows(packed.rows, Math.min(sizes.S, roundRows(count))) : packed.rows;
      const inPlace = at === 0 && !padded;
      const to = inPlace ? kv : held.staged;
      const key = `${inPlace} ${rows.length} ${kind}`;
      const prepared = await plans.get(key, () => encodePlan(core, held, to, { ...packed, rows }));
      await writeVectors(core, packed, held.vectors);
      gpu.write(held.rows, rows);
      gpu.write(held.spans, spans);
      const ran = prepared.run();
      const copies = held.staged.map((from, l) => {
        const width = from.shape[1];
        return { from, fromAt: 0, to: kv[l], toAt: at * width, count: count * width };
      });
      return { plan: prepared.plan, done: Promise.all([ran, !inPlace && gpu.copy(copies)]) };
    },
    dispose() {
      plans.dispose();
      gpu.memory.free([held.rows, held.spans, held.vectors, ...held.staged]);
    },
  };
}
