import shared from "../../shaders/matvec.shared.wgsl";
import subgroup from "../../shaders/matvec.subgroup.wgsl";
import direct from "../../shaders/matvec.wgsl";
import { type Dims, defineKernel, type Form, type Values } from "../runtime/kernel.js";
import { linearBase, linearCheck, linearReads, linearReference, perLoad, powerOfTwo } from "./linear.js";

/** Rows up to which the weights are read once for all of them. */
export const MATVEC_ROWS = 8;

/** Values of the constant NORM. */
export const NORM = { none: 0, layernorm: 1, rmsnorm: 2 } as const;

const rows = ({ N }: Dims): number => 2 ** Math.ceil(Math.log2(Math.min(N, MATVEC_ROWS)));

const tiles = ({ N, ROWS }: Dims): number => Math.ceil(N / ROWS);
const fours = ({ J, O }: Dims): number => Math.ceil((J * O) / 4);
const wholeLoads = (d: Dims): boolean => d.I % perLoad(d) === 0;

// Two loads for an invocation, where that leaves enough of them: one alone would wait for the sum, not for memory.
const lanes = (d: Dims): number => powerOfTwo(d.I / perLoad(d) / 2, 8, 64);

const forms: { readonly direct: Form; readonly shared: Form; readonly subgroup: Form } = {
  direct: {
    wgsl: direct,
    groups: (d) => tiles(d) * Math.ceil((d.J * d.O) / 32),
    constants: (d) => ({ ROWS: rows(d), GATED: d.J - 1 }),
  },
  shared: {
    wgsl: shared,
    fits: wholeLoads,
    groups: (d) => tiles(d) * Math.ceil(fours(d) / d.SETS),
    constants: (d) => ({ ROWS: rows(d), GATED: d.J - 1, LANES: lanes(d), SETS: 64 / lanes(d) }),
    variants: (d) =>
      [
        [8, 8],
        [16, 4],
        [32, 2],
        [64, 1],
        [16, 16],
        [32, 4],
        [64, 4],
        [128, 1],
      ]
        .filter(([LANES, SETS]) => LANES * perLoad(d) <= d.I && LANES * SETS * rows(d) < 1024) // in 16 KiB
        .map(([LANES, SETS]) => ({ LANES, SETS })),
  },
  subgroup: {
    wgsl: subgroup,
    fits: wholeLoads,
    groups: (d) => tiles(d) * Math.ceil(fours(d) / d.SETS),
    constants: (d) => ({ ROWS: rows(d), GATED: d.J - 1, SETS: 2 }),
    variants: () => [{ SETS: 1 }, { SETS: 2 }, { SETS: 4 }, { SETS: 8 }],
  },
};

/** Linear layer for few rows, whose input can be normalised on the way. Maths, shapes and source: the header of the WGSL file. */
export const matvec = defineKernel({
  name: "matvec",
  ...linearBase,
  reads: { ...linearReads, gamma: "f32[I]?", beta: "f32[I]?", status: "u32[2]?" },
  params: ["J", "O", "y_at", "eps"],
  constants: ["ACTIVATION", "NORM"],
  forms,
  check(d) {
    if (!d.NORM && (d.HAS_GAMMA || d.HAS_BETA)) return "gamma and beta need NORM 1 or 2";
    return linearCheck(d);
  },
  reference(d, t) {
    linearReference(d, { ...t, x: d.NORM ? normalise(d, t) : t.x });
  },
});

function normalise(
  { N, I, NORM: kind, eps }: Dims,
  { x, gamma, beta }: { x: Values; gamma?: Values; beta?: Values },
): Values {
  const out = new Float64Array(N * I);
  for (let n = 0; n < N; n++) {
    const row = Float64Array.from({ length: I }, (_, i) => x[n * I + i]);
    const mean = kind === NORM.layernorm ? row.reduce((sum, value) => sum + value, 0) / I : 0;
    const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / I;
    row.forEach((value, i) => {
      out[n * I + i] = ((value - mean) / Math.sqrt(variance + eps)) * (gamma?.[i] ?? 1) + (beta?.[i] ?? 0);
    });
  }
  return out;
}
