// attention_step: one new query a row over the row's own past, through the beam indirection; appends its key and value.
//   q and k are normalised and rotated as in rope when qk_norm and rotary are given
//   cache[r,position,:] = (k_r, v_r)
//   out[r,h,:] = sum_{t <= position} softmax_t(scale * q[r,h,:] . k[t,h,:]) v[t,h,:]
//   key and value of step t < position lie in cache row indirection[position % 2, r, t]: beams change rows, values
//   never move
// Shapes   rows: u32[R,4] (token id, position, sentence, parent)   qkv: f32[R,H*E+2*K*E] (queries, keys, values)
//          indirection: u32[2,R,M]   rotary: f32[M,E] (cosines, then sines)   qk_norm: f32[2,E] (gamma of q, of k)
//          cache: f32[R,M,2*K*E] (key, value)   out: f32[R,H*E]
// Launch   direct: one invocation a head of a row, query and sum in registers; E a multiple of 4, of 8 with rotary
// Numerics online softmax
// Source   FasterTransformer v5, decoder_masked_multihead_attention_template.hpp (cache indirection);
//          Shazeer 2019 (K < H)
struct Params { R: u32, M: u32, H: u32, K: u32, E: u32, scale: f32, eps: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<vec4u>;
@group(0) @binding(2) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(3) var<storage, read> indirection: array<u32>;
@group(0) @binding(4) var<storage, read> rotary: array<vec4f>;
@group(0) @binding(5) var<storage, read> qk_norm: array<vec4f>;
@group(0) @binding(6) var<storage, read> status: array<u32>;
@group(0) @binding(7) var<storage, read_write> cache: array<vec4f>;
@group(0) @binding(8) var<storage, read_write> out: array<vec4f>;

const WIDTH: u32 = 16; // E / 4, for arrays; loops run to params.E / 4, or a CPU adapter unrolls them for seconds
const INTERLEAVED: u32 = 0;
const HAS_ROTARY: u32 = 0;
const HAS_QK_NORM: u32 = 0;
const HAS_STATUS: u32 = 0;

// Root mean square of the head at `at`, inverted; 1 without norms.
fn norm_of(at: u32) -> f32 {
  if (HAS_QK_NORM == 0u) { return 1.0; }
  var squares = 0.0;
  for (var e = 0u; e < params.E / 4u; e++) { squares += dot(qkv[at + e], qkv[at + e]); }
  return inverseSqrt(squares / f32(4u * WIDTH) + params.eps);
}

fn normed(at: u32, e: u32, scale: f32, gamma: u32) -> vec4f {
  if (HAS_QK_NORM == 0u) { return qkv[at + e]; }
  return qkv[at + e] * scale * qk_norm[gamma + e];
}

// Four elements of the head at `at`, normalised and rotated.
fn prepared(at: u32, e: u32, scale: f32, gamma: u32, position: u32) -> vec4f {
  let own = normed(at, e, scale, gamma);
  if (HAS_ROTARY == 0u) { return own; }
  let half = WIDTH / 2u;
  if (INTERLEAVED == 1u) {
    let pair = position * WIDTH + e / 2u;       // two of the four angles there belong to these four elements
    let cosines = select(rotary[pair].xy, rotary[pair].zw, (e & 1u) == 1u);
    let sines = select(rotary[pair + half].xy, rotary[pair + half].zw, (e & 1u) == 1u);
    return own * cosines.xxyy + vec4f(-own.y, own.x, -own.w, own.z) * sines.xxyy;
  }
  let lower = e < half;
  let other = normed(at, select(e - half, e + half, lower), scale, gamma);
  let angle = position * WIDTH + select(e - half, e, lower);
  return own * rotary[angle] + select(other, -other, lower) * rotary[angle + half];
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  if (HAS_STATUS == 1u && status[0] == 0u) { return; }
  let index = (group.y * grid.x + group.x) * 8u + lane;
  let r = index / params.H;
  if (r >= params.R) { return; }
  let h = index - r * params.H;
  let position = rows[r].y;
  let keys = params.K * WIDTH;                   // values follow the keys
  let head = (h * params.K / params.H) * WIDTH;
  let q_at = r * (params.H * WIDTH + 2u * keys) + h * WIDTH;
  let k_at = q_at + (params.H - h) * WIDTH + head;
  let slot = (r * params.M + position) * 2u * keys + head;
  let stores = h * params.K % params.H == 0u;    // the first query head of its group stores their key and value
  let q_scale = norm_of(q_at);
  let k_scale = norm_of(k_at);
  var q: array<vec4f, WIDTH>;
  var sum: array<vec4f, WIDTH>;
  var top = 0.0;
  for (var e = 0u; e < params.E / 4u; e++) {
    q[e] = prepared(q_at, e, q_scale, 0u, position) * params.scale;
    let k = prepared(k_at, e, k_scale, WIDTH, position);
    top += dot(q[e], k);
    sum[e] = qkv[k_at + keys + e];
    if (stores) {
      cache[slot + e] = k;
      cache[slot + keys + e] = sum[e];
    }
  }
  var total = 1.0;
  let table = ((position & 1u) * params.R + r) * params.M;
  for (var t = 0u; t < position; t++) {
    let past = (indirection[table + t] * params.M + t) * 2u * keys + head;
    var score = 0.0;
    for (var e = 0u; e < params.E / 4u; e++) { score += dot(q[e], cache[past + e]); }
    let next = max(top, score);
    let decay = exp(top - next);
    let p = exp(score - next);
    top = next;
    total = total * decay + p;
    for (var e = 0u; e < params.E / 4u; e++) { sum[e] = sum[e] * decay + p * cache[past + keys + e]; }
  }
  for (var e = 0u; e < params.E / 4u; e++) { out[index * WIDTH + e] = sum[e] / total; }
}
