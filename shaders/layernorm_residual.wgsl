// layernorm_residual: fold a block's output into the residual stream, then normalise it.
//   sum[n,:] = x[n,:] + residual[n,:]                                  (both optional: without residual, sum is x)
//   out[n,:] = (sum - mean(sum)) * rsqrt(var(sum) + eps) * gamma + beta          (biased variance)
// Shapes   x, residual, sum, out: f32[N,D]   gamma, beta: f32[D]   D a multiple of 4
// Launch   direct: one invocation takes ROWS rows, which share the loads of gamma and beta; 8 invocations a workgroup,
//          one vector of a CPU adapter
// Numerics mean and variance in one pass over the row: those of every four vectors, merged as Chan's (stable, unlike
//          E[s^2] - E[s]^2); a row's bits do not depend on N
// Source   Ba et al. 2016, arXiv:1607.06450, eq. 3; Chan, Golub and LeVeque 1983, eq. 2.1
struct Params { N: u32, D: u32, eps: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> residual: array<vec4f>;
@group(0) @binding(3) var<storage, read> gamma: array<vec4f>;
@group(0) @binding(4) var<storage, read> beta: array<vec4f>;
@group(0) @binding(5) var<storage, read> status: array<u32>;
@group(0) @binding(6) var<storage, read_write> sum: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> out: array<vec4f>;

const ROWS: u32 = 1;          // 1 to 4
const HAS_RESIDUAL: u32 = 0;
const HAS_SUM: u32 = 0;
const HAS_STATUS: u32 = 0;

fn stream(at: u32) -> vec4f {
  if (HAS_RESIDUAL == 1) { return x[at] + residual[at]; }
  return x[at];
}

// Mean and 1 / deviation of a row: each component of its vectors by itself, the four together at the end.
fn statistics(row: u32) -> vec2f {
  let width = params.D / 4;
  let whole = width - width % 4;
  var mean = vec4f();
  var m2 = vec4f();                              // sum of squares of what is centred
  for (var d = 0u; d < whole; d += 4) {
    let a = stream(row + d); let b = stream(row + d + 1);
    let c = stream(row + d + 2); let e = stream(row + d + 3);
    let m = 0.25 * ((a + b) + (c + e));
    let delta = m - mean;
    let share = 4 / f32(d + 4);
    mean += delta * share;
    m2 += ((a - m) * (a - m) + (b - m) * (b - m)) + ((c - m) * (c - m) + (e - m) * (e - m))
      + delta * delta * (share * f32(d));
  }
  for (var d = whole; d < width; d++) {
    let delta = stream(row + d) - mean;
    mean += delta / f32(d + 1);
    m2 += delta * delta * (f32(d) / f32(d + 1));
  }
  let all = 0.25 * (mean.x + mean.y + mean.z + mean.w);
  m2 += (mean - all) * (mean - all) * f32(width);
  return vec2f(all, inverseSqrt((m2.x + m2.y + m2.z + m2.w) / f32(params.D) + params.eps));
}

fn put(at: u32, stats: vec2f, g: vec4f, b: vec4f) {
  let s = stream(at);
  if (HAS_SUM == 1) { sum[at] = s; }
  out[at] = (s - stats.x) * stats.y * g + b;
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  if (HAS_STATUS == 1 && status[0] == 0) { return; }
  let n = ((group.y * grid.x + group.x) * 8 + lane) * ROWS;
  if (n >= params.N) { return; }
  let width = params.D / 4;
  let r0 = n * width; let r1 = r0 + width; let r2 = r1 + width; let r3 = r2 + width;
  let left = params.N - n;
  var s: array<vec2f, 4>;
  for (var j = 0u; j < min(ROWS, left); j++) { s[j] = statistics((n + j) * width); } // not unrolled
  let s0 = s[0]; let s1 = s[1]; let s2 = s[2]; let s3 = s[3];
  for (var d = 0u; d < width; d++) {
    let g = gamma[d];
    let b = beta[d];
    if (ROWS > 0) { put(r0 + d, s0, g, b); }
    if (ROWS > 1 && left > 1) { put(r1 + d, s1, g, b); }
    if (ROWS > 2 && left > 2) { put(r2 + d, s2, g, b); }
    if (ROWS > 3 && left > 3) { put(r3 + d, s3, g, b); }
  }
}
