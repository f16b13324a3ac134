// matmul: linear layer for many rows (a prompt, a batch), N > 8: the form for GPUs, through workgroup memory.
//   z[n,o] = sum_i x[n,i] * weight[o,i] + bias[o];   y[n,y_at+o] = activation(z[n,o]) + residual[n,y_at+o]
//   GATED: y[n,y_at+o] = activation(z[n,2*o]) * z[n,2*o+1] + residual[n,y_at+o]
// Shapes   x: f32[N,I]   weight: f32|f16|i8|i4[J*O,I]   bias: f32[J*O]   residual, y: f32[N,Y]
//          I a multiple of 4, of 32 for i8 and i4 (32 inputs share a scale); J = 1, GATED 2
// Launch   shared: DOWN x ACROSS invocations compute a tile, each FOURS x FOURS blocks of 4 rows x 4 outputs; 16 inputs
//          are staged at a time; SPLIT such slices a workgroup, each with a share of the inputs, where tiles are few
// Numerics f32, in the order of i within a slice, then slice by slice: a row's bits depend on SPLIT; erf by Abramowitz
//          and Stegun 7.1.26 (error 1.5e-7)
// Source   Volkov and Demmel 2008, doi:10.1145/1413370.1413402: outer products in registers of what a workgroup stages
struct Params { N: u32, I: u32, O: u32, Y: u32, y_at: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> weight: array<vec4u>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> residual: array<f32>;
@group(0) @binding(5) var<storage, read> status: array<u32>;
@group(0) @binding(6) var<storage, read_write> y: array<f32>;

const WEIGHT_FORMAT: u32 = 0; // 0 f32, 1 f16, 2 i8, 3 i4
const ACTIVATION: u32 = 0;    // 0 none, 1 relu, 2 gelu (erf), 3 gelu (tanh), 4 silu, 5 tanh
const GATED: u32 = 0;
const HAS_BIAS: u32 = 0;
const HAS_RESIDUAL: u32 = 0;
const HAS_STATUS: u32 = 0;
const DOWN: u32 = 8;          // invocations along the rows of a tile, a power of two as the next two
const ACROSS: u32 = 8;        // and along its outputs
const FOURS: u32 = 1;         // 1 or 2
const SPLIT: u32 = 1;         // slices of the sum; 1 when FOURS is 2
const LANES = DOWN * ACROSS;
const HEIGHT = DOWN * FOURS;  // fours of rows in a tile
const WIDTH = ACROSS * FOURS; // fours of outputs
const STAGE = 16 * (HEIGHT + WIDTH);

var<workgroup> staged: array<vec4f, SPLIT * STAGE>; // of each slice: 16 inputs of all rows, then of all outputs

fn load4(i: u32) -> vec4f { // four consecutive weights of one output; i8 and i4 before their scale
  if (WEIGHT_FORMAT == 1) {
    let h = select(weight[i / 2].xy, weight[i / 2].zw, i % 2 == 1);
    return vec4f(unpack2x16float(h.x), unpack2x16float(h.y));
  }
  if (WEIGHT_FORMAT == 2) { return vec4f(unpack4xI8(weight[i / 4][i % 4])); }
  if (WEIGHT_FORMAT == 3) {
    let h = weight[i / 8][i / 2 % 4] >> (i % 2 * 16);
    return vec4f(bitcast<vec4i>(vec4u(h) << vec4u(28, 24, 20, 16)) >> vec4u(28));
  }
  return bitcast<vec4f>(weight[i]);
}

fn scale(i: u32) -> f32 { // of the group of 32 weights that holds the four at i; the scales follow all weights
  if (WEIGHT_FORMAT < 2) { return 1; }
  let words = params.O * (1 + GATED) * (params.I / 4); // of i8 weights
  let at = (words >> (WEIGHT_FORMAT / 3)) + i / 8;
  return bitcast<f32>(weight[at / 4][at % 4]);
}

fn rows4(n: u32, i: u32) -> mat4x4f { // rows and outputs past the end reread the last ones and are not stored
  let width = params.I / 4;
  let last = params.N - 1;
  return mat4x4f(x[min(n, last) * width + i], x[min(n + 1, last) * width + i],
                 x[min(n + 2, last) * width + i], x[min(n + 3, last) * width + i]);
}

fn weights4(o: u32, i: u32) -> mat4x4f {
  let width = params.I / 4;
  let last = params.O * (1 + GATED) - 1;
  let w0 = min(o, last) * width + i; let w1 = min(o + 1, last) * width + i;
  let w2 = min(o + 2, last) * width + i; let w3 = min(o + 3, last) * width + i;
  return mat4x4f(scale(w0) * load4(w0), scale(w1) * load4(w1), scale(w2) * load4(w2), scale(w3) * load4(w3));
}

// Place of four rows or outputs at inputs 4*k; turned by k, so that neighbours write to different banks.
fn place(k: u32, four: u32, fours: u32) -> u32 { return 4 * k * fours + (four ^ ((2 * k) & (fours - 1))); }

fn outer(a: u32, b: u32) -> mat4x4f {
  let v = staged[a];
  let w = staged[b];
  return mat4x4f(v.x * w, v.y * w, v.z * w, v.w * w);
}

fn add(sum: mat4x4f, a: u32, b: u32) -> mat4x4f { // four inputs
  return sum + outer(a, b) + outer(a + HEIGHT, b + WIDTH) + outer(a + 2 * HEIGHT, b + 2 * WIDTH)
    + outer(a + 3 * HEIGHT, b + 3 * WIDTH);
}

fn activate(v: vec4f) -> vec4f { // arguments of exp and tanh are clamped where the result no longer changes
  if (ACTIVATION == 1) { return max(v, vec4f()); }
  if (ACTIVATION == 2) {
    let z = abs(v) * 0.70710678;
    let t = 1 / (1 + 0.3275911 * z);
    let p = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
    return 0.5 * v * (1 + sign(v) * (1 - p * exp(-min(z * z, vec4f(80)))));
  }
  if (ACTIVATION == 3) {
    return 0.5 * v * (1 + tanh(clamp(0.79788456 * (v + 0.044715 * v * v * v), vec4f(-10), vec4f(10))));
  }
  if (ACTIVATION == 4) { return v / (1 + exp(clamp(-v, vec4f(-80), vec4f(80)))); }
  if (ACTIVATION == 5) { return tanh(clamp(v, vec4f(-10), vec4f(10))); }
  return v;
}

fn put(n: u32, o: u32, value: f32) {
  let at = n * params.Y + params.y_at + o;
  if (HAS_RESIDUAL == 1) { y[at] = value + residual[at]; } else { y[at] = value; }
}

fn store(n: u32, o: u32, acc: vec4f) {
  let last = params.O * (1 + GATED) - 1;
  var z = acc;
  if (HAS_BIAS == 1) { z += vec4f(bias[o], bias[min(o + 1, last)], bias[min(o + 2, last)], bias[min(o + 3, last)]); }
  let v = activate(z);
  if (GATED == 1) {
    put(n, o / 2, v.x * z.y);
    if (o + 2 < last) { put(n, o / 2 + 1, v.z * z.w); }
    return;
  }
  for (var j = 0u; j < 4 && o + j <= last; j++) { put(n, o + j, v[j]); }
}

fn finish(n: u32, o: u32, block: mat4x4f) {
  var rows = array<vec4f, 4>(block[0], block[1], block[2], block[3]);
  if (o >= params.O * (1 + GATED)) { return; }
  for (var k = 0u; k < 4 && n + k < params.N; k++) { store(n + k, o, rows[k]); }
}

@compute @workgroup_size(LANES * SPLIT)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) index: u32) {
  if (HAS_STATUS == 1 && status[0] == 0) { return; }
  let tiles = (params.N + 4 * HEIGHT - 1) / (4 * HEIGHT);
  let tile = group.y * grid.x + group.x;
  let n0 = tile % tiles * HEIGHT * 4;
  let o0 = tile / tiles * WIDTH * 4;
  let width = params.I / 4;
  let slice = index / LANES;
  let lane = index % LANES;
  let row = lane / ACROSS;
  let column = lane % ACROSS;
  let at_x = slice * STAGE;
  let at_w = at_x + 16 * HEIGHT;
  var p = mat4x4f(); var q = mat4x4f(); var r = mat4x4f(); var s = mat4x4f();
  for (var first = 0u; first < width; first += 4 * SPLIT) {
    workgroupBarrier();
    for (var b = lane; b < 4 * (HEIGHT + WIDTH); b += LANES) { // transposed, four by four
      let k = b % 4;
      let i = first + slice * 4 + k;
      var four = b / 4;
      var block = mat4x4f();
      var at = at_x + place(k, four, HEIGHT);
      var stride = HEIGHT;
      if (four >= HEIGHT) {
        four -= HEIGHT;
        if (i < width) { block = transpose(weights4(o0 + 4 * four, i)); }
        at = at_w + place(k, four, WIDTH);
        stride = WIDTH;
      } else if (i < width) { block = transpose(rows4(n0 + 4 * four, i)); }
      staged[at] = block[0]; staged[at + stride] = block[1];
      staged[at + 2 * stride] = block[2]; staged[at + 3 * stride] = block[3];
    }
    workgroupBarrier();
    let fours = min(4u, width - min(width, first + slice * 4)); // no constant bound: unrolled, it compiles for seconds
    for (var k = 0u; k < fours; k++) {
      let a = at_x + place(k, row, HEIGHT);
      let b = at_w + place(k, column, WIDTH);
      p = add(p, a, b);
      if (FOURS == 2) {
        let c = at_x + place(k, row + DOWN, HEIGHT);
        let d = at_w + place(k, column + ACROSS, WIDTH);
        q = add(q, a, d); r = add(r, c, b); s = add(s, c, d);
      }
    }
  }
  let n = n0 + 4 * row;
  let o = o0 + 4 * column;
  if (SPLIT == 1) {
    finish(n, o, p);
    if (FOURS == 2) {
      finish(n, o + 4 * ACROSS, q); finish(n + 4 * DOWN, o, r); finish(n + 4 * DOWN, o + 4 * ACROSS, s);
    }
    return;
  }
  workgroupBarrier();
  let at = index * 4;
  staged[at] = p[0]; staged[at + 1] = p[1]; staged[at + 2] = p[2]; staged[at + 3] = p[3];
  workgroupBarrier();
  for (var k = slice; k < 4; k += SPLIT) { // the slices share the four rows
    var sum = vec4f();
    for (var t = 0u; t < SPLIT; t++) { sum += staged[(t * LANES + lane) * 4 + k]; }
    if (n + k < params.N && o < params.O * (1 + GATED)) { store(n + k, o, sum); }
  }
}
