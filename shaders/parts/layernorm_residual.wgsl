// layernorm_residual: add the output of a block to the residual stream, then normalise the sum.
//   s[n,:] = x[n,:] + bias + residual[n,:]                                           (bias and residual are optional)
//   CENTRED: out[n,:] = (s - mean(s)) * rsqrt(var(s) + eps) * gamma + beta           (biased variance)
//   else:    out[n,:] = s * rsqrt(mean(s^2) + eps) * gamma + beta                    (beta is optional)
// Shapes   x, residual, out: f32[N,D]   bias, gamma, beta: f32[D]
struct Params { N: u32, D: u32, eps: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Chunk>;
@group(0) @binding(2) var<storage, read> bias: array<Chunk>;
@group(0) @binding(3) var<storage, read> residual: array<Chunk>;
@group(0) @binding(4) var<storage, read> gamma: array<Chunk>;
@group(0) @binding(5) var<storage, read> beta: array<Chunk>;
@group(0) @binding(6) var<storage, read> status: array<u32>;
@group(0) @binding(7) var<storage, read_write> out: array<Chunk>;

const CENTRED: u32 = 1;       // 1 layer norm, 0 root mean square norm
const HAS_BIAS: u32 = 0;
const HAS_RESIDUAL: u32 = 0;
const HAS_BETA: u32 = 0;
const HAS_STATUS: u32 = 0;

fn stream(row: u32, d: u32) -> Chunk {
  var s = x[row + d];
  if (HAS_BIAS == 1) { s += bias[d]; }
  if (HAS_RESIDUAL == 1) { s += residual[row + d]; }
  return s;
}

fn shift(d: u32) -> Chunk {
  if (HAS_BETA == 1) { return beta[d]; }
  return Chunk();
}
