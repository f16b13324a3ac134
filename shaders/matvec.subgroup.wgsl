// matvec: linear layer for few rows (a decode step), N <= 8: the form for GPUs that can add across a subgroup.
//   z[n,o] = sum_i x[n,i] * weight[o,i] + bias[o];   y[n,y_at+o] = activation(z[n,o]) + residual[n,y_at+o]
//   GATED: y[n,y_at+o] = activation(z[n,2*o]) * z[n,2*o+1] + residual[n,y_at+o]
//   NORM:  x is (x - mean) / sqrt(var + eps) * gamma + beta (1), or x / sqrt(mean(x^2) + eps) * gamma + beta (2)
// Shapes   x: f32[N,I]   weight: f32|f16|i8|i4[J*O,I]   bias: f32[J*O]   gamma, beta: f32[I]
//          residual, y: f32[N,Y]; I a multiple of 4, 8 for f16, 32 for i8 and i4 (32 inputs share a scale)
// Launch   subgroup: 64 invocations compute ROWS rows x SETS sets of four outputs; a subgroup takes every so manieth
//          set and shares its sums, 16 bytes of weights at a time; ceil(N/ROWS) * ceil(J*O/(4*SETS)) workgroups
// Numerics each invocation sums its share in the order of i, then subgroupAdd: a row's bits depend on the device,
//          not on N; norm in two passes, in every subgroup; erf by Abramowitz and Stegun 7.1.26 (error 1.5e-7)
// Source   mul_mat_vec of ggml-webgpu, llama.cpp 2026; subgroups of any size, counted and not assumed
enable subgroups;

