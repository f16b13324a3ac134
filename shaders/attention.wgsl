// attention: many queries over the keys of their own sentence, in packed rows.
//   out[n,h,:] = sum_t softmax_t(scale * q[n,h,:] . k[t,h,:]) v[t,h,:]          t over the rows of sentence rows[n].z
//   CAUSAL: only t <= position = rows[n].y
// Shapes   rows: u32[N,4] (token id, position, sentence, parent)   spans: u32[B,2] (first key row, number of key rows)
//          q: f32[N,Q]   kv: f32[S,Z]   out: f32[N,H*E]
//          head h of q starts at h*E of its row; of k at k_at + h*K/H*E, of v at v_at + h*K/H*E of theirs
//          (grouped heads)
// Launch   direct: one invocation a head of a row, query and sum in registers; all widths multiples of 4
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

const WIDTH: u32 = 16; // E / 4, for arrays; loops run to params.E / 4, or a CPU adapter unrolls them for seconds
const CAUSAL: u32 = 0;
const HAS_STATUS: u32 = 0;

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  if (HAS_STATUS == 1u && status[0] == 0u) { return; }
  let width = params.E / 4u;
  let index = (group.y * grid.x + group.x) * 8u + lane;
  let n = index / params.H;
  if (n >= params.N) { return; }
  let h = index - n * params.H;
  let row = rows[n];
  let span = spans[row.z];
  let visible = select(span.y, min(span.y, row.y + 1u), CAUSAL == 1u);
  let stride = params.Z / 4u;
  let head = (h * params.K / params.H) * WIDTH;
  var k_at = span.x * stride + params.k_at / 4u + head;
  var v_at = span.x * stride + params.v_at / 4u + head;
  var query: array<vec4f, WIDTH>;
  var sum: array<vec4f, WIDTH>;
  for (var e = 0u; e < width; e++) { query[e] = q[n * (params.Q / 4u) + h * WIDTH + e] * params.scale; }
  var top = -3.0e38;
  var total = 0.0;
  for (var t = 0u; t < visible; t++) {
    var score = 0.0;
    for (var e = 0u; e < width; e++) { score += dot(query[e], kv[k_at + e]); }
    let next = max(top, score);
    let decay = exp(top - next);
    let p = exp(score - next);
    top = next;
    total = total * decay + p;
    for (var e = 0u; e < width; e++) { sum[e] = sum[e] * decay + p * kv[v_at + e]; }
    k_at += stride;
    v_at += stride;
  }
  let inverse = select(0.0, 1.0 / total, total > 0.0);
  for (var e = 0u; e < width; e++) { out[index * WIDTH + e] = sum[e] * inverse; }
}
