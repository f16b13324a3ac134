// matmul: a linear layer.
//   z[n,o] = sum_i x[n,i] * weight[o,i] + bias[o];   y[n,y_at+o] = activation(z[n,o]) + residual[n,y_at+o]
//   GATED: y[n,y_at+o] = activation(z[n,2*o]) * z[n,2*o+1] + residual[n,y_at+o]
//   NORM:  x is (x - mean) / sqrt(var + eps) * gamma + beta (1), or x / sqrt(mean(x^2) + eps) * gamma + beta (2)
// Shapes   x: f32[N,I]   weight: f32|f16|bf16|i8|i4[J*O,I] (J = 1, GATED 2)   bias: f32[J*Y]   gamma, beta: f32[I]
//          residual, y: f32[N,Y]
//          a weight larger than one binding comes in parts, a launch for each: y_at is the first output of a part
struct Params { N: u32, I: u32, O: u32, Y: u32, y_at: u32, eps: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Chunk>;
@group(0) @binding(2) var<storage, read> weight: array<Words>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> residual: array<f32>;
@group(0) @binding(5) var<storage, read> gamma: array<Chunk>;
@group(0) @binding(6) var<storage, read> beta: array<Chunk>;
@group(0) @binding(7) var<storage, read> status: array<u32>;
@group(0) @binding(8) var<storage, read_write> y: array<f32>;

const WEIGHT_FORMAT: u32 = 0; // a code of formats
const GATED: u32 = 0;
const NORM: u32 = 0;          // of x: 0 none, 1 layernorm, 2 rmsnorm
const HAS_BIAS: u32 = 0;
const HAS_RESIDUAL: u32 = 0;
const HAS_GAMMA: u32 = 0;
const HAS_BETA: u32 = 0;
const HAS_STATUS: u32 = 0;

fn inputs() -> u32 { return params.I; }

fn outputs() -> u32 { return params.O * (1 + GATED); }

fn put(n: u32, o: u32, value: f32) {
  let at = n * params.Y + params.y_at + o;
  if (HAS_RESIDUAL == 1) { y[at] = value + residual[at]; } else { y[at] = value; }
}

fn store(n: u32, o: u32, acc: vec4f) { // four outputs of a row, or as many as there are
  let last = outputs() - 1;
  var z = acc;
  if (HAS_BIAS == 1) {
    let at = params.y_at * (1 + GATED) + o;
    let left = last - o;
    z += vec4f(bias[at], bias[at + min(1u, left)], bias[at + min(2u, left)], bias[at + min(3u, left)]);
  }
  let v = activate(z);
  if (GATED == 1) {
    put(n, o / 2, v.x * z.y);
    if (o + 2 < last) { put(n, o / 2 + 1, v.z * z.w); }
    return;
  }
  for (var j = 0u; j < 4; j++) { if (o + j <= last) { put(n, o + j, v[j]); } }
}
