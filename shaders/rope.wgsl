// rope: prepare the heads of packed new rows for attention, in place, and store their keys and values in their slots of
//   a cache, if there is one.
//   q and k heads: x * rsqrt(mean(x^2) + eps) * gamma when qk_norm is given, then rotated by the row's position when
//   rotary is:
//   (a, b) -> (a cos - b sin, b cos + a sin) for the pairs a = x[i], b = x[i+E/2]
//   INTERLEAVED: for the pairs a = x[2i], b = x[2i+1]
//   cache[slot,:] = (k, v)
//   a row without a sentence is padding: it stays as it is, and stores nothing
// Parts    constants, halves, words_f32|words_f16
// Shapes   rows: u32[N,4] (token id, position, sentence, slot)
//          rotary: f32[M,E] (cosines, then sines, of a position)   qk_norm: f32[2,E] (gamma of q, of k)
//          qkv: f32[N,H*E+2*K*E]   cache: f32|f16[Z,2*K*E] (key, value)
// Launch   one invocation a head of a row, value heads too where there is a cache
// Numerics f32; cosines and sines come from f64
// Source   Su et al. 2021, arXiv:2104.09864, eq. 34; Transformers modeling_llama (halves), modeling_qwen3 (norms)
struct Params { N: u32, H: u32, K: u32, E: u32, eps: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<vec4u>;
@group(0) @binding(2) var<storage, read> rotary: array<f32>;
@group(0) @binding(3) var<storage, read> qk_norm: array<f32>;
@group(0) @binding(4) var<storage, read> status: array<u32>;
@group(0) @binding(5) var<storage, read_write> qkv: array<f32>;
@group(0) @binding(6) var<storage, read_write> cache: array<Word>;

const INTERLEAVED: u32 = 0;
const HAS_ROTARY: u32 = 0;
const HAS_QK_NORM: u32 = 0;
const HAS_STATUS: u32 = 0;
const HAS_CACHE: u32 = 0;
const CACHE_FORMAT: u32 = 0; // 1: f16, of which the part words_f16 knows

fn normalise(at: u32, gamma: u32) {
  var squares = 0.0;
  for (var e = 0u; e < params.E; e++) { squares += qkv[at + e] * qkv[at + e]; }
  let scale = inverseSqrt(squares / f32(params.E) + params.eps);
  for (var e = 0u; e < params.E; e++) { qkv[at + e] = qkv[at + e] * scale * qk_norm[gamma + e]; }
}

fn rotate(at: u32, position: u32) {
  let half = params.E / 2u;
  for (var i = 0u; i < half; i++) {
    let first = at + select(i, 2u * i, INTERLEAVED == 1u);
    let second = select(first + half, first + 1u, INTERLEAVED == 1u);
    let cosine = rotary[position * params.E + i];
    let sine = rotary[position * params.E + half + i];
    let a = qkv[first];
    let b = qkv[second];
    qkv[first] = a * cosine - b * sine;
    qkv[second] = b * cosine + a * sine;
  }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  if (HAS_STATUS == 1u && status[0] == status[1]) { return; }
  let index = (group.y * grid.x + group.x) * 64u + lane;
  let heads = params.H + (1u + HAS_CACHE) * params.K; // those that have something to do
  let n = index / heads;
  if (n >= params.N) { return; }
  let head = index - n * heads;
  let at = (n * (params.H + 2u * params.K) + head) * params.E;
  let row = rows[n];
  if (row.z == NO_ID) { return; }
  if (head < params.H + params.K) {
    if (HAS_QK_NORM == 1u) { normalise(at, select(params.E, 0u, head < params.H)); }
    if (HAS_ROTARY == 1u) { rotate(at, row.y); }
  }
  if (HAS_CACHE == 1u && head >= params.H) {
    let to = (row.w * 2u * params.K + head - params.H) * params.E;
    for (var e = 0u; e < params.E; e += NUMBERS) { cache[(to + e) / NUMBERS] = word_of(at + e); }
  }
}
