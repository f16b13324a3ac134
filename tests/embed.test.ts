import { embed } from "../src/kernels/index.js";
import { checkKernel, f16, f32, u32 } from "./kernel.js";

const [V, P] = [11, 9];

checkKernel(embed, {
  args: ({ N, D, half = 0, positions = 1, shift = 0, offset = 0, status }, random) => ({
    // ids and positions from the last one down, so that both ends of both tables are read
    rows: u32([N, 4], (i) => [V - 1 - ((i >> 2) % V), (P - 1 - shift) - ((i >> 2) % (P - shift)), 1, 2][i % 4]),
    tokens: (half ? f16 : f32)([V, D], () => random() + offset),
    positions: positions ? f32([P, D], () => random() + offset) : undefined,
    status: status === undefined ? undefined : u32([2], () => status),
  }),
  values: ({ scale = 1, shift = 0 }) => ({ scale, shift }),
  tolerance: 2e-7, // measured 6e-8
  cases: {
    "one row of four": { N: 1, D: 4 },
    "a scale and a shift": { N: 5, D: 12, scale: 22.627, shift: 2 },
    "no positions": { N: 3, D: 8, scale: 3, positions: 0 },
    "f16": { N: 12, D: 20, half: 1, scale: 1.5 },
    "one short of a workgroup": { N: 63, D: 4 },
    "one over a workgroup": { N: 65, D: 4, half: 1 },
    "far from zero": { N: 5, D: 768, offset: 1000, scale: 16 },
    "status 1 goes on": { N: 2, D: 8, status: 1 },
    "status 0 writes nothing": { N: 2, D: 8, status: 0 },
    "rows past 65535": { N: 65537, D: 4 },
  },
  mutants: {
    "a forgotten scale": (wgsl) => wgsl.replace("* params.scale", "* 1.0"),
    "a forgotten shift": (wgsl) => wgsl.replace("rows[n].y + params.shift", "rows[n].y"),
    "a guard that is one row late": (wgsl) => wgsl.replace("n >= params.N", "n > params.N"),
    "halves in the wrong order": (wgsl) =>
      wgsl.replace("(packed.x), unpack2x16float(packed.y)", "(packed.y), unpack2x16float(packed.x)"),
    "the row's number as its position": (wgsl) => wgsl.replace("rows[n].y + params.shift", "n + params.shift"),
    "a token row that ignores d": (wgsl) => wgsl.replace("* width + d)", "* width)"),
    "a stop that is not heeded": (wgsl) => wgsl.replace("status[0] == 0u", "status[0] == 7u"),
  },
  refused: {
    "positions of another width": [{ N: 2, D: 8 }, (args) => { args.positions = f32([P, 4], () => 1); },
      /positions must be f32\[P,D\]\? with P=9, D=8, got positions f32\[9,4\]/],
    "a width that is no multiple of 4": [{ N: 2, D: 6 }, () => {}, /D must be a multiple of 4, got 6/],
    "tokens of a wrong format": [{ N: 2, D: 8 }, (args) => { args.tokens = u32([V, 8], () => 1); },
      /tokens must be f32\|f16\[V,D\], got tokens u32\[11,8\]/],
    "rows of three fields": [{ N: 2, D: 8 }, (args) => { args.rows = u32([2, 3], () => 0); },
      /rows must be u32\[N,4\] with N=2, got rows u32\[2,3\]/],
    "rows that are missing": [{ N: 2, D: 8 }, (args) => { args.rows = undefined; },
      /rows must be u32\[N,4\], got nothing/],
  },
});
