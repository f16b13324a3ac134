// attention_step: one new query a row over the row's own past, through the beam indirection; appends its key and value.
//   q and k are normalised and rotated as in rope when qk_norm and positional (a table of rotations) are given
//   cache[r,position,:] = (k_r, v_r)
//   out[r,h,:] = sum_{t <= position} softmax_t(scale * q[r,h,:] . k[t,h,:] + bias) v[t,h,:]
//   RELATIVE: positional is a table of biases instead, of distances t - position as in attention
//   key and value of step t < position lie in cache row indirection[position % 2, r, t]: beams change rows, values
//   never move
// Shapes   rows: u32[R,4] (token id, position, sentence, parent)   qkv: f32[R,H*E+2*K*E] (queries, keys, values)
//          indirection: u32[2,R,M]   positional: f32[M,E] (cosines, then sines), or f32[2*DISTANCE+1,H]
//          qk_norm: f32[2,E] (gamma of q, of k)   cache: f32[R,M,2*K*E] (key, value)   out: f32[R,H*E]
// Launch   direct: one invocation a head of a row, query and sum in registers, four keys at a time; E a multiple of 4,
//          of 8 with rotations
// Numerics online softmax, corrected once in four keys
// Source   FasterTransformer v5, decoder_masked_multihead_attention_template.hpp (cache indirection);
//          Shazeer 2019 (K < H)
struct Params { R: u32, M: u32, H: u32, K: u32, E: u32, scale: f32, eps: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<vec4u>;
@group(0) @binding(2) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(3) var<storage, read> indirection: array<u32>;
@group(0) @binding(4) var<storage, read> positional: array<vec4f>;
@group(0) @binding(5) var<storage, read> qk_norm: array<vec4f>;
@group(0) @binding(6) var<storage, read> status: array<u32>;
@group(0) @binding(7) var<storage, read_write> cache: array<vec4f>;
@group(0) @binding(8) var<storage, read_write> out: array<vec4f>;

const WIDTH: u32 = 16; // E / 4, for arrays; loops run to params.E / 4, or a CPU adapter unrolls them for seconds
const DISTANCE: u32 = 0;
const INTERLEAVED: u32 = 0;
const RELATIVE: u32 = 0;
const HAS_POSITIONAL: u32 = 0;
const HAS_QK_NORM: u32 = 0;
const HAS_STATUS: u32 = 0;
const LOWEST: f32 = -3.0e38;

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
  if (HAS_POSITIONAL == 0u || RELATIVE == 1u) { return own; }
  let half = WIDTH / 2u;
  if (INTERLEAVED == 1u) {
    let pair = position * WIDTH + e / 2u;       // two of the four angles there belong to these four elements
    let cosines = select(positional[pair].xy, positional[pair].zw, (e & 1u) == 1u);
    let sines = select(positional[pair + half].xy, positional[pair + half].zw, (e & 1u) == 1u);
    return own * cosines.xxyy + vec4f(-own.y, own.x, -own.w, own.z) * sines.xxyy;
  }
  let lower = e < half;
  let other = normed(at, select(e - half, e + half, lower), scale, gamma);
  let angle = position * WIDTH + select(e - half, e, lower);
  return own * positional[angle] + select(other, -other, lower) * positional[angle + half];
}

// Bias of a key `back` positions before the query.
fn bias_of(back: u32, h: u32) -> f32 {
  if (HAS_POSITIONAL == 0u || RELATIVE == 0u) { return 0.0; }
  let at = (DISTANCE - min(back, DISTANCE)) * params.H + h;
  return positional[at / 4u][at % 4u];
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
  var top = bias_of(0u, h);
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
  for (var t = 0u; t < position; t += 4u) {
    let rest = position - 1u - t;                // keys past the end reread the last one and weigh nothing
    let at = vec4u(t) + min(vec4u(0u, 1u, 2u, 3u), vec4u(rest));
    let beam = vec4u(indirection[table + at.x], indirection[table + at.y], indirection[table + at.z],
                     indirection[table + at.w]);
    let past = (beam * params.M + at) * 2u * keys + head;
    var score = vec4f(bias_of(position - at.x, h), bias_of(position - at.y, h), bias_of(position - at.z, h),
                      bias_of(position - at.w, h));
    for (var e = 0u; e < params.E / 4u; e++) {
      score += q[e] * mat4x4f(cache[past.x + e], cache[past.y + e], cache[past.z + e], cache[past.w + e]);
    }
    let seen = vec4u(0u, 1u, 2u, 3u) <= vec4u(rest);
    score = select(vec4f(LOWEST), score, seen);
    let next = max(max(top, max(score.x, score.y)), max(score.z, score.w));
    let decay = exp(top - next);
    let p = select(vec4f(), exp(score - next), seen);
    top = next;
    total = total * decay + (p.x + p.y + p.z + p.w);
    for (var e = 0u; e < params.E / 4u; e++) {
      let v = keys + e;
      sum[e] = sum[e] * decay + (p.x * cache[past.x + v] + p.y * cache[past.y + v] + p.z * cache[past.z + v] +
                                 p.w * cache[past.w + v]);
    }
  }
  for (var e = 0u; e < params.E / 4u; e++) { out[index * WIDTH + e] = sum[e] / total; }
}
