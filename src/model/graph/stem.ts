import { groupnorm } from "../../kernels/groupnorm.js";
import { unfold } from "../../kernels/unfold.js";
import type { Run } from "../../runtime/plan.js";
import type { Tensor } from "../../runtime/tensor.js";
import { packRows, packSpans } from "../inputs.js";
import type { Convolution, GraphModel, Stack, Stem } from "./architecture.js";
import { layers } from "./layers.js";

/** Rows after each convolution of a signal of so many frames; those after the last one are the rows of the encoder. */
export function stemLengths({ convolutions }: Stem, frames: number): number[] {
  let length = frames;
  return convolutions.map(({ taps, stride, pad }) => (length = Math.floor((length + 2 * pad - taps) / stride) + 1));
}

/** The fewest frames of which convolutions make so many rows. */
export const leastFrames = (convolutions: readonly Convolution[], rows: number): number =>
  convolutions.reduceRight((length, { taps, stride, pad }) => (length - 1) * stride + taps - 2 * pad, rows);

/** Places in a packed batch: rows u32[N,4] = (0, position, sentence, 0), and spans u32[B,2]. */
interface Places {
  readonly rows: Uint32Array<ArrayBuffer>;
  readonly spans: Uint32Array<ArrayBuffer>;
}

/** The spans of signals with so many frames, and the places of what each convolution makes of them. */
export function packStem(stem: Stem, frames: readonly number[]): Pick<Places, "spans"> & { levels: Places[] } {
  const lengths = frames.map((count) => stemLengths(stem, count));
  const levels = stem.convolutions.map((_, i) => {
    const level = lengths.map((own) => Array<number>(own[i]).fill(0));
    return { rows: packRows(level), spans: packSpans(level) };
  });
  return { spans: packSpans(frames.map((length) => ({ length }))), levels };
}

/** The signals of a packed batch, without padding between them. */
export interface PackedSignals {
  /** The frames of all signals, f32[S,C]. */
  readonly signal: Tensor;
  /** u32[B,2]: first frame and number of frames of each. */
  readonly spans: Tensor;
  /** For what each convolution gives: rows u32[N,4] (_, position, sentence, _) and spans u32[B,2]. */
  readonly levels: readonly { readonly rows: Tensor; readonly spans: Tensor }[];
}

/**
 * The front end of a speech model (Radford et al. 2022, arXiv:2212.04356, section 2.2; with a group norm, Jeffries et al. 2024,
 * arXiv:2410.15608, section 3.1): 2 launches a convolution, 3 with a norm, the last of which writes the features f32[N,D] of the encoder to `out`.
 */
export function stem(run: Run, model: GraphModel, { signal, spans, levels }: PackedSignals, out: Tensor): void {
  const { linear } = layers(run, model, "encoder");
  const { convolutions } = (model.architecture.encoder as Stack).stem as Stem;
  let [x, from] = [signal, spans];
  convolutions.forEach(({ taps: TAPS, stride: STRIDE, pad: PAD, activation, groupNorm }, i) => {
    const at = `encoder.stem.${i}`;
    const { rows, spans: to } = levels[i];
    const { columns } = run(unfold, `${at}.unfold`, { rows, spans: from, x }, { TAPS, STRIDE, PAD });
    x = linear(at, columns, { activation, y: i === convolutions.length - 1 ? out : undefined });
    from = to;
    if (!groupNorm) return;
    const [gamma, beta] = [model.weights.get(`${at}.norm.weight`), model.weights.get(`${at}.norm.bias`)];
    x = run(groupnorm, `${at}.norm`, { spans: to, x, gamma, beta }, { eps: model.architecture.eps }).y;
  });
}
