// attention: many queries over the keys of their own sentence, in packed rows.
//   out[n,h,:] = sum_t softmax_t(scale * q[n,h,:] . k[t,h,:]) v[t,h,:]          t over the rows of sentence rows[n].z
//   CAUSAL: only t <= position = rows[n].y
// Shapes   rows: u32[N,4] (token id, position, sentence, parent)   spans: u32[B,2] (first key row, number of key rows)
//          q: f32[N,Q]   kv: f32[S,Z]   out: f32[N,H*E]
//          head h of q starts at h*E of its row; of k at k_at + h*K/H*E, of v at v_at + h*K/H*E of theirs (grouped heads)
// Launch   direct: one invocation for 16 elements of a head of a row, which repeats the scores; all widths multiples of 4
// Numerics online softmax; a row that sees no key gives zeros; masks by length, never by an added infinity
// Source   Vaswani et al. 2017, eq. 1; Milakov and Gimelshein 2018, arXiv:1805.02867, algorithm 3
struct Params { N: u32, Q: u32, Z: u32, H: u32, K: u32, E: u32, k_at: u32, v_at: u32, scale: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<vec4u>;
@group(0) @binding(2) var<storage, read> spans: array<vec2u>;
@group(0) @binding(3) var<storage, read> q: array<vec4f>;
@group(0) @binding(4) var<storage, read> kv: array<vec4f>;
@group(0) @binding(5) var<storage, read> status: array<u32>;
@group(0) @binding(6) var<storage, read_write> out: array<vec4f>;

const CAUSAL: u32 = 0;
const HAS_STATUS: u32 = 0;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  if (HAS_STATUS == 1u && status[0] == 0u) { return; }
  let index = (group.y * grid.x + group.x) * 64u + lane;
  let width = params.E / 4u;
  let chunks = (width + 3u) / 4u;
  let n = index / (params.H * chunks);
  if (n >= params.N) { return; }
  let h = index / chunks - n * params.H;
  let first = (index - (n * params.H + h) * chunks) * 4u;
  let last = width - 1u - first;                 // lanes past the head reread its end and are not stored
  let row = rows[n];
  let span = spans[row.z];
  let visible = select(span.y, min(span.y, row.y + 1u), CAUSAL == 1u);
  let q_at = n * (params.Q / 4u) + h * width;
  let stride = params.Z / 4u;
  let head = (h * params.K / params.H) * width;
  var k_at = span.x * stride + params.k_at / 4u + head;
  var v_at = span.x * stride + params.v_at / 4u + head + first;
  var top = -3.0e38;
  var total = 0.0;
  var a0 = vec4f(0.0); var a1 = a0; var a2 = a0; var a3 = a0;
  for (var t = 0u; t < visible; t++) {
    var score = 0.0;
    for (var e = 0u; e < width; e++) { score += dot(q[q_at + e], kv[k_at + e]); }
    score *= params.scale;
    let next = max(top, score);
    let decay = exp(top - next);
    let p = exp(score - next);
    top = next;
    total = total * decay + p;
    a0 = a0 * decay + p * kv[v_at];
    a1 = a1 * decay + p * kv[v_at + min(1u, last)];
    a2 = a2 * decay + p * kv[v_at + min(2u, last)];
    a3 = a3 * decay + p * kv[v_at + min(3u, last)];
    k_at += stride;
    v_at += stride;
  }
  let inverse = select(0.0, 1.0 / total, total > 0.0);
  let at = (n * params.H + h) * width + first;
  out[at] = a0 * inverse;
  if (last >= 1u) { out[at + 1u] = a1 * inverse; }
  if (last >= 2u) { out[at + 2u] = a2 * inverse; }
  if (last >= 3u) { out[at + 3u] = a3 * inverse; }
}
