// matvec: linear layer for few rows (a decode step), N <= 8; the weights as the checkpoint stores them.
//   z[n,o] = sum_i x[n,i] * weight[o,i] + bias[o];   y[n,y_at+o] = activation(z[n,o]) + residual[n,y_at+o]
//   GATED: y[n,y_at+o] = activation(z[n,2*o]) * z[n,2*o+1] + residual[n,y_at+o]
//   NORM:  x is (x - mean) / sqrt(var + eps) * gamma + beta (1), or x / sqrt(mean(x^2) + eps) * gamma + beta (2)
// Shapes   x: f32[N,I]   weight: f32|f16|i8|i4[J*O,I]   bias: f32[J*O]   gamma, beta: f32[I]
//          residual, y: f32[N,Y]; I a multiple of 4, of 32 for i8 and i4 (32 inputs share a scale); J = 1, GATED 2
// Launch   direct: one invocation computes ROWS rows x 4 outputs; 8 invocations a workgroup (one vector of a
//          CPU adapter), ceil(N/ROWS) * ceil(J*O/32) workgroups, so that O = 256 feeds every core
// Numerics dot products of four, summed in the order of i, the same in matvec and matmul: a row's bits do not
//          depend on N; norm in two passes; erf by Abramowitz and Stegun 7.1.26 (error 1.5e-7)
// Source   register tile without workgroup memory: CPU adapters load lane by lane, so loads per fma decide the speed
struct Params { N: u32, I: u32, O: u32, Y: u32, y_at: u32, eps: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> weight: array<vec2u>;
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

fn load4(i: u32) -> vec4f { // four consecutive weights of one output; i8 and i4 before their scale
  if (WEIGHT_FORMAT == 1) {
    let h = weight[i];
    return vec4f(unpack2x16float(h.x), unpack2x16float(h.y));
  }
  if (WEIGHT_FORMAT == 2) { return vec4f(unpack4xI8(weight[i / 2][i % 2])); }
  if (WEIGHT_FORMAT == 3) {
    let h = weight[i / 4][i / 2 % 2] >> (i % 2 * 16);
    return vec4f(bitcast<vec4i>(vec4u(h) << vec4u(28, 24, 20, 16)) >> vec4u(28));
  }
  return vec4f(bitcast<vec2f>(weight[2 * i]), bitcast<vec2f>(weight[2 * i + 1]));
}

fn scale(i: u32) -> f32 { // of the group of 32 weights that holds the four at i; the scales follow all weights
  if (WEIGHT_FORMAT < 2) { return 1; }
  let words = params.O * (1 + GATED) * (params.I / 4); // of i8 weights
  let at = (words >> (WEIGHT_FORMAT / 3)) + i / 8;
  return bitcast<f32>(weight[at / 2][at % 2]);
}

// v . weights of each of four outputs.
fn dots(v: vec4f, w: mat4x4f) -> vec4f {
  return vec4f(dot(v, w[0]), dot(v, w[1]), dot(v, w[2]), dot(v, w[3]));
}

fn moments(row: u32) -> vec2f { // what to take off a row of x, and what to multiply it by
  let width = params.I / 4;
  var total = vec4f();
  if (NORM == 1) { for (var i = 0u; i < width; i++) { total += x[row + i]; } }
  let mean = dot(total, vec4f(1)) / f32(params.I);
  total = vec4f();
  for (var i = 0u; i < width; i++) { total += (x[row + i] - mean) * (x[row + i] - mean); }
  return vec2f(mean, inverseSqrt(dot(total, vec4f(1)) / f32(params.I) + params.eps));
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

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  if (HAS_STATUS == 1 && status[0] == 0) { return; }
  let tiles = (params.N + ROWS - 1) / ROWS;
  let tile = group.y * grid.x + group.x;
  let n = (tile % tiles) * ROWS;
  let o = (tile / tiles * 8 + lane) * 4;
  let outputs = params.O * (1 + GATED);
  if (o >= outputs) { return; }
  let width = params.I / 4;
  // rows and outputs past the end reread the last ones and are not stored
  let rows_left = params.N - 1 - n;
  let outputs_left = outputs - 1 - o;
  let x0 = (n + min(0u, rows_left)) * width; let x1 = (n + min(1u, rows_left)) * width;
  let x2 = (n + min(2u, rows_left)) * width; let x3 = (n + min(3u, rows_left)) * width;
  let x4 = (n + min(4u, rows_left)) * width; let x5 = (n + min(5u, rows_left)) * width;
  let x6 = (n + min(6u, rows_left)) * width; let x7 = (n + min(7u, rows_left)) * width;
  let w0 = (o + min(0u, outputs_left)) * width; let w1 = (o + min(1u, outputs_left)) * width;
  let w2 = (o + min(2u, outputs_left)) * width; let w3 = (o + min(3u, outputs_left)) * width;
  var norms = array<vec2f, 8>();
  if (NORM > 0) { for (var k = 0u; k < min(ROWS, params.N - n); k++) { norms[k] = moments((n + k) * width); } }
  let m0 = norms[0]; let m1 = norms[1]; let m2 = norms[2]; let m3 = norms[3];
  let m4 = norms[4]; let m5 = norms[5]; let m6 = norms[6]; let m7 = norms[7];
  var a0 = vec4f(); var a1 = vec4f(); var a2 = vec4f(); var a3 = vec4f(); var a4 = vec4f(); var a5 = vec4f();
  var a6 = vec4f(); var a7 = vec4f();
  let run = select(width, 8, WEIGHT_FORMAT > 1); // that share a scale
  for (var first = 0u; first < width; first += run) {
    let s0 = scale(w0 + first); let s1 = scale(w1 + first); let s2 = scale(w2 + first); let s3 = scale(w3 + first);
    for (var i = first; i < first + run; i++) {
      let p = mat4x4f(s0 * load4(w0 + i), s1 * load4(w1 + i), s2 * load4(w2 + i), s3 * load4(w3 + i));
      if (ROWS > 0) { a0 += dots(input(x0, i, m0), p); }
      if (ROWS > 1) { a1 += dots(input(x1, i, m1), p); }
      if (ROWS > 2) { a2 += dots(input(x2, i, m2), p); }
      if (ROWS > 3) { a3 += dots(input(x3, i, m3), p); }
      if (ROWS > 4) { a4 += dots(input(x4, i, m4), p); }
      if (ROWS > 5) { a5 += dots(input(x5, i, m5), p); }
      if (ROWS > 6) { a6 += dots(input(x6, i, m6), p); }
      if (ROWS > 7) { a7 += dots(input(x7, i, m7), p); }
    }
  }
  var acc_a = array<vec4f, 8>(a0, a1, a2, a3, a4, a5, a6, a7);
  for (var k = 0u; k < min(ROWS, params.N - n); k++) {
    store(n + k, o, acc_a[k]);
  }
}