struct Params { N: u32, I: u32, O: u32, Y: u32, y_at: u32, eps: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> weight: array<vec4u>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> residual: array<f32>;
@group(0) @binding(5) var<storage, read> gamma: array<vec4f>;
@group(0) @binding(6) var<storage, read> beta: array<vec4f>;
@group(0) @binding(7) var<storage, read> status: array<u32>;
@group(0) @binding(8) var<storage, read_write> y: array<f32>;

const WEIGHT_FORMAT: u32 = 0; // 0 f32, 1 f16, 2 i8, 3 i4
const ROWS: u32 = 1;          // rows of a tile, at least N, so that the weights are read once
const ACTIVATION: u32 = 0;    // 0 none, 1 relu, 2 gelu (erf), 3 gelu (tanh), 4 silu, 5 tanh
const GATED: u32 = 0;
const NORM: u32 = 0;          // of x: 0 none, 1 layernorm, 2 rmsnorm
const HAS_BIAS: u32 = 0;
const HAS_RESIDUAL: u32 = 0;
const HAS_GAMMA: u32 = 0;
const HAS_BETA: u32 = 0;
const HAS_STATUS: u32 = 0;
const SETS: u32 = 2;          // of four outputs, a workgroup
const PARTS = 1u << WEIGHT_FORMAT; // fours of weights that a load brings

var<workgroup> subgroups: atomic<u32>;

fn part(load: vec4u, j: u32) -> vec4f { // the j-th four weights of a load; i8 and i4 before their scale
  if (WEIGHT_FORMAT == 1) { return vec4f(unpack2x16float(load[2 * j]), unpack2x16float(load[2 * j + 1])); }
  if (WEIGHT_FORMAT == 2) { return vec4f(unpack4xI8(load[j])); }
  if (WEIGHT_FORMAT == 3) {
    let h = load[j / 2] >> (j % 2 * 16);
    return vec4f(bitcast<vec4i>(vec4u(h) << vec4u(28, 24, 20, 16)) >> vec4u(28));
  }
  return bitcast<vec4f>(load);
}

fn scale(load: u32) -> f32 { // of the group of 32 weights that a load is of; the scales follow all weights
  if (WEIGHT_FORMAT < 2) { return 1; }
  let group = load >> (3 - WEIGHT_FORMAT);
  return bitcast<f32>(weight[params.O * (1 + GATED) * (params.I / 4 / PARTS) + group / 4][group % 4]);
}

// v . weights of each of four outputs.
fn dots(v: vec4f, w: mat4x4f) -> vec4f {
  return vec4f(dot(v, w[0]), dot(v, w[1]), dot(v, w[2]), dot(v, w[3]));
}


fn moments(row: u32, lane: u32, lanes: u32) -> vec2f { // what to take off a row of x, and what to multiply it by
  let width = params.I / 4;
  var mean = 0.0;
  if (NORM == 1) {
    var total = vec4f();
    for (var i = lane; i < width; i += lanes) { total += x[row + i]; }
    mean = subgroupAdd(dot(total, vec4f(1))) / f32(params.I);
  }
  var square = vec4f();
  for (var i = lane; i < width; i += lanes) { square += (x[row + i] - mean) * (x[row + i] - mean); }
  return vec2f(mean, inverseSqrt(subgroupAdd(dot(square, vec4f(1))) / f32(params.I) + params.eps));
}

fn input(row: u32, i: u32, m: vec2f) -> vec4f {
  var v = x[row + i];
  if (NORM > 0) { v = (v - m.x) * m.y; }
  if (HAS_GAMMA == 1) { v *= gamma[i]; }
  if (HAS_BETA == 1) { v += beta[i]; }
  return v;
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

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u) {
  if (HAS_STATUS == 1 && status[0] == 0) { return; }
  let lane = subgroupExclusiveAdd(1u);
  let lanes = subgroupAdd(1u);
  var id = 0u;
  if (lane == 0) { id = atomicAdd(&subgroups, 1u); }
  id = subgroupBroadcastFirst(id);
  let count = workgroupUniformLoad(&subgroups);
  let tiles = (params.N + ROWS - 1) / ROWS;
  let tile = group.y * grid.x + group.x;
  let n = (tile % tiles) * ROWS;
  let width = params.I / 4;
  let loads = width / PARTS;
  let last = params.O * (1 + GATED) - 1;
  let rows_left = params.N - 1 - n; // rows and outputs past the end reread the last ones and are not stored
  let x0 = (n + min(0u, rows_left)) * width; let x1 = (n + min(1u, rows_left)) * width;
  let x2 = (n + min(2u, rows_left)) * width; let x3 = (n + min(3u, rows_left)) * width;
  let x4 = (n + min(4u, rows_left)) * width; let x5 = (n + min(5u, rows_left)) * width;
  let x6 = (n + min(6u, rows_left)) * width; let x7 = (n + min(7u, rows_left)) * width;
  let rows = min(ROWS, params.N - n);
  var norms = array<vec2f, 8>();
  if (NORM > 0) { for (var k = 0u; k < rows; k++) { norms[k] = moments((n + k) * width, lane, lanes); } }
  let m0 = norms[0]; let m1 = norms[1]; let m2 = norms[2]; let m3 = norms[3];
  let m4 = norms[4]; let m5 = norms[5]; let m6 = norms[6]; let m7 = norms[7];
  for (var first = 0u; first < SETS; first += count) {
    let member = first + id;
    let o = (tile / tiles * SETS + member) * 4;
    let w0 = min(o, last) * loads; let w1 = min(o + 1, last) * loads;
    let w2 = min(o + 2, last) * loads; let w3 = min(o + 3, last) * loads;
    var a0 = vec4f(); var a1 = vec4f(); var a2 = vec4f(); var a3 = vec4f(); var a4 = vec4f(); var a5 = vec4f();
    var a6 = vec4f(); var a7 = vec4f();
    for (var c = lane; member < SETS && c < loads; c += lanes) {
      let c0 = weight[w0 + c]; let c1 = weight[w1 + c]; let c2 = weight[w2 + c]; let c3 = weight[w3 + c];
      let s = vec4f(scale(w0 + c), scale(w1 + c), scale(w2 + c), scale(w3 + c));
      for (var j = 0u; j < PARTS; j++) {
        let i = c * PARTS + j;
        let p = mat4x4f(part(c0, j), part(c1, j), part(c2, j), part(c3, j));
        if (ROWS > 0) { a0 += s * dots(input(x0, i, m0), p); }
        if (ROWS > 1) { a1 += s * dots(input(x1, i, m1), p); }
        if (ROWS > 2) { a2 += s * dots(input(x2, i, m2), p); }
        if (ROWS > 3) { a3 += s * dots(input(x3, i, m3), p); }
        if (ROWS > 4) { a4 += s * dots(input(x4, i, m4), p); }
        if (ROWS > 5) { a5 += s * dots(input(x5, i, m5), p); }
        if (ROWS > 6) { a6 += s * dots(input(x6, i, m6), p); }
        if (ROWS > 7) { a7 += s * dots(input(x7, i, m7), p); }
      }
    }
    var acc = array<vec4f, 8>(a0, a1, a2, a3, a4, a5, a6, a7);
    for (var k = 0u; k < rows; k++) {
      let sum = subgroupAdd(acc[k]);
      if (lane == 0 && member < SETS && o <= last) { store(n + k, o, sum); }
    }
  }
}
