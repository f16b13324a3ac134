import tile from "../../shaders/matmul.wgsl";
import tileCpu from "../../shaders/matmul.cpu.wgsl";
import rows from "../../shaders/matmul.rows.wgsl";
import rowsShared from "../../shaders/matmul.rows.shared.wgsl";
import rowsSubgroup from "../../shaders/matmul.rows.subgroup.wgsl";
import tileMatrix16 from "../../shaders/matmul.matrix.f16.wgsl";
import tileMatrix32 from "../../shaders/matmul.matrix.f32.wgsl";
import tileShared from "../../shaders/matmul.shared.wgsl";
import activation from "../../shaders/parts/activation.wgsl";
import formats from "../../shaders/parts/formats.wgsl";
import load1 from "../../shaders/parts/load1.wgsl";
import load16 from "../../shaders/parts/load16.wgsl";
import load4 from "../../shaders/parts/load4.wgsl";
import byFour from "../../shaders/parts/fours.wgsl";
import matrixPart from "../../shaders/parts/matmul_matrix.wgsl";
import matrixTerms from "../../shaders/parts/matrix_terms.wgsl";
import common from "../../shaders/parts/matmul.wgsl";
import rowTile from "../../shaders/parts/rows.wgsl";
import scale from "../../shaders/parts/scale.wgsl";
import type { DeviceClass } from "../runtime/device_class.js";
import { type Dims, defineKernel, type Values, type Variant } from "../runtime/kernel.js";
import { joinShader } from "../runtime/wgsl.js";
import { activate } from "./activation.js";
import { chunk1, chunk4, chunkOf } from "./chunks.js";
import { ANY_FORMAT, isQuantised, weightBytes } from "./formats.js";
import * as matrices from "./matmul_matrix.js";
import * as tiles from "./matmul_tiles.js";

/** Values of the constant NORM. */
export const NORM = { none: 0, layernorm: 1, rmsnorm: 2 } as const;

const FEW = 8; // up to this many rows the weights are read only once
const NORM_ROWS = 4; // each invocation has a part in the norm of each row, which for few rows is cheaper than a launch

/**
 * Whether this many rows are better normalised in the product than before it, on devices where launches cost time
 * (GPUs).
 */
export const takesNorm = (rows: number): boolean => rows <= NORM_ROWS;

const few = ({ N, NORM: norm = 0 }: Dims): boolean => N <= FEW || norm > 0;
const many = (d: Dims): boolean => !few(d);
const fewOnGpu = (d: Dims): boolean => few(d) || tiles.tooFew(d);
const plain = ({ NORM: norm = 0 }: Dims): boolean => norm === 0;
/** Inputs four at a time, with weights from words as each variant binds them; or one at a time. */
const single = joinShader(chunk1, load1);
const fours = { by4: joinShader(chunk4, load4), by16: joinShader(chunk4, load16) };
const chunked =
  (text: string): NonNullable<Variant["parts"]> =>
  ({ I }) =>
    chunkOf(I) === 4 ? text : single;
/** Tiles stage four weights at a time: of all formats but f32 these are a part of 16 bytes. */
const fourAtATime = ({ I, WEIGHT_FORMAT }: Dims): string =>
  chunkOf(I) === 4 ? (WEIGHT_FORMAT === 0 ? fours.by16 : fours.by4) : single;
const loads = (d: Dims): string => (tiles.wholeLoads(d) ? fours.by16 : single);
const gated = ({ J }: Dims): Dims => ({ GATED: J - 1 });
/** Rows of a tile for few rows: a power of two up to 8. More tiles read the weights again. */
const upTo8 = ({ N }: Dims): number => 2 ** Math.ceil(Math.log2(Math.min(N, FEW)));
/** Rows of a tile on a GPU: Intel's has registers for four with quantised weights, and spills from there on. */
const gpuRows = (d: Dims, { vendor }: DeviceClass): number =>
  Math.min(upTo8(d), vendor === "intel" && isQuantised(d) ? 4 : FEW);
const rowTiles = ({ N, ROWS }: Dims): number => Math.ceil(N / ROWS);
const outputFours = ({ J, O }: Dims): number => Math.ceil((J * O) / 4);
/** Variants for few rows are not measured for batches, in which they would read the weights many times. */
const measured = (d: Dims, all: readonly Dims[]): readonly Dims[] => (d.N <= 8 * FEW ? all : []);

const tilesMatrix = { f32: tileMatrix32, f16: tileMatrix16 };

const forRows: readonly Variant[] = [
  {
    name: "rows.subgroup",
    wgsl: joinShader(rowsSubgroup, common, activation, formats, scale, rowTile),
    parts: loads,
    needs: ["subgroups"],
    for: "gpu",
    suits: fewOnGpu,
    groups: (d) => rowTiles(d) * Math.ceil(outputFours(d) / d.SETS),
    constants: (d, device) => ({ ROWS: gpuRows(d, device), ...gated(d), SETS: 2 }),
    tunings: (d) => measured(d, [{ SETS: 1 }, { SETS: 2 }, { SETS: 4 }, { SETS: 8 }]),
  },
  {
    name: "rows.shared",
    wgsl: joinShader(rowsShared, common, activation, formats, scale, rowTile),
    parts: loads,
    for: "gpu",
    suits: fewOnGpu,
    groups: (d) => rowTiles(d) * Math.ceil(outputFours(d) / d.SETS),
    constants(d, device) {
      const LANES = tiles.lanes(d);
      return { ROWS: gpuRows(d, device), ...gated(d), LANES, SETS: 64 / LANES };
    },
    tunings: (d) => measured(d, tiles.rowShapes(d, upTo8(d))),
  },
];

