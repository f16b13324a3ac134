// rmsnorm_residual: fold a block's output into the residual stream, then normalise it by its root mean square.
//   sum[n,:] = x[n,:] + residual[n,:]                                  (both optional: without residual, sum is x)
//   out[n,:] = sum * rsqrt(mean(sum^2) + eps) * gamma
// Shapes   x, residual, sum, out: f32[N,D]   gamma: f32[D]
// Launch   direct: SLICES invocations a row, each of which computes the row's mean square and writes its share of the
//          row; D a multiple of 4
// Numerics f32
// Source   Zhang and Sennrich 2019, arXiv:1910.07467, eq. 4; LlamaRMSNorm of Transformers
struct Params { N: u32, D: u32, eps: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> residual: array<vec4f>;
@group(0) @binding(3) var<storage, read> gamma: array<vec4f>;
@group(0) @binding(4) var<storage, read> status: array<u32>;
@group(0) @binding(5) var<storage, read_write> sum: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> out: array<vec4f>;

const SLICES: u32 = 1;
const HAS_RESIDUAL: u32 = 0;
const HAS_SUM: u32 = 0;
const HAS_STATUS: u32 = 0;

fn stream(at: u32) -> vec4f {
  if (HAS_RESIDUAL == 1u) { return x[at] + residual[at]; }
  return x[at];
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  if (HAS_STATUS == 1u && status[0] == 0u) { return; }
  let index = (group.y * grid.x + group.x) * 64u + lane;
  let n = index / SLICES;
  if (n >= params.N) { return; }
  let width = params.D / 4u;
  let row = n * width;
  var squares = vec4f(0.0);
  for (var d = 0u; d < width; d++) {
    let s = stream(row + d);
    squares += s * s;
  }
  let scale = inverseSqrt((squares.x + squares.y + squares.z + squares.w) / f32(params.D) + params.eps);
  for (var d = index - n * SLICES; d < width; d += SLICES) {
    let s = stream(row + d);
    if (HAS_SUM == 1u) { sum[row + d] = s; }
    out[row + d] = s * scale * gamma[d];
  }
}
