import { InputError } from "../runtime/errors.js";
import { record } from "../runtime/plan.js";
import { type Tensor, tensor } from "../runtime/tensor.js";
import { type Core, type HostTensor, unpack } from "./core.js";
import { decoderPrompt, lmHead, sourceKeys } from "./decoder.js";
import { encoder } from "./encoder.js";
import { packRows, packSpans, type Sequences } from "./inputs.js";
import { rotaryTable } from "./rotary.js";

export interface Forward {
  /** Last hidden states of the encoder, f32[B,S,D]. */
  readonly encoded?: HostTensor;
  /** f32[B,T,V]. */
  readonly logits?: HostTensor;
}

const total = ({ ids }: Sequences): number => ids.reduce((sum, { length }) => sum + length, 0);

/** Encoder over `sources` and decoder over `targets`, whichever are given, in one plan over packed rows. */
export async function forward(
  core: Core,
  sources: Sequences | undefined,
  targets: Sequences | undefined,
): Promise<Forward> {
  const { gpu, a, w } = core;
  if (sources && targets && sources.ids.length !== targets.ids.length) {
    throw new InputError(
      `decoder_input_ids: must have the ${sources.ids.length} rows of input_ids, got ${targets.ids.length}`,
    );
  }
  const {
    D,
    V,
    decoder: { layers, K, E },
  } = a;
  const states: Tensor[] = [];
  const state = (name: string, shape: number[], data: Uint32Array<ArrayBuffer> | Float32Array<ArrayBuffer>): Tensor => {
    const made = tensor(name, data instanceof Uint32Array ? "u32" : "f32", shape);
    states.push(made);
    gpu.write(made, data);
    return made;
  };
  const packed = (name: string, { ids }: Sequences, spans: Uint32Array<ArrayBuffer>) => ({
    rows: state(`${name}_rows`, [ids.reduce((sum, { length }) => sum + length, 0), 4], packRows(ids)),
    spans: state(`${name}_spans`, [ids.length, 2], spans),
  });
  const hidden = sources && tensor("encoded", "f32", [total(sources), D]);
  const logits = targets && tensor("logits", "f32", [total(targets), V]);
  const M = targets ? Math.max(...targets.ids.map(({ length }) => length)) : 0;
  try {
    const source = sources && packed("source", sources, packSpans(sources.ids));
    const target =
      targets && packed("target", targets, Uint32Array.from(targets.ids.flatMap(({ length }, b) => [b * M, length])));
    const rotary = a.rotary && target && state("rotary", [M, E], rotaryTable(a.rotary, M, E));
    const plan = record("forward", (run) => {
      const encoded = source && encoder(run, a, w, source.rows, source.spans, hidden);
      if (!target || !targets) return;
      const B = targets.ids.length;
      const caches = Array.from({ length: layers }, (_, l) =>
        tensor(`decoder.layers.${l}.cache`, "f32", [B, M, 2 * K * E], "activation"),
      );
      const cross = encoded && source && { kv: sourceKeys(run, a, w, encoded), spans: source.spans };
      const decoded = decoderPrompt(run, a, w, target.rows, { caches, rotary }, target.spans, 1, cross);
      lmHead(run, a, w, decoded, logits);
    });
    const prepared = await gpu.prepare(plan);
    try {
      const wanted = [hidden, logits].filter((t) => t !== undefined);
      const results = (await prepared.run({ read: wanted })) as Float32Array[];
      const host = ({ ids, offsets, width }: Sequences, columns: number, t: Tensor): HostTensor =>
        unpack(results[wanted.indexOf(t)], ids, offsets, width, columns);
      return {
        ...(sources && hidden && { encoded: host(sources, D, hidden) }),
        ...(targets && logits && { logits: host(targets, V, logits) }),
      };
    } finally {
      prepared.dispose();
    }
  } finally {
    gpu.memory.free([...states, ...[hidden, logits].filter((t) => t !== undefined)]);
  }
}
