import type { MatrixShape } from "../runtime/device.js";
import type { DeviceClass } from "../runtime/device_class.js";
import type { Dims } from "../runtime/kernel.js";
import { FORMATS } from "./formats.js";

/** Workgroup shapes of matmul on matrix units (variants "matrix.*"): the default for each size, and those that `tune` measures. */

const BLOCK = 32; // rows, and outputs, of a subgroup
const square = { DOWN: 2, ACROSS: 2 }; // 64 rows x 64 outputs
const low = { DOWN: 1, ACROSS: 4 }; // 32 x 128

type Element = MatrixShape["element"];

const STAGE = 16; // inputs that are staged at a time

/** Formats whose weights are each a number of f16, times a power of two for the row; others are the sum of two. */
const HALVES: readonly string[] = ["f16", "bf16"];

const matrixOf = ({ matrices }: DeviceClass, element: Element): MatrixShape | undefined =>
  matrices.find(
    (one) => one.element === element && BLOCK % one.rows === 0 && BLOCK % one.outputs === 0 && STAGE % one.inputs === 0,
  );

const subgroupSize = ({ features, subgroup, subgroupMinSize }: DeviceClass): number =>
  subgroup || (features.has("subgroup-size-control") ? subgroupMinSize : 0);

/** Whether the device multiplies matrices of such numbers, by subgroups of a known size that stage no more rows than a block has. */
export const canRun = (device: DeviceClass, element: Element): boolean =>
  matrixOf(device, element) !== undefined && subgroupSize(device) > 0 && subgroupSize(device) <= BLOCK;

/** The number of tiles that a workgroup shape needs. */
export const tiles = ({ N, J, O, DOWN, ACROSS }: Dims): number =>
  Math.ceil(N / (BLOCK * DOWN)) * Math.ceil((J * O) / (BLOCK * ACROSS));

const shapeFor = ({ N }: Dims): Dims => (N <= BLOCK ? low : square);

/** Whether there are enough rows and tiles: where tiles are few, other variants split the sums. */
export const pays = (d: Dims): boolean => d.N > BLOCK / 2 && tiles({ ...d, ...shapeFor(d) }) >= 16;

/** The default shape, with the matrices of the device. */
export function shape(d: Dims, device: DeviceClass, element: Element): Dims {
  const { rows: HEIGHT, outputs: WIDTH, inputs: DEPTH } = matrixOf(device, element) as MatrixShape;
  return {
    ...shapeFor(d),
    SUBGROUP_SIZE: subgroupSize(device),
    HEIGHT,
    WIDTH,
    DEPTH,
    W_TERMS: element === "f16" && !HALVES.includes(FORMATS[d.WEIGHT_FORMAT]) ? 2 : 1,
  };
}

/** The shapes that fit into 16 KiB of workgroup memory. */
export const shapes = (): Dims[] => [square, low];
