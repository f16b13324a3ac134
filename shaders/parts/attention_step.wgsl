// attention_step: one new query a row over the past of the row, whose keys and values lie in slots of a pool; stores
//   the new ones.
//   q and k are normalised if qk_norm is given, and rotated if positional (a table of rotations) is, as in rope
//   cache[slot(position),:] = (k_r, v_r)   slot(t) = indirection[r, position % 2, t]: rows may share the slots of their
//   past, and beams change tables, while keys and values stay where they are
//   out[r,h,:] = sum_{t <= position} softmax_t(scale * q[r,h,:] . k[t,h,:] + bias) v[t,h,:]
//   RELATIVE: positional is a table of biases instead, by distance t - position as in attention
//   a row without a sentence is idle: it stores nothing, and gives zeros
//   SPLIT: out has the sums of each 64 keys apart, for attention_merge: sum[E], the highest score, and 4 numbers later
//   the total of the weights
// Shapes   rows: u32[R,4] (token id, position, sentence, parent)   qkv: f32[R,H*E+2*K*E] (queries, keys, values)
//          indirection: u32[R,3,M]   positional: f32[M,E] (cosines, then sines), or f32[2*DISTANCE+1,H]
//          qk_norm: f32[2,E] (gamma of q, of k)   cache: f32|f16[Z,2*K*E] (key, value)
//          out: f32[R,H*Y], Y = E, or with SPLIT ceil(M/64)*(E+8)
struct Params { R: u32, M: u32, H: u32, K: u32, E: u32, scale: f32, eps: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<vec4u>;
@group(0) @binding(2) var<storage, read> qkv: array<Chunk>;
@group(0) @binding(3) var<storage, read> indirection: array<u32>;
@group(0) @binding(4) var<storage, read> positional: array<Chunk>;
@group(0) @binding(5) var<storage, read> qk_norm: array<Chunk>;
@group(0) @binding(6) var<storage, read> status: array<u32>;
@group(0) @binding(7) var<storage, read_write> cache: array<Stored>;
@group(0) @binding(8) var<storage, read_write> out: array<Chunk>;

const WIDTH: u32 = 16; // E / CHUNK, for arrays; loops run to a uniform: unrolling them takes CPU adapters seconds
const UNROLL: u32 = 0; // 1 on GPUs, which then have many loads in flight
const SPLIT: u32 = 0;
const CACHE_FORMAT: u32 = 0; // 1: f16, of which the part cache_f16 knows
const DISTANCE: u32 = 0;
const INTERLEAVED: u32 = 0;
const RELATIVE: u32 = 0;
const HAS_POSITIONAL: u32 = 0;
const HAS_QK_NORM: u32 = 0;
const HAS_STATUS: u32 = 0;

// WIDTH, which only GPUs take for a constant.
fn width() -> u32 { return select(params.E / CHUNK, WIDTH, UNROLL == 1u); }

// 1 / root mean square of the head at `at`; 1 without norms.
fn norm_of(at: u32) -> f32 {
  if (HAS_QK_NORM == 0u) { return 1.0; }
  var squares = 0.0;
  for (var e = 0u; e < width(); e++) { squares += inner(qkv[at + e], qkv[at + e]); }
  return inverseSqrt(squares / f32(CHUNK * WIDTH) + params.eps);
}

fn normed(at: u32, e: u32, scale: f32, gamma: u32) -> Chunk {
  if (HAS_QK_NORM == 0u) { return qkv[at + e]; }
  return qkv[at + e] * scale * qk_norm[gamma + e];
}

// A chunk of the head at `at`, normalised and rotated.
fn prepared(at: u32, e: u32, scale: f32, gamma: u32, position: u32) -> Chunk {
  let own = normed(at, e, scale, gamma);
  if (HAS_POSITIONAL == 0u || RELATIVE == 1u) { return own; }
  if (INTERLEAVED == 1u) { return rotated_pairs(at, e, scale, gamma, position); }
  let half = WIDTH / 2u;
  let lower = e < half;
  let other = normed(at, select(e - half, e + half, lower), scale, gamma);
  let angle = position * WIDTH + select(e - half, e, lower);
  return own * positional[angle] + select(other, -other, lower) * positional[angle + half];
}

// Bias of a key `back` positions before the query.
fn bias_of(back: u32, h: u32) -> f32 {
  if (HAS_POSITIONAL == 0u || RELATIVE == 0u) { return 0.0; }
  let at = (DISTANCE - min(back, DISTANCE)) * params.H + h;
  return element(positional[at / CHUNK], at % CHUNK);
}

// How many parts of 64 keys a row may have.
fn most_parts() -> u32 { return (params.M + 63u) / 64u; }

// Where the sums of a part are in out, for a head of a row.
fn part_at(index: u32, part: u32) -> u32 { return (index * most_parts() + part) * (WIDTH + 8u / CHUNK); }
