// embed: the scaled embedding of each token plus those of its position and segment; layer norm, if gamma is given.
//   e[n,:] = tokens[id - first,:] * scale + positions[position + shift,:] + segments[segment,:]
//   out[n,:] = (e - mean(e)) * rsqrt(var(e) + eps) * gamma + beta, or e        (id, position, _, segment) = rows[n]
//   A row with an id outside first .. first + V - 1 is left as it is: a large table comes in parts, a launch for each.
// Parts    formats
// Shapes   rows: u32[N,4] (token id, position, sentence, parent or segment)   tokens: f32|f16[V,D]
//          positions: f32[P,D]   segments: f32[U,D]   gamma, beta: f32[D]   out: f32[N,D]
// Launch   SLICES invocations a row: without norm each makes 4 elements, with norm each computes the row's mean and
//          variance and writes its share of the row; D a multiple of 4
// Numerics f32; two passes for the variance
// Source   Vaswani et al. 2017, arXiv:1706.03762, sections 3.4 and 3.5; Devlin et al. 2019, arXiv:1810.04805, figure 2
struct Params { N: u32, D: u32, V: u32, first: u32, shift: u32, scale: f32, eps: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<vec4u>;
@group(0) @binding(2) var<storage, read> tokens: array<vec2u>;
@group(0) @binding(3) var<storage, read> positions: array<vec4f>;
@group(0) @binding(4) var<storage, read> segments: array<vec4f>;
@group(0) @binding(5) var<storage, read> gamma: array<vec4f>;
@group(0) @binding(6) var<storage, read> beta: array<vec4f>;
@group(0) @binding(7) var<storage, read> status: array<u32>;
@group(0) @binding(8) var<storage, read_write> out: array<vec4f>;

const SLICES: u32 = 1;
const TOKENS_FORMAT: u32 = 0; // a code of formats, f32 or f16
const HAS_POSITIONS: u32 = 0;
const HAS_SEGMENTS: u32 = 0;
const HAS_GAMMA: u32 = 0;
const HAS_BETA: u32 = 0;
const HAS_STATUS: u32 = 0;

fn token4(at: u32) -> vec4f {
  if (TOKENS_FORMAT == F16) { return halves(tokens[at]); }
  return bitcast<vec4f>(vec4u(tokens[2u * at], tokens[2u * at + 1u]));
}

fn embedding(row: vec4u, d: u32) -> vec4f {
  let width = params.D / 4u;
  var value = token4((row.x - params.first) * width + d) * params.scale;
  if (HAS_POSITIONS == 1u) { value += positions[(row.y + params.shift) * width + d]; }
  if (HAS_SEGMENTS == 1u) { value += segments[row.w * width + d]; }
  return value;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  if (HAS_STATUS == 1u && status[0] == 0u) { return; }
  let index = (group.y * grid.x + group.x) * 64u + lane;
  let n = index / SLICES;
  if (n >= params.N) { return; }
  let row = rows[n];
  if (row.x - params.first >= params.V) { return; }
  let width = params.D / 4u;
  var mean = 0.0;
  var rstd = 1.0;
  if (HAS_GAMMA == 1u) {
    var total = vec4f(0.0);
    for (var d = 0u; d < width; d++) { total += embedding(row, d); }
    mean = (total.x + total.y + total.z + total.w) / f32(params.D);
    total = vec4f(0.0);
    for (var d = 0u; d < width; d++) {
      let centred = embedding(row, d) - mean;
      total += centred * centred;
    }
    rstd = inverseSqrt((total.x + total.y + total.z + total.w) / f32(params.D) + params.eps);
  }
  for (var d = index - n * SLICES; d < width; d += SLICES) {
    var value = embedding(row, d);
    if (HAS_GAMMA == 1u) { value = (value - mean) * rstd * gamma[d]; }
    if (HAS_BETA == 1u) { value += beta[d]; }
    out[n * width + d] = value;
  }
}
