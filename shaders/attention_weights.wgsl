// attention_weights: the softmax weights of attention, to look at: attention itself does not keep them.
//   weights[n,x,t] = softmax_t(scale * q[n,h,:] . k[t,h,:] + bias[d,h])   h = heads[x], or x without a list of heads
//   t over the rows of sentence rows[n].z, with CAUSAL those up to position rows[n].y; 0 beyond them
//   d = t - position, clamped to the table's distances -DISTANCE .. DISTANCE (relative positions)
// Parts    attention_rows, attention_bias, constants, halves, chunk4|chunk1, cache_f32|cache_f16
//   a row without a sentence is padding and gives zeros
//   the rows of a sentence are neighbours in kv, or with slots anywhere: then its span lies in slots
// Shapes   rows: u32[N,4] (token id, position, sentence, _)   spans: u32[B,2] (first key row, number of key rows)
//          q: f32[N,Q]   kv: f32|f16[S,Z]   slots: u32[U] (rows of kv)   bias: f32[2*DISTANCE+1,H]   heads: u32[X]
//          weights: f32[N,X,T] (T at least the longest span)
//          head h starts in its row of q at h*E, in rows of kv at k_at + h*K/H*E: heads may be grouped
// Launch   one invocation a head of a row
// Numerics scores are stored, then exponentiated against their maximum; a row that sees no key gives zeros
// Source   Vaswani et al. 2017, eq. 1
struct Params { N: u32, Q: u32, Z: u32, H: u32, K: u32, E: u32, X: u32, T: u32, k_at: u32, scale: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<vec4u>;
@group(0) @binding(2) var<storage, read> spans: array<vec2u>;
@group(0) @binding(3) var<storage, read> q: array<Chunk>;
@group(0) @binding(4) var<storage, read> kv: array<Stored>;
@group(0) @binding(5) var<storage, read> slots: array<u32>;
@group(0) @binding(6) var<storage, read> bias: array<f32>;
@group(0) @binding(7) var<storage, read> heads: array<u32>;
@group(0) @binding(8) var<storage, read_write> weights: array<f32>;

const CAUSAL: u32 = 0;
const DISTANCE: u32 = 0;
const HAS_SLOTS: u32 = 0;
const HAS_BIAS: u32 = 0;
const HAS_HEADS: u32 = 0;
const KV_FORMAT: u32 = 0; // 1: f16, of which the part cache_f16 knows

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let width = params.E / CHUNK;
  let index = (group.y * grid.x + group.x) * 64u + lane;
  let n = index / params.X;
  if (n >= params.N) { return; }
  var h = index - n * params.X;
  if (HAS_HEADS == 1u) { h = min(heads[h], params.H - 1u); }
  let row = rows[n];
  var span = vec2u();
  if (row.z != NO_ID) { span = spans[row.z]; }
  var visible = min(span.y, params.T);
  if (CAUSAL == 1u) { visible = min(visible, row.y + 1u); }
  let stride = params.Z / CHUNK;
  let q_at = n * (params.Q / CHUNK) + h * width;
  let head = params.k_at / CHUNK + (h * params.K / params.H) * width;
  let out = index * params.T;
  var top = LOWEST;
  var bits = 0u;
  for (var t = 0u; t < visible; t++) {
    let k_at = row_of(span.x + t) * stride + head;
    var score = 0.0;
    for (var e = 0u; e < width; e++) { score += inner(q[q_at + e], restored(kv[k_at + e])); }
    score = score * params.scale + bias_of(t, row.y, h);
    weights[out + t] = score;
    top = max(top, score);
    bits = max(bits, bitcast<u32>(score) & 0x7fffffffu);
  }
  var total = 0.0;
  for (var t = 0u; t < visible; t++) {
    let p = exp(weights[out + t] - top);
    weights[out + t] = p;
    total += p;
  }
  if (bits > 0x7f800000u) { total = bitcast<f32>(bits); } // NaN, which max and exp may drop
  for (var t = 0u; t < visible; t++) { weights[out + t] /= total; }
  for (var t = visible; t < params.T; t++) { weights[out + t] = 0.0; }
}
