import { layernormResidual } from "../src/kernels/index.js";
import { args, values } from "./layernorm_residual.args.js";
import { checkKernel, f32 } from "./support/kernel.js";

checkKernel(layernormResidual, {
  args,
  values,
  tolerance: 4e-6, // measured 9e-7
  cases: {
    "one element of four": { N: 1, D: 4 },
    "no residual": { N: 3, D: 64, residual: 0 },
    "one row of 256": { N: 1, D: 256 },
    "lanes that do not divide the row": { N: 3, D: 132 },
    "vectors that fours do not divide": { N: 2, D: 52, residual: 0 },
    "one short of a workgroup": { N: 63, D: 12 },
    "one over a workgroup": { N: 65, D: 12 },
    "one row of 256 over fours": { N: 65, D: 256 },
    "rows by fours": { N: 64, D: 64 },
    "one row of 20 over fours": { N: 129, D: 20 },
    "three rows over fours": { N: 131, D: 64, residual: 0 },
    "a row of 2048": { N: 2, D: 2048 },
    "one vector short of 2048": { N: 2, D: 2044 },
    "the widest row": { N: 1, D: 16384 },
    "far from zero": { N: 5, D: 768, offset: 1000, tolerance: 5e-4 }, // measured 1.7e-4
    "far from zero, rows by fours": { N: 128, D: 768, offset: 1000, tolerance: 5e-4 },
    "an outlier far away": { N: 5, D: 768, outlier: 1e5 },
    "all equal": { N: 2, D: 8, offset: 3, residual: 0 },
    "status 1 goes on": { N: 2, D: 128, status: 1 },
    "status 0 writes nothing": { N: 2, D: 128, status: 0 },
    "one number": { node: 1, N: 3, D: 1 },
    "two and three numbers": { node: 1, N: 2, D: 2 },
    "an odd row": { N: 9, D: 37 },
    "an odd row of one over fours": { N: 131, D: 99 },
    "a row of twice an odd width": { node: 1, N: 65, D: 90, residual: 0 },
    "a row of 1023": { N: 2, D: 1023, status: 1 },
    "an odd row, far from zero": { node: 1, N: 5, D: 767, offset: 1000, tolerance: 5e-4 },
    "the widest odd row": { N: 1, D: 16383 },
    "a NaN": { node: 1, N: 3, D: 132, special: NaN },
    "a NaN behind an odd row": { N: 3, D: 131, special: NaN },
    "an infinity": { node: 1, N: 3, D: 128, special: Infinity },
    "an odd row that writes nothing": { node: 1, N: 2, D: 131, status: 0 },
    "rows past 65535": { N: 65537, D: 4 },
    "odd rows past 65535": { N: 65537, D: 3 },
  },
  mutants: {
    direct: {
      "chunks of four in an odd row": [
        "an odd row",
        (wgsl) => wgsl.replace("let width = params.D / CHUNK;\n  let r0", "let width = params.D / 4;\n  let r0"),
      ],
      "means that are not merged": [
        "lanes that do not divide the row",
        (wgsl) => wgsl.replace("      + delta * delta * (share * f32(d));", ";"),
      ],
      "components that are not merged": [
        "lanes that do not divide the row",
        (wgsl) => wgsl.replace("m2 += (mean - all) * (mean - all) * f32(width);", ""),
      ],
      "a last vector that weighs as much as all before": [
        "lanes that do not divide the row",
        (wgsl) => wgsl.replace("mean += delta / f32(d + 1)", "mean += delta / 2"),
      ],
      "last vectors that are forgotten": [
        "lanes that do not divide the row",
        (wgsl) => wgsl.replace("var d = whole; d < width;", "var d = whole; d < whole;"),
      ],
      "a guard that is one row late": [
        "lanes that do not divide the row",
        (wgsl) => wgsl.replace("n >= params.N", "n > params.N"),
      ],
      "rows past the end that are written": ["one row of 20 over fours", (wgsl) => wgsl.replace(" && left > 3", "")],
      "an unbiased variance": [
        "lanes that do not divide the row",
        (wgsl) => wgsl.replace("total(m2) / f32(params.D)", "total(m2) / (f32(params.D) - 1.0)"),
      ],
      "a forgotten residual": [
        "lanes that do not divide the row",
        (wgsl) => wgsl.replace("s += residual[row + d];", ""),
      ],
      "a forgotten bias": ["lanes that do not divide the row", (wgsl) => wgsl.replace("s += bias[d];", "")],
      "the shift of the first elements": [
        "lanes that do not divide the row",
        (wgsl) => wgsl.replace("return beta[d];", "return beta[0];"),
      ],
      "a row normalised as its neighbour": [
        "one row of 20 over fours",
        (wgsl) => wgsl.replace("put(r2, d, s2,", "put(r2, d, s1,"),
      ],
      "a last vector that is forgotten": [
        "lanes that do not divide the row",
        (wgsl) => wgsl.replace("d < width; d++) {\n    let g", "d < width - 1; d++) {\n    let g"),
      ],
      "a stop that is not heeded": [
        "status 0 writes nothing",
        (wgsl) => wgsl.replace("status[0] == status[1]", "status[0] == 7"),
      ],
    },
    shared: {
      "chunks of four in an odd row": ["an odd row", (wgsl) => wgsl.replace("params.D / CHUNK", "params.D / 4")],
      "a last number that is forgotten": ["an odd row", (wgsl) => wgsl.replaceAll("d < width)", "d < width - 1)")],
      "a mean that is not taken off": ["one row of 256", (wgsl) => wgsl.replace("s[i] - mean;", "s[i];")],
      "lanes past the end that have a mean": [
        "lanes that do not divide the row",
        (wgsl) => wgsl.replace("lane + i * LANES < width)", "true)"),
      ],
      "a tree without its root": ["one row of 256", (wgsl) => wgsl.replace("stride > 0;", "stride > 1;")],
      "a sum of another row": [
        "lanes that do not divide the row",
        (wgsl) => wgsl.replace("partial[local - lane]", "partial[0]"),
      ],
      "rows past the end that are written": ["one row of 256", (wgsl) => wgsl.replace("n < params.N && ", "")],
      "a stop that is not heeded": [
        "status 0 writes nothing",
        (wgsl) => wgsl.replace("status[0] == status[1]", "status[0] == 7"),
      ],
    },
    subgroup: {
      "a last number that is forgotten": ["a row of 1023", (wgsl) => wgsl.replaceAll("d < width)", "d < width - 1)")],
      "a sum of one subgroup": [
        "status 1 goes on",
        (wgsl) => wgsl.replace("return subgroupAdd(places);", "return total;"),
      ],
      "every lane's sum": [
        "status 1 goes on",
        (wgsl) => wgsl.replace("select(0.0, total, subgroup_lane == 0)", "total"),
      ],
      "subgroups of another size": [
        "status 1 goes on",
        (wgsl) => wgsl.replace("i += subgroup_size", "i += 2 * subgroup_size"),
      ],
      "a mean that is not taken off": ["status 1 goes on", (wgsl) => wgsl.replace("s[i] - mean;", "s[i];")],
      "a stop that is not heeded": [
        "status 0 writes nothing",
        (wgsl) => wgsl.replace("status[0] == status[1]", "status[0] == 7"),
      ],
    },
  },
  refused: {
    "gamma of another width": [
      { N: 2, D: 8 },
      (args) => {
        args.gamma = f32([4], () => 1);
      },
      /gamma must be f32\[D\] with D=8, got gamma f32\[4\]/,
    ],
    "an argument that is missing": [
      { N: 2, D: 8 },
      (args) => {
        args.gamma = undefined;
      },
      /gamma must be f32\[D\], got nothing/,
    ],
  },
});