const forTiles: readonly Variant[] = [
  {
    name: "cpu",
    wgsl: joinShader(tileCpu, common, activation, formats, scale),
    parts: chunked(fours.by4),
    needs: ["subgroups"],
    for: "cpu",
    fits: (d, { subgroup }) => plain(d) && (subgroup === 8 || subgroup === 4),
    suits: many,
    groups: ({ N, J, O, ROWS, FOURS, LANES }) => Math.ceil(N / ROWS) * Math.ceil((J * O) / (4 * FOURS * LANES)),
    constants: (d, { subgroup }) => ({ ...tiles.broadcastShape(d, subgroup), ...gated(d) }),
    tunings: (_, { subgroup }) => tiles.broadcastShapes(subgroup),
  },
  ...(["f32", "f16"] as const).map((element): Variant => ({
    name: `matrix.${element}`,
    wgsl: joinShader(tilesMatrix[element], matrixPart, matrixTerms, common, activation, formats, scale, byFour),
    parts: chunked(fours.by4),
    needs: ["chromium-experimental-subgroup-matrix", "subgroups"],
    for: "gpu",
    fits: (d, device) => plain(d) && matrices.canRun(device, element),
    suits: (d, device) => many(d) && matrices.pays(d, device, element),
    groups: matrices.tiles,
    constants: (d, device) => ({ ...matrices.shape(d, device, element), ...gated(d) }),
    tunings: (_, device) => matrices.shapes(device),
  })),
  {
    name: "shared",
    wgsl: joinShader(tileShared, common, activation, formats, scale, byFour),
    parts: fourAtATime,
    for: "gpu",
    fits: plain,
    suits: many,
    groups: tiles.sharedTiles,
    constants: (d, device) => ({ ...tiles.sharedShape(d, device), HALVES: 0, ...gated(d) }),
    tunings: tiles.sharedShapes,
  },
  {
    name: "direct",
    wgsl: joinShader(tile, common, activation, formats, scale),
    parts: chunked(fours.by4),
    fits: plain,
    suits: many,
    groups: ({ N, J, O, ROWS }) => Math.ceil(N / ROWS) * Math.ceil((J * O) / 64),
    constants: (d) => ({ ROWS: d.N >= 96 ? 12 : 8, ...gated(d) }), // 12 is fastest, if there are enough rows
  },
  {
    name: "rows.direct",
    wgsl: joinShader(rows, common, activation, formats, scale),
    parts: chunked(fours.by4),
    groups: (d) => rowTiles(d) * Math.ceil((d.J * d.O) / 32),
    constants: (d) => ({ ROWS: upTo8(d), ...gated(d) }),
    tunings: (d) => measured(d, [{}]),
  },
];

/**
 * A linear layer: y[n,y_at+o] = activation(x[n,:] . weight[o,:] + bias[o]) + residual[n,y_at+o]. With J = 2 the rows of
 * the weight come in pairs: the first of a pair, activated, is multiplied by the second. With NORM, rows of x are
 * normalised first. x f32[N,I]; weight [J*O,I] in any format; bias f32[J*Y]; y, residual f32[N,Y]. A launch writes the
 * columns from y_at to y_at+O-1, because a weight larger than one binding comes in parts. Numerics and source:
 * shaders/parts/matmul.wgsl and shaders/matmul*.wgsl.
 */
export const matmul = defineKernel({
  name: "matmul",
  reads: {
    x: "f32[N,I]",
    weight: `${ANY_FORMAT}[J*O,I]`,
    bias: "f32[J*Y]?",
    residual: "f32[N,Y]?",
    gamma: "f32[I]?",
    beta: "f32[I]?",
    status: "u32[2]?",
  },
  writes: { y: "f32[N,Y]" },
  params: ["J", "O", "y_at", "eps"],
  constants: ["ACTIVATION", "NORM"],
  rowAxis: "N",
  variants: [...forRows, ...forTiles],
  check({ O, Y, y_at, NORM: norm, HAS_GAMMA, HAS_BETA }) {
    if (!norm && (HAS_GAMMA || HAS_BETA)) return "gamma and beta need NORM 1 or 2";
    return y_at + O > Y ? `y_at + O must be at most Y=${Y}, got ${y_at} + ${O}` : undefined;
  },
  bytes: ({ N, I, O, J, WEIGHT_FORMAT, HAS_BIAS, HAS_RESIDUAL }) =>
    weightBytes([J * O, I], WEIGHT_FORMAT) + 4 * (N * I + N * O * (1 + HAS_RESIDUAL) + J * O * HAS_BIAS),
  flops: ({ N, I, O, J }) => 2 * N * I * O * J,
  reference(d, { x, weight, bias, residual, gamma, beta, y }) {
    const { N, I, O, J, Y, y_at, ACTIVATION = 0 } = d;
    const rows = d.NORM ? normalise(d, x, gamma, beta) : x;
    const product = (n: number, o: number): number => {
      let sum = bias ? bias[J * y_at + o] : 0;
      for (let i = 0; i < I; i++) sum += rows[n * I + i] * weight[o * I + i];
      return sum;
    };
    for (let n = 0; n < N; n++) {
      for (let o = 0; o < O; o++) {
        const at = n * Y + y_at + o;
        const gate = J === 2 ? product(n, 2 * o + 1) : 1;
        y[at] = activate(ACTIVATION, product(n, J * o)) * gate + (residual ? residual[at] : 0);
      }
    }
  },
});

function normalise({ N, I, NORM: kind, eps }: Dims, x: Values, gamma?: Values, beta?: Values): Values {
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
