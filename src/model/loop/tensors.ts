import { planeWidth, PLANES, ROW_FIELDS, sentenceWidth, STATUS_FIELDS, TABLES } from "../../kernels/search_state.js";
import { type Tensor, tensor } from "../../runtime/tensor.js";
import { type DecoderArchitecture } from "../graph/architecture.js";
import type { CrossKeys } from "../graph/decoder.js";
import type { LoopSizes } from "./sizes.js";
import { type PoolTensors, poolTensors } from "./pool.js";

/** The tensors of a loop: those that the host reads after a step, and those that steps and prompts read. */
export interface LoopTensors {
  readonly pool: PoolTensors;
  /** u32[R,4]: the token that each row feeds next. */
  readonly rows: Tensor;
  readonly scores: Tensor;
  readonly sentences: Tensor;
  readonly status: Tensor;
  readonly lists: Tensor;
  /** u32[R,3,M]: the slots of each row's tokens. */
  readonly indirection: Tensor;
  /** Keys and values of the sources, and the span of each sentence's; absent without an encoder. */
  readonly cross: CrossKeys | undefined;
  /** f32[N,D]: what ids from V on stand for; absent where prompts are tokens. */
  readonly vectors: Tensor | undefined;
  /** f32[R,V], if the host changes scores before tokens are chosen. */
  readonly logits: Tensor | undefined;
  /** With a coverage penalty: what each row has attended to, f32[R,2,T], and the list of the head that counts. */
  readonly attended: Tensor | undefined;
  readonly heads: Tensor | undefined;
}

/** The tensors of a loop of these sizes. Only those that are used get memory. */
export function loopTensors(
  architecture: DecoderArchitecture,
  { R, B, Z, M, S, A, X, vectors, covered, host }: LoopSizes,
  pool: PoolTensors = poolTensors(architecture, { Z, M }),
): LoopTensors {
  const { D, V, encoder, decoder } = architecture;
  const { depth, K, E } = decoder;
  const keys = (l: number): Tensor => tensor(`decoder.layers.${l}.source_keys`, "f32", [S, 2 * K * E]);
  return {
    pool,
    rows: tensor("rows", "u32", [R, ROW_FIELDS]),
    scores: tensor("scores", "f32", [PLANES, planeWidth(R, B, A)]),
    sentences: tensor("sentences", "u32", [B, sentenceWidth(A)]),
    status: tensor("status", "u32", [STATUS_FIELDS]),
    lists: tensor("lists", "u32", [X]),
    indirection: tensor("indirection", "u32", [R, TABLES, M]),
    cross: encoder && {
      kv: Array.from({ length: depth }, (_, l) => keys(l)),
      spans: tensor("cross_spans", "u32", [B, 2]),
    },
    vectors: vectors ? tensor("vectors", "f32", [vectors, D]) : undefined,
    logits: host ? tensor("logits", "f32", [R, V]) : undefined,
    attended: covered > 0 ? tensor("attended", "f32", [R, 2, covered]) : undefined,
    heads: covered > 0 ? tensor("heads", "u32", [1]) : undefined,
  };
}

/** All tensors of a loop apart from its pool. */
export const ownTensors = ({ pool: _, cross, ...others }: LoopTensors): Tensor[] =>
  [...Object.values(others), ...(cross ? [...cross.kv, cross.spans] : [])].filter((t) => t !== undefined);
