// layernorm_residual: fold a block's output into the residual stream, then normalise it.
//   sum[n,:] = x[n,:] + residual[n,:]                                  (both optional: without residual, sum is x)
//   out[n,:] = (sum - mean(sum)) * rsqrt(var(sum) + eps) * gamma + beta          (biased variance)
// Shapes   x, residual, sum, out: f32[N,D]   gamma, beta: f32[D]   D a multiple of 4
// Launch   subgroup: LANES invocations, one workgroup, stride a row; subgroups of any size; each keeps its
//          vectors of the row, at most VECTORS, in registers (loops to this constant unroll)
// Numerics two passes: the one-pass E[s^2] - E[s]^2 cancels in f32; sums in the subgroup's order
// Source   Ba et al. 2016, arXiv:1607.06450, eq. 3
enable subgroups;
struct Params { N: u32, D: u32, eps: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> residual: array<vec4f>;
@group(0) @binding(3) var<storage, read> gamma: array<vec4f>;
@group(0) @binding(4) var<storage, read> beta: array<vec4f>;
@group(0) @binding(5) var<storage, read> status: array<u32>;
@group(0) @binding(6) var<storage, read_write> sum: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> out: array<vec4f>;

const LANES: u32 = 64;        // invocations of a row
const VECTORS: u32 = 4;       // at least D / 4 / LANES
const HAS_RESIDUAL: u32 = 0;
const HAS_SUM: u32 = 0;
const HAS_STATUS: u32 = 0;

fn stream(at: u32) -> vec4f {
  if (HAS_RESIDUAL == 1) { return x[at] + residual[at]; }
  return x[at];
}

var<workgroup> partial: array<f32, LANES>;

// Sum of the values of the workgroup. Each subgroup leaves its sum in the place of one of its invocations and zeros in
// the others', and adds up all places: that asks neither the size of a subgroup nor which invocations are in it.
fn row_sum(value: f32, local: u32, subgroup_lane: u32, subgroup_size: u32) -> f32 {
  let total = subgroupAdd(value);
  workgroupBarrier();                            // until all have read the sum before
  partial[local] = select(0.0, total, subgroup_lane == 0);
  workgroupBarrier();
  var places = 0.0;
  for (var i = subgroup_lane; i < LANES; i += subgroup_size) { places += partial[i]; }
  return subgroupAdd(places);
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) local: u32,
        @builtin(subgroup_invocation_id) subgroup_lane: u32, @builtin(subgroup_size) subgroup_size: u32) {
  if (HAS_STATUS == 1 && status[0] == 0) { return; }
  let n = group.y * grid.x + group.x;
  let lane = local;
  let width = select(0, params.D / 4, n < params.N);       // rows past the end are empty
  let row = n * width;
  var s: array<vec4f, VECTORS>;
  var total = vec4f();
  for (var i = 0u; i < VECTORS; i++) {
    let d = lane + i * LANES;
    if (d < width) { s[i] = stream(row + d); }
    total += s[i];
  }
  let mean = row_sum(total.x + total.y + total.z + total.w, local, subgroup_lane, subgroup_size) / f32(params.D);
  total = vec4f();
  for (var i = 0u; i < VECTORS; i++) {
    let centred = s[i] - mean;
    if (lane + i * LANES < width) { total += centred * centred; }
  }
  let variance = row_sum(total.x + total.y + total.z + total.w, local, subgroup_lane, subgroup_size) / f32(params.D);
  let rstd = inverseSqrt(variance + params.eps);
  for (var i = 0u; i < VECTORS; i++) {
    let d = lane + i * LANES;
    if (d < width) {
      if (HAS_SUM == 1) { sum[row + d] = s[i]; }
      out[row + d] = (s[i] - mean) * rstd * gamma[d] + beta[d];
    }
  }
}
