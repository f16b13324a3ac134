// attention_step: one new query a row over the row's own past, through the beam indirection; appends its key and value.
//   cache[r,position,:] = (k_r, v_r)
//   out[r,h,:] = sum_{t <= position} softmax_t(scale * q[r,h,:] . k[t,h,:]) v[t,h,:]
//   key and value of step t < position lie in cache row indirection[position % 2, r, t]: beams change rows, values never move
// Shapes   rows: u32[R,4] (token id, position, sentence, parent)   qkv: f32[R,H*E+2*K*E] (queries, keys, values)
//          indirection: u32[2,R,M]   cache: f32[R,M,2*K*E] (key, value)   out: f32[R,H*E]
// Launch   direct: one invocation for 16 elements of a head of a row, which repeats the scores; E a multiple of 4
// Numerics online softmax
// Source   FasterTransformer v5, decoder_masked_multihead_attention_template.hpp (cache indirection); Shazeer 2019 (K < H)
struct Params { R: u32, M: u32, H: u32, K: u32, E: u32, scale: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<vec4u>;
@group(0) @binding(2) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(3) var<storage, read> indirection: array<u32>;
@group(0) @binding(4) var<storage, read> status: array<u32>;
@group(0) @binding(5) var<storage, read_write> cache: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> out: array<vec4f>;

const HAS_STATUS: u32 = 0;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  if (HAS_STATUS == 1u && status[0] == 0u) { return; }
  let index = (group.y * grid.x + group.x) * 64u + lane;
  let width = params.E / 4u;
  let chunks = (width + 3u) / 4u;
  let r = index / (params.H * chunks);
  if (r >= params.R) { return; }
  let h = index / chunks - r * params.H;
  let first = (index - (r * params.H + h) * chunks) * 4u;
  let last = width - 1u - first;                 // lanes past the head reread its end and are not stored
  let position = rows[r].y;
  let keys = params.K * width;                   // values follow the keys
  let q_at = r * (params.H * width + 2u * keys) + h * width;
  let head = (h * params.K / params.H) * width;
  let own_k = q_at + (params.H - h) * width + head;
  let own_v = own_k + keys + first;
  var top = 0.0;
  for (var e = 0u; e < width; e++) { top += dot(qkv[q_at + e], qkv[own_k + e]); }
  top *= params.scale;
  var total = 1.0;
  var a0 = qkv[own_v]; var a1 = qkv[own_v + min(1u, last)];
  var a2 = qkv[own_v + min(2u, last)]; var a3 = qkv[own_v + min(3u, last)];
  if (h * params.K % params.H == 0u) {           // the first query head of its group stores their key and value
    let slot = (r * params.M + position) * 2u * keys + head + first;
    for (var e = 0u; e <= min(3u, last); e++) {
      cache[slot + e] = qkv[own_k + first + e];
      cache[slot + keys + e] = qkv[own_v + e];
    }
  }
  let table = ((position & 1u) * params.R + r) * params.M;
  for (var t = 0u; t < position; t++) {
    let k_at = (indirection[table + t] * params.M + t) * 2u * keys + head;
    let v_at = k_at + keys + first;
    var score = 0.0;
    for (var e = 0u; e < width; e++) { score += dot(qkv[q_at + e], cache[k_at + e]); }
    score *= params.scale;
    let next = max(top, score);
    let decay = exp(top - next);
    let p = exp(score - next);
    top = next;
    total = total * decay + p;
    a0 = a0 * decay + p * cache[v_at];
    a1 = a1 * decay + p * cache[v_at + min(1u, last)];
    a2 = a2 * decay + p * cache[v_at + min(2u, last)];
    a3 = a3 * decay + p * cache[v_at + min(3u, last)];
  }
  let at = (r * params.H + h) * width + first;
  out[at] = a0 / total;
  if (last >= 1u) { out[at + 1u] = a1 / total; }
  if (last >= 2u) { out[at + 2u] = a2 / total; }
  if (last >= 3u) { out[at + 3u] = a3 / total; }
}
