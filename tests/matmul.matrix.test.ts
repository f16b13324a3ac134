import { ACTIVATIONS } from "../src/kernels/activation.js";
import { matmul } from "../src/kernels/index.js";
import type { MatrixShape } from "../src/runtime/device.js";
import type { Variant } from "../src/runtime/kernel.js";
import { args, brain, half, i4, values } from "./matmul.args.js";
import { classOf } from "./support/device_class.js";
import { runtime } from "./support/harness.js";
import { checkKernel, type Mutants } from "./support/kernel.js";

/**
 * The variants on matrix units, where there are none: each operation on a matrix is replaced by one on its elements, of
 * which every invocation has a share. All else is as it is published: tiles, terms, staging, edges. tests/matmul.test.ts
 * runs the same variants with matrices where a device has them.
 */

const SHARE = "HEIGHT * WIDTH / LANES_OF_SUBGROUP"; // elements of a sum that an invocation has

const EMULATED = `
var<private> own: u32; // of the subgroup
fn multiplyAdd(left: Left, right: Right, before: Sum) -> Sum {
  var sum = before;
  for (var e = 0u; e < min(${SHARE}, params.N + ${SHARE}); e++) { // no constant bound: unrolling takes seconds
    let at = own * (${SHARE}) + e;
    for (var k = 0u; k < min(DEPTH, params.N + DEPTH); k++) {
      sum[e] += f32(rows[left.term][left.block][at / WIDTH * X_PITCH + left.at + k])
        * f32(weights[right.term][right.block][at % WIDTH * W_PITCH + right.at + k]);
    }
  }
  return sum;
}
fn storeSum(subgroup: u32, sum: Sum) {
  var copy = sum;
  for (var e = 0u; e < ${SHARE}; e++) { sums[subgroup][own * (${SHARE}) + e] = copy[e]; }
}`;

const REPLACED: readonly (readonly [RegExp, string])[] = [
  [/^(diagnostic|enable (subgroups|chromium)).*\n/gm, ""],
  [/alias Left = .*/, "struct Left { term: u32, block: u32, at: u32 }"],
  [/alias Right = .*/, "struct Right { term: u32, block: u32, at: u32 }"],
  [/alias Sum = .*/, `alias Sum = array<f32, ${SHARE}>;`],
  [/subgroupMatrixLoad<(Left|Right), \w+>\(&\w+\[(.*?)\]\[(.*?)\], (\w+), \w+\)/g, "$1($2, $3, $4)"],
  [/subgroupMatrixMultiplyAccumulate/, "multiplyAdd"],
  [/subgroupMatrixStore<row_major>\(&sums\[subgroup\], 0, (.*), WIDTH\)/, "storeSum(subgroup, $1)"],
  [
    /,\s*@builtin\(subgroup_id\) .*lane: u32\) \{/,
    ") {\nlet subgroup = index / SUBGROUP_SIZE;\nlet lane = index % SUBGROUP_SIZE;\nown = lane;",
  ],
  [/ < (BLOCK \/ \w+|X_TERMS - t|[XW]_TERMS|STAGE|\w+ \/ TURN);/g, " < min($1, params.N + $1);"], // not unrolled
  [/SUBGROUP_SIZE/g, "LANES_OF_SUBGROUP"], // a text that declares SUBGROUP_SIZE is compiled for subgroups of that size
];

function emulate(wgsl: string): string {
  const text = REPLACED.reduce((before, [pattern, by]) => {
    const after = before.replace(pattern, by);
    if (after === before) throw new Error(`matmul_matrix.wgsl: must have ${pattern}`);
    return after;
  }, wgsl);
  return text + EMULATED;
}

/** The variant as a device with these matrices and subgroups would run it. */
function emulated(matrix: MatrixShape, subgroup: number): Variant {
  const name = `matrix.${matrix.element}`;
  const variant = matmul.variants.find((one) => one.name === name) as Variant;
  const device = classOf("gpu", subgroup, { matrices: [matrix] });
  return {
    ...variant,
    name: `${name} ${[matrix.rows, matrix.outputs, matrix.inputs].join("x")} by ${subgroup}`,
    wgsl: runtime === "node" ? emulate(variant.wgsl) : variant.wgsl, // elsewhere names are short, and no case runs
    needs: matrix.element === "f16" ? ["shader-f16"] : [],
    fits: (d) => variant.fits?.(d, device) !== false,
    constants(d) {
      const { SUBGROUP_SIZE, ...rest } = variant.constants?.(d, device) ?? {};
      return { ...rest, LANES_OF_SUBGROUP: SUBGROUP_SIZE };
    },
  };
}

const amd = emulated({ element: "f16", rows: 16, outputs: 16, inputs: 16 }, 32);
const intel = emulated({ element: "f16", rows: 8, outputs: 16, inputs: 16 }, 16);
const apple = emulated({ element: "f32", rows: 8, outputs: 8, inputs: 8 }, 32);

const { gelu, silu } = ACTIVATIONS;
const check = (
  variant: Variant,
  cases: Readonly<Record<string, Record<string, number>>>,
  mutants: Mutants = {},
): void =>
  checkKernel(
    { ...matmul, variants: [variant] },
    {
      args,
      values,
      tolerance: 1e-5,
      cases: Object.fromEntries(Object.entries(cases).map(([name, size]) => [name, { ...size, node: 1 }])),
      mutants: { [variant.name]: mutants },
      refused: {},
    },
  );

// Sums cancel: in the first case products of two, measured 1.4e-5; in the second to 1e-5 of what is added up.
const window = { Y: 44, y_at: 5, gated: 1, residual: 1, tolerance: 2e-5 };
check(
  amd,
  {
    "i4, odd inputs, gated, silu, residual, window": {
      N: 70,
      I: 99,
      O: 37,
      format: i4,
      activation: silu.code,
      ...window,
    },
    "few rows, past the largest f16, an infinity": {
      N: 31,
      I: 48,
      O: 131,
      gain: 1e9,
      special: Infinity,
      tolerance: 5e-3,
    },
  },
  {
    "a first term alone": [
      "few rows, past the largest f16, an infinity",
      (wgsl) => wgsl.replace("stageRow(1, at, k, vec4<Element>(v - one))", "stageRow(1, at, k, vec4<Element>())"),
    ],
    "rows that are not scaled": [
      "few rows, past the largest f16, an infinity",
      (wgsl) => wgsl.replace("i32(max(", "141 + 0 * i32(max("),
    ],
    "outputs past the end": [
      "i4, odd inputs, gated, silu, residual, window",
      (wgsl) => wgsl.replace("&& o0 + o < outputs()", ""),
    ],
  },
);
check(
  intel,
  { "bf16, odd rows, gelu": { N: 33, I: 37, O: 30, format: brain, activation: gelu.code } },
  {
    "inputs past the end": ["bf16, odd rows, gelu", (wgsl) => wgsl.replaceAll("i <= last);", "true);")],
  },
);
check(apple, { "f16, one over a tile": { N: 65, I: 36, O: 65, format: half, tolerance: 2e-6 } });
