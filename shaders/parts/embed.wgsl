// embed: the scaled embedding of each token plus those of its position and segment; layer norm, if gamma is given.
//   e[n,:] = weight[id - first,:] * scale + positions[position + shift,:] + segments[segment,:]
//   out[n,:] = (e - mean(e)) * rsqrt(var(e) + eps) * gamma + beta, or e        (id, position, _, segment) = rows[n]
//   The token `unplaced` has no position.
//   A row with an id outside first .. first + V - 1 is left as it is: a large table comes in parts, a launch for each.
//   But the first part, from 0 on, fills it with NaN, as all do with rows whose position or segment is past its table.
// Shapes   rows: u32[N,4] (token id, position, sentence, parent or segment)   weight: f32|f16|bf16|i8|i4[V,D]
//          positions: f32[P,D]   segments: f32[U,D]   gamma, beta: f32[D]   out: f32[N,D]
struct Params { N: u32, D: u32, V: u32, first: u32, shift: u32, unplaced: u32, scale: f32, eps: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<vec4u>;
@group(0) @binding(2) var<storage, read> weight: array<Words>;
@group(0) @binding(3) var<storage, read> positions: array<Chunk>;
@group(0) @binding(4) var<storage, read> segments: array<Chunk>;
@group(0) @binding(5) var<storage, read> gamma: array<Chunk>;
@group(0) @binding(6) var<storage, read> beta: array<Chunk>;
@group(0) @binding(7) var<storage, read> status: array<u32>;
@group(0) @binding(8) var<storage, read_write> out: array<Chunk>;

const WEIGHT_FORMAT: u32 = 0; // a code of formats
const HAS_POSITIONS: u32 = 0;
const HAS_SEGMENTS: u32 = 0;
const HAS_GAMMA: u32 = 0;
const HAS_BETA: u32 = 0;
const HAS_STATUS: u32 = 0;

fn inputs() -> u32 { return params.D; }

fn outputs() -> u32 { return params.V; }

fn place(row: vec4u) -> u32 { return row.y + params.shift; }

fn inside(row: vec4u, width: u32) -> bool { // whether its position and its segment are in their tables
  return (HAS_POSITIONS == 0u || place(row) < arrayLength(&positions) / width)
    && (HAS_SEGMENTS == 0u || row.w < arrayLength(&segments) / width);
}

fn embedding(row: vec4u, d: u32) -> Chunk {
  let width = params.D / CHUNK;
  let o = row.x - params.first;
  var value = scale(o, d) * load(o * stride() + d) * params.scale;
  if (HAS_POSITIONS == 1u) {
    value += select(positions[place(row) * width + d], Chunk(), row.x == params.unplaced);
  }
  if (HAS_SEGMENTS == 1u) { value += segments[row.w * width + d]; }
  return value;
}

// Whether the table has the row's token, and its position and segment are in theirs.
fn is_known(row: vec4u) -> bool { return row.x - params.first < params.V && inside(row, params.D / CHUNK); }

// Whether a row is left as it is.
fn is_elsewhere(row: vec4u) -> bool { return row.x - params.first >= params.V && params.first > 0u; }

fn unknown() -> Chunk { return Chunk(bitcast<f32>(params.N | 0x7fc00000u)); } // NaN, which cannot be a constant

fn normed(value: Chunk, d: u32, mean: f32, rstd: f32) -> Chunk {
  var y = value;
  if (HAS_GAMMA == 1u) { y = (y - mean) * rstd * gamma[d]; }
  if (HAS_BETA == 1u) { y += beta[d]; }
  return y;
}
