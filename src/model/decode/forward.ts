import { type Plan, record } from "../../runtime/plan.js";
import { type Tensor, tensor, type TypedArray } from "../../runtime/tensor.js";
import type { DecoderCore } from "../core.js";
import { decoderPrompt, lmHead, sourceKeys } from "../graph/decoder.js";
import { writeFeatures } from "../encode/features.js";
import { encoder, type PackedInput } from "../graph/encoder.js";
import { rotaryTable } from "../graph/positions.js";
import { checkFiniteRows } from "../finite.js";
import { type EncoderInput, lengthOf, longest, packInputs, packRows, type TokenLists, totalLength } from "../inputs.js";

/** Results of one pass, in packed rows: those of all sequences one after the other. */
export interface Forward {
  /** Last hidden states of the encoder, f32[N,D] over the sources; absent without an encoder. */
  readonly encoded?: Float32Array;
  /** f32[N,V] over the targets. */
  readonly logits: Float32Array;
}

/**
 * Runs the encoder over `sources`, in models that have one, and the decoder over `targets`, in one plan over packed
 * rows.
 */
export async function forward(
  core: DecoderCore,
  targets: TokenLists,
  sources?: readonly EncoderInput[],
): Promise<Forward> {
  const { gpu, architecture } = core;
  const inputs: Tensor[] = [];
  const put: Put = (name, shape, data) => {
    const made = tensor(name, data instanceof Uint32Array ? "u32" : "f32", shape);
    inputs.push(made);
    gpu.write(made, data);
    return made;
  };
  const encoded = sources && tensor("encoded", "f32", [totalLength(sources), architecture.D]);
  const logits = tensor("logits", "f32", [totalLength(targets), architecture.V]);
  const outputs = encoded ? [logits, encoded] : [logits];
  try {
    const source = sources && (await putSources(core, sources, put, inputs));
    const target = putTargets(targets, core, put);
    const prepared = await gpu.prepare(forwardPlan(core, { source, target, encoded, logits }));
    try {
      const [scores, states] = (await prepared.run({ read: outputs })) as Float32Array[];
      if (sources) checkFiniteRows("encoder_last_hidden_state", states, sources.map(lengthOf), architecture.D);
      checkFiniteRows("logits", scores, targets.map(lengthOf), architecture.V);
      return { logits: scores, encoded: states };
    } finally {
      prepared.dispose();
    }
  } finally {
    gpu.memory.free([...inputs, ...outputs]);
  }
}

/** Declares an input of the plan and writes its values. */
type Put = (name: string, shape: readonly number[], data: TypedArray) => Tensor;

async function putSources(
  core: DecoderCore,
  sources: readonly EncoderInput[],
  put: Put,
  inputs: Tensor[],
): Promise<PackedInput> {
  const { D } = core.architecture;
  const packed = packInputs(sources, D);
  const N = packed.rows.length / 4;
  const features = packed.features || packed.signals ? tensor("source_features", "f32", [N, D]) : undefined;
  if (features) {
    inputs.push(features);
    await writeFeatures(core, packed, features);
  }
  return {
    rows: put("source_rows", [N, 4], packed.rows),
    spans: put("source_spans", [sources.length, 2], packed.spans),
    features,
  };
}

/** The rows of the targets, and where their tokens are in caches of M slots a target. */
interface TargetInput {
  readonly rows: Tensor;
  readonly spans: Tensor;
  readonly M: number;
  readonly rotary: Tensor | undefined;
}

function putTargets(targets: TokenLists, { architecture: { decoder } }: DecoderCore, put: Put): TargetInput {
  const { E, rotary } = decoder;
  const M = longest(targets);
  const spans = Uint32Array.from(targets.flatMap(({ length }, b) => [b * M, length]));
  return {
    rows: put("target_rows", [totalLength(targets), 4], packRows(targets)),
    spans: put("target_spans", [targets.length, 2], spans),
    M,
    rotary: rotary && put("rotary", [M, E], rotaryTable(rotary, M, E)),
  };
}

interface ForwardTensors {
  readonly source: PackedInput | undefined;
  readonly target: TargetInput;
  readonly encoded: Tensor | undefined;
  readonly logits: Tensor;
}

function forwardPlan(core: DecoderCore, { source, target, encoded, logits }: ForwardTensors): Plan {
  const { encoder: encoderStack, decoder } = core.architecture;
  const { depth, K, E } = decoder;
  const { rows, spans, M, rotary } = target;
  const states = encoderStack && [...Array<undefined>(encoderStack.depth), encoded];
  return record("forward", (run) => {
    const hidden = source && encoder(run, core, source, { states });
    const caches = Array.from({ length: depth }, (_, l) =>
      tensor(`decoder.layers.${l}.cache`, "f32", [spans.shape[0], M, 2 * K * E], "activation"),
    );
    const cross = hidden && source && { kv: sourceKeys(run, core, hidden), spans: source.spans };
    const decoded = decoderPrompt(run, core, { rows, spans, past: { caches, rotary }, rowsPerPrompt: 1, cross });
    lmHead(run, core, decoded, logits);
  });
}
