import { InputError } from "../../runtime/errors.js";
import { record } from "../../runtime/plan.js";
import { type Tensor, tensor } from "../../runtime/tensor.js";
import type { DecoderCore, HostTensor } from "../core.js";
import { decoderPrompt, lmHead, sourceKeys } from "../graph/decoder.js";
import { encoder } from "../graph/encoder.js";
import { packRows, packSpans, type Sequences, unpack } from "../inputs.js";
import { rotaryTable } from "../graph/positions.js";

export interface Forward {
  /** Last hidden states of the encoder, f32[B,S,D]; nothing without one. */
  readonly encoded?: HostTensor;
  /** f32[B,T,V]. */
  readonly logits: HostTensor;
}

const total = ({ ids }: Sequences): number => ids.reduce((sum, { length }) => sum + length, 0);

/** Decoder over `targets`, after the encoder over `sources` in models that have one: one plan over packed rows. */
export async function forward(core: DecoderCore, targets: Sequences, sources?: Sequences): Promise<Forward> {
  const { gpu, architecture: a } = core;
  if (sources && sources.ids.length !== targets.ids.length) {
    throw new InputError(
      `decoder_input_ids: must have the ${sources.ids.length} rows of input_ids, got ${targets.ids.length}`,
    );
  }
  const {
    D,
    V,
    decoder: { depth, K, E, rotary: frequencies },
  } = a;
  const inputs: Tensor[] = [];
  const state = (name: string, shape: number[], data: Uint32Array<ArrayBuffer> | Float32Array<ArrayBuffer>): Tensor => {
    const made = tensor(name, data instanceof Uint32Array ? "u32" : "f32", shape);
    inputs.push(made);
    gpu.write(made, data);
    return made;
  };
  const packed = (name: string, { ids }: Sequences, spans: Uint32Array<ArrayBuffer>) => ({
    rows: state(`${name}_rows`, [ids.reduce((sum, { length }) => sum + length, 0), 4], packRows(ids)),
    spans: state(`${name}_spans`, [ids.length, 2], spans),
  });
  const hidden = sources && tensor("encoded", "f32", [total(sources), D]);
  const logits = tensor("logits", "f32", [total(targets), V]);
  const M = Math.max(...targets.ids.map(({ length }) => length));
  try {
    const source = sources && packed("source", sources, packSpans(sources.ids));
    const spans = Uint32Array.from(targets.ids.flatMap(({ length }, b) => [b * M, length]));
    const target = packed("target", targets, spans);
    const rotary = frequencies && state("rotary", [M, E], rotaryTable(frequencies, M, E));
    const states = a.encoder && [...Array<undefined>(a.encoder.depth), hidden];
    const plan = record("forward", (run) => {
      const encoded = source && encoder(run, core, source, { states });
      const B = targets.ids.length;
      const caches = Array.from({ length: depth }, (_, l) =>
        tensor(`decoder.layers.${l}.cache`, "f32", [B, M, 2 * K * E], "activation"),
      );
      const cross = encoded && source && { kv: sourceKeys(run, core, encoded), spans: source.spans };
      const decoded = decoderPrompt(run, core, { ...target, past: { caches, rotary }, rowsPerPrompt: 1, cross });
      lmHead(run, core, decoded, logits);
    });
    const prepared = await gpu.prepare(plan);
    try {
      const [scores, states] = (await prepared.run({ read: hidden ? [logits, hidden] : [logits] })) as Float32Array[];
      return { logits: unpack(scores, targets, V), ...(sources && { encoded: unpack(states, sources, D) }) };
    } finally {
      prepared.dispose();
    }
  } finally {
    gpu.memory.free([...inputs, logits, ...(hidden ? [hidden] : [])]);
  }
}
