// matmul: linear layer for many rows (a prompt, a batch), N > 8; the weights as the checkpoint stores them.
//   z[n,o] = sum_i x[n,i] * weight[o,i] + bias[o];   y[n,y_at+o] = activation(z[n,o]) + residual[n,y_at+o]
//   GATED: y[n,y_at+o] = activation(z[n,2*o]) * z[n,2*o+1] + residual[n,y_at+o]
// Shapes   x: f32[N,I]   weight: f32|f16|i8|i4[J*O,I]   bias: f32[J*O]   residual, y: f32[N,Y]
//          I a multiple of 4, of 32 for i8 and i4 (32 inputs share a scale); J = 1, GATED 2
// Launch   direct: one invocation computes ROWS rows x 8 outputs; 8 invocations a workgroup (one vector of a
//          CPU adapter), ceil(N/ROWS) * ceil(J*O/64) workgroups
// Numerics dot products of four, summed in the order of i, the same in matvec and matmul: a row's bits do not
//          depend on N; erf by Abramowitz and Stegun 7.1.26 (error 1.5e-7)
// Source   register tile without workgroup memory: CPU adapters load lane by lane, so loads per fma decide the speed
struct Params { N: u32, I: u32, O: u32, Y: u32, y_at: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> weight: array<vec2u>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> residual: array<f32>;
@group(0) @binding(5) var<storage, read> status: array<u32>;
@group(0) @binding(6) var<storage, read_write> y: array<f32>;

const WEIGHT_FORMAT: u32 = 0; // 0 f32, 1 f16, 2 i8, 3 i4
const ROWS: u32 = 12;         // rows of a tile, 1 to 12
const ACTIVATION: u32 = 0;    // 0 none, 1 relu, 2 gelu (erf), 3 gelu (tanh), 4 silu, 5 tanh
const GATED: u32 = 0;
const HAS_BIAS: u32 = 0;
const HAS_RESIDUAL: u32 = 0;
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
  let o = (tile / tiles * 8 + lane) * 8;
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
  let x8 = (n + min(8u, rows_left)) * width; let x9 = (n + min(9u, rows_left)) * width;
  let x10 = (n + min(10u, rows_left)) * width; let x11 = (n + min(11u, rows_left)) * width;
  let w0 = (o + min(0u, outputs_left)) * width; let w1 = (o + min(1u, outputs_left)) * width;
  let w2 = (o + min(2u, outputs_left)) * width; let w3 = (o + min(3u, outputs_left)) * width;
  let w4 = (o + min(4u, outputs_left)) * width; let w5 = (o + min(5u, outputs_left)) * width;
  let w6 = (o + min(6u, outputs_left)) * width; let w7 = (o + min(7u, outputs_left)) * width;
  var a0 = vec4f(); var a1 = vec4f(); var a2 = vec4f(); var a3 = vec4f(); var a4 = vec4f(); var a5 = vec4f();
  var a6 = vec4f(); var a7 = vec4f(); var a8 = vec4f(); var a9 = vec4f(); var a10 = vec4f(); var a11 = vec4f();
  var b0 = vec4f(); var b1 = vec4f(); var b2 = vec4f(); var b3 = vec4f(); var b4 = vec4f(); var b5 = vec4f();
  var b6 = vec4f(); var b7 = vec4f(); var b8 = vec4f(); var b9 = vec4f(); var b10 = vec4f(); var b11 = vec4f();
  let run = select(width, 8, WEIGHT_FORMAT > 1); // that share a scale
  for (var first = 0u; first < width; first += run) {
    let s0 = scale(w0 + first); let s1 = scale(w1 + first); let s2 = scale(w2 + first); let s3 = scale(w3 + first);
    let s4 = scale(w4 + first); let s5 = scale(w5 + first); let s6 = scale(w6 + first); let s7 = scale(w7 + first);
    for (var i = first; i < first + run; i++) {
      let p = mat4x4f(s0 * load4(w0 + i), s1 * load4(w1 + i), s2 * load4(w2 + i), s3 * load4(w3 + i));
      let q = mat4x4f(s4 * load4(w4 + i), s5 * load4(w5 + i), s6 * load4(w6 + i), s7 * load4(w7 + i));
      if (ROWS > 0) { let v = x[x0 + i]; a0 += dots(v, p); b0 += dots(v, q); }
      if (ROWS > 1) { let v = x[x1 + i]; a1 += dots(v, p); b1 += dots(v, q); }
      if (ROWS > 2) { let v = x[x2 + i]; a2 += dots(v, p); b2 += dots(v, q); }
      if (ROWS > 3) { let v = x[x3 + i]; a3 += dots(v, p); b3 += dots(v, q); }
      if (ROWS > 4) { let v = x[x4 + i]; a4 += dots(v, p); b4 += dots(v, q); }
      if (ROWS > 5) { let v = x[x5 + i]; a5 += dots(v, p); b5 += dots(v, q); }
      if (ROWS > 6) { let v = x[x6 + i]; a6 += dots(v, p); b6 += dots(v, q); }
      if (ROWS > 7) { let v = x[x7 + i]; a7 += dots(v, p); b7 += dots(v, q); }
      if (ROWS > 8) { let v = x[x8 + i]; a8 += dots(v, p); b8 += dots(v, q); }
      if (ROWS > 9) { let v = x[x9 + i]; a9 += dots(v, p); b9 += dots(v, q); }
      if (ROWS > 10) { let v = x[x10 + i]; a10 += dots(v, p); b10 += dots(v, q); }
      if (ROWS > 11) { let v = x[x11 + i]; a11 += dots(v, p); b11 += dots(v, q); }
    }
  }
  var acc_a = array<vec4f, 12>(a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11);
  var acc_b = array<vec4f, 12>(b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, b10, b11);
  for (var k = 0u; k < min(ROWS, params.N - n); k++) {
    store(n + k, o, acc_a[k]);
    if (o + 4 < outputs) { store(n + k, o + 4, acc_b[k]); }
  }
}