// Root mean square norm.
checkKernel(layernormResidual, {
  args: (size, random) => args({ ...size, rms: 1 }, random),
  values: (size) => values({ ...size, rms: 1 }),
  tolerance: 5e-7, // measured 1.4e-7, of the widest row 2.6e-7
  cases: {
    "one element of four": { N: 1, D: 4 },
    "no residual": { N: 3, D: 64, residual: 0 },
    "a bias without a residual": { N: 3, D: 12, residual: 0, bias: 1 },
    "a residual without a bias": { N: 3, D: 12, bias: 0 },
    "one row of 256": { N: 1, D: 256 },
    "lanes that do not divide the row": { N: 3, D: 132 },
    "the fewest rows by fours": { N: 64, D: 128 },
    "one short of a workgroup": { N: 63, D: 12 },
    "one over a workgroup": { N: 65, D: 12 },
    "one row of 256 over fours": { N: 65, D: 256 },
    "rows by fours": { N: 64, D: 64 },
    "one row of 20 over fours": { N: 129, D: 20 },
    "three rows over fours": { N: 131, D: 64, residual: 0 },
    "a row of 2048": { N: 2, D: 2048 },
    "one vector short of 2048": { N: 2, D: 2044 },
    "the widest row": { N: 1, D: 16384 },
    "far from zero": { N: 5, D: 768, offset: 1000 },
    "squares far from one": { N: 5, D: 64, gain: 1e15 },
    "squares below eps": { N: 5, D: 64, gain: 1e-3 },
    "all zero": { N: 2, D: 8, gain: 0 },
    "all equal": { N: 2, D: 8, gain: 0, offset: 3, residual: 0 },
    "status 1 goes on": { N: 2, D: 128, status: 1 },
    "status 0 writes nothing": { N: 2, D: 128, status: 0 },
    "one number": { node: 1, N: 3, D: 1 },
    "two and three numbers": { node: 1, N: 2, D: 2 },
    "an odd row": { N: 9, D: 37 },
    "an odd row of one over fours": { N: 131, D: 99 },
    "a row of twice an odd width": { node: 1, N: 65, D: 90, residual: 0 },
    "a row of 1023": { N: 2, D: 1023, status: 1 },
    "an odd row, far from zero": { node: 1, N: 5, D: 767, offset: 1000 },
    "the widest odd row": { N: 1, D: 16383 },
    "a NaN": { node: 1, N: 3, D: 132, special: NaN },
    "a NaN behind an odd row": { N: 3, D: 131, special: NaN },
    "an infinity": { node: 1, N: 3, D: 128, special: Infinity },
    "an odd row that writes nothing": { node: 1, N: 2, D: 131, status: 0 },
    "rows past 65535": { N: 65537, D: 4 },
  },
  mutants: {
    direct: {
      "a guard that is one row late": ["all zero", (wgsl) => wgsl.replace("n >= params.N", "n > params.N")],
      "rows past the end that are written": ["one over a workgroup", (wgsl) => wgsl.replace(" && left > 3", "")],
      "a row normalised as its neighbour": [
        "one over a workgroup",
        (wgsl) => wgsl.replace("put(r2, d, s2,", "put(r2, d, s1,"),
      ],
      "a sum of squares for their mean": [
        "all equal",
        (wgsl) => wgsl.replace(" / f32(params.D) + params.eps", " + params.eps"),
      ],
      "an eps that is forgotten": ["all zero", (wgsl) => wgsl.replace(" + params.eps", "")],
      "a lane of the squares that is forgotten": ["all equal", (wgsl) => wgsl.replace(" + v.w;", ";")],
      "a residual that the mean square alone sees": [
        "squares below eps",
        (wgsl) => wgsl.replace("if (FOLDS) { return out[row + d]; }", ""),
      ],
      "a residual that the mean square forgets": [
        "squares below eps",
        (wgsl) => wgsl.replace("let s = fold(row, d);", "let s = x[row + d];"),
      ],
      "a last vector that is forgotten": [
        "all equal",
        (wgsl) => wgsl.replace("d < width; d++) {\n    let g", "d < width - 1; d++) {\n    let g"),
      ],
      "a stop that is not heeded": [
        "status 0 writes nothing",
        (wgsl) => wgsl.replace("status[0] == status[1]", "status[0] == 7"),
      ],
    },
    shared: {
      "a sum of squares for their mean": [
        "squares far from one",
        (wgsl) =>
          wgsl.replace(
            "let variance = row_sum(total(sum), local) / f32(params.D)",
            "let variance = row_sum(total(sum), local)",
          ),
      ],
      "a tree without its root": ["squares far from one", (wgsl) => wgsl.replace("stride > 0;", "stride > 1;")],
      "a sum of another row": ["squares far from one", (wgsl) => wgsl.replace("partial[local - lane]", "partial[0]")],
      "rows past the end that are written": ["all zero", (wgsl) => wgsl.replace("n < params.N && ", "")],
      "a last vector that is forgotten": [
        "squares far from one",
        (wgsl) => wgsl.replaceAll("d < width)", "d < width - 1)"),
      ],
      "a stop that is not heeded": [
        "status 0 writes nothing",
        (wgsl) => wgsl.replace("status[0] == status[1]", "status[0] == 7"),
      ],
    },
    subgroup: {
      "a sum of one subgroup": [
        "lanes that do not divide the row",
        (wgsl) => wgsl.replace("return subgroupAdd(places);", "return total;"),
      ],
      "every lane's sum": [
        "lanes that do not divide the row",
        (wgsl) => wgsl.replace("select(0.0, total, subgroup_lane == 0)", "total"),
      ],
      "subgroups of another size": [
        "lanes that do not divide the row",
        (wgsl) => wgsl.replace("i += subgroup_size", "i += 2 * subgroup_size"),
      ],
      "an eps that is forgotten": ["lanes that do not divide the row", (wgsl) => wgsl.replace(" + params.eps", "")],
      "a stop that is not heeded": [
        "status 0 writes nothing",
        (wgsl) => wgsl.replace("status[0] == status[1]", "status[0] == 7"),
      ],
    },
  },
  refused: {
    "gamma of another width": [
      { N: 2, D: 8 },
      (args) => {
        args.gamma = f32([4], () => 1);
      },
      /gamma must be f32\[D\] with D=8, got gamma f32\[4\]/,
    ],
    "a residual of other rows": [
      { N: 2, D: 8 },
      (args) => {
        args.residual = f32([1, 8], () => 1);
      },
      /residual must be f32\[N,D\]\? with N=2, D=8, got residual f32\[1,8\]/,
    ],
    "an x that is missing": [
      { N: 2, D: 8 },
      (args) => {
        args.x = undefined;
      },
      /x must be f32\[N,D\], got nothing/,
    ],
  },
});
