import { NO_ID } from "../../kernels/constants.js";
import { type Lead, LEAD_FIELDS, packLeads, packRules } from "../../kernels/logits_process.js";
import {
  packHistory,
  packIndirection,
  packSearch,
  planeWidth,
  PLANES,
  REPORT,
  type SearchReport,
  type SentenceStart,
  sentenceWidth,
  STATUS_FIELDS,
} from "../../kernels/search_state.js";
import type { Gpu } from "../../runtime/gpu.js";
import { elements, type Tensor, tensor } from "../../runtime/tensor.js";
import type { DecoderArchitecture } from "../graph/architecture.js";
import type { DecoderCache } from "./cache.js";
import type { Capacity } from "./cache_plans.js";
import { type Generation, hasRules } from "./resolve.js";

/** A sentence before a step, and what the rules know of it. */
export type LedStart = SentenceStart & { readonly lead: Lead };

/** The rules see the tokens of a sentence as they are. */
export const NO_LEAD: Lead = { ids: [], covered: 0, forced_bos: NO_ID };

/**
 * The sizes of a search: those of its cache, how many ids the `lead` of a sentence may have, and how many rows a source
 * whose coverage counts may have.
 */
export interface SearchSize {
  readonly capacity: Capacity;
  readonly lead: number;
  readonly covered: number;
}

/** The tensors of a search apart from its cache, and `rows` of the cache. */
export interface SearchTensors {
  readonly rows: Tensor;
  readonly scores: Tensor;
  readonly sentences: Tensor;
  readonly status: Tensor;
  readonly end_ids: Tensor;
  readonly rules: Tensor;
  readonly history: Tensor;
  readonly leads: Tensor;
  readonly logits: Tensor | undefined;
  /** With a coverage penalty: what each row has attended to, f32[2,R,T], and the list of the head that counts. */
  readonly attended: Tensor | undefined;
  readonly heads: Tensor | undefined;
}

/** The tensors of a search. */
export function searchTensors(
  { V }: DecoderArchitecture,
  rows: Tensor,
  { capacity, lead, covered }: SearchSize,
  g: Generation,
): SearchTensors {
  const R = rows.shape[0];
  const sentences = R / g.W;
  return {
    rows,
    scores: tensor("scores", "f32", [PLANES, planeWidth(sentences, g.W, g.beamStep.A)]),
    sentences: tensor("sentences", "u32", [sentences, sentenceWidth(g.beamStep.A)]),
    status: tensor("status", "u32", [STATUS_FIELDS]),
    end_ids: tensor("end_ids", "u32", [g.lists.end.length]),
    rules: tensor("rules", "u32", [packRules(g.lists).length]),
    history: tensor("history", "u32", [capacity.M, R]),
    leads: tensor("leads", "u32", [sentences * (LEAD_FIELDS + lead)]),
    logits: g.logits_processor && tensor("logits", "f32", [R, V]),
    attended: covered > 0 ? tensor("attended", "f32", [2, R, covered]) : undefined,
    heads: covered > 0 ? tensor("heads", "u32", [1]) : undefined,
  };
}

/** Writes the state of the sentences before a step, and returns what the host would read of it. */
export function writeStart(
  gpu: Gpu,
  cache: DecoderCache,
  state: SearchTensors,
  g: Generation,
  starts: readonly LedStart[],
): SearchReport {
  const { M } = cache.capacity;
  const packed = packSearch(starts, g.W, g.beamStep.A);
  for (const name of REPORT) gpu.write(state[name], packed[name]);
  gpu.write(state.end_ids, Uint32Array.from(g.lists.end));
  const beams = starts.flatMap(({ length, beams }) => beams.map((beam) => ({ ...beam, position: length - 1 })));
  if (beams.some(({ past }) => past.length > 0)) gpu.write(cache.indirection, packIndirection(beams, M));
  if (state.attended && state.heads) {
    gpu.write(state.attended, new Float32Array(elements(state.attended)));
    gpu.write(state.heads, new Uint32Array(1)); // the first head of the last layer, as in OpenNMT
  }
  if (!hasRules(g)) return packed;
  gpu.write(state.history, packHistory(beams, M));
  gpu.write(state.rules, packRules(g.lists));
  gpu.write(state.leads, packLeads(starts.map(({ lead }) => lead)));
  return packed;
}
