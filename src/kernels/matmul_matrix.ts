import type { MatrixShape } from "../runtime/device.js";
import type { DeviceClass } from "../runtime/device_class.js";
import type { Dims } from "../runtime/kernel.js";
import { FORMATS } from "./formats.js";

/** Workgroup shapes of matmul on matrix units (variants "matrix.*"): the default for each size, and those that `tune` measures. */

type Element = MatrixShape["element"];

const STAGE = 16; // inputs that are staged at a time

/** By the size of subgroups: workgroups of up to 128 invocations, whose sums fit into registers; from many rows to few. */
const SHAPES: Readonly<Record<number, readonly Dims[]>> = {
  32: [
    { BLOCK: 32, DOWN: 2, ACROSS: 2 }, // 64 rows x 64 outputs
    { BLOCK: 32, DOWN: 1, ACROSS: 4 }, // 32 x 128
  ],
  16: [{ BLOCK: 16, DOWN: 2, ACROSS: 4 }], // 32 x 64
  8: [
    { BLOCK: 16, DOWN: 4, ACROSS: 4 },
    { BLOCK: 16, DOWN: 2, ACROSS: 4 },
  ],
};

/** Formats whose weights are each a number of f16, times a power of two for the row; others are the sum of two. */
const HALVES = new Set<string>(["f16", "bf16"]);

const subgroupSize = ({ features, subgroup, subgroupMinSize }: DeviceClass): number =>
  subgroup || (features.has("subgroup-size-control") ? subgroupMinSize : 0);

/** The shapes that the device can run; none where its subgroups vary in size, or are of no size that matrix units have. */
export const shapes = (device: DeviceClass): readonly Dims[] => SHAPES[subgroupSize(device)] ?? [];

/** The matrices of such numbers that the blocks of a subgroup are made of. */
const matrixOf = (device: DeviceClass, element: Element): MatrixShape | undefined =>
  device.matrices.find(
    (one) =>
      one.element === element &&
      STAGE % one.inputs === 0 &&
      shapes(device).every(({ BLOCK }) => BLOCK % one.rows === 0 && BLOCK % one.outputs === 0),
  );

/** Whether the device multiplies matrices of such numbers, by subgroups of a known size. */
export const canRun = (device: DeviceClass, element: Element): boolean =>
  shapes(device).length > 0 && matrixOf(device, element) !== undefined;

/** The number of tiles that a shape needs. */
export const tiles = ({ N, J, O, BLOCK, DOWN, ACROSS }: Dims): number =>
  Math.ceil(N / (BLOCK * DOWN)) * Math.ceil((J * O) / (BLOCK * ACROSS));

const shapeFor = ({ N }: Dims, device: DeviceClass): Dims => {
  const all = shapes(device);
  return N <= 32 ? all[all.length - 1] : all[0];
};

/** How many terms of f16 a weight needs; numbers of f32 stay as they are. */
const terms = ({ WEIGHT_FORMAT }: Dims, element: Element): number =>
  element === "f32" || HALVES.has(FORMATS[WEIGHT_FORMAT]) ? 1 : 2;

/**
 * Whether it is worth it: there must be enough rows and tiles (where tiles are few, other variants split the sums), and
 * weights of two terms take three products, for which Intel's units alone are fast enough: 8 times the rate of f32.
 */
export const pays = (d: Dims, device: DeviceClass, element: Element): boolean =>
  d.N > 16 && tiles({ ...d, ...shapeFor(d, device) }) >= 16 && (terms(d, element) === 1 || device.vendor === "intel");

/** The default shape, with the matrices of the device. */
export function shape(d: Dims, device: DeviceClass, element: Element): Dims {
  const { rows: HEIGHT, outputs: WIDTH, inputs: DEPTH } = matrixOf(device, element) as MatrixShape;
  return {
    ...shapeFor(d, device),
    SUBGROUP_SIZE: subgroupSize(device),
    HEIGHT,
    WIDTH,
    DEPTH,
    W_TERMS: element === "f16" && !HALVES.has(FORMATS[d.WEIGHT_FORMAT]) ? 2 : 1,
  };
}
