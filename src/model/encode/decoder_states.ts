import type { Gpu } from "../../runtime/gpu.js";
import type { Run } from "../../runtime/plan.js";
import { type Tensor, tensor } from "../../runtime/tensor.js";
import { decoderPrompt, type ObservedDecoder, sourceKeys } from "../graph/decoder.js";
import type { DecoderArchitecture, GraphModel } from "../graph/architecture.js";
import { encoder, type PackedInput } from "../graph/encoder.js";
import { rotaryTable } from "../graph/positions.js";
import { type EncoderInput, packRows } from "../inputs.js";

/** What the decoder reads beside a packed batch. */
export interface DecoderInputs {
  /** u32[N,4]: its tokens, if they are not those of the batch. */
  readonly targets?: Tensor;
  /** f32[T,E]. */
  readonly rotary?: Tensor;
}

/** The inputs of the decoder for a batch of this size. */
export function decoderInputs(
  { encoder: source, decoder: { rotary, E } }: DecoderArchitecture,
  { N, T }: Readonly<Record<"N" | "T", number>>,
): DecoderInputs {
  return {
    ...(source && { targets: tensor("targets", "u32", [N, 4]) }),
    ...(rotary && { rotary: tensor("rotary", "f32", [T, E]) }),
  };
}

/** Writes what the decoder reads: of a classifier with an encoder, all tokens but the last after `start` (Lewis et al. 2019, section 3.1). */
export function writeDecoderInputs(
  gpu: Gpu,
  { decoder: { rotary, E }, head }: DecoderArchitecture,
  to: DecoderInputs,
  inputs: readonly EncoderInput[],
  T: number,
): void {
  if (rotary && to.rotary) gpu.write(to.rotary, rotaryTable(rotary, T, E));
  if (!to.targets) return;
  const start = head?.start ?? 0;
  const targets = inputs.map((input) => ("ids" in input ? [start, ...input.ids.slice(0, -1)] : []));
  gpu.write(to.targets, packRows(targets));
}

/** The last states of the decoder for each token of a packed batch, f32[N,D]. Each token sees those before it. */
export function decoderStates(
  run: Run,
  model: GraphModel<DecoderArchitecture>,
  packed: PackedInput,
  { targets = packed.rows, rotary }: DecoderInputs,
  observed: ObservedDecoder,
): Tensor {
  const { spans } = packed;
  const cross = model.architecture.encoder && { kv: sourceKeys(run, model, encoder(run, model, packed)), spans };
  return decoderPrompt(run, model, { rows: targets, past: { rotary }, spans, cross }, observed);
}
