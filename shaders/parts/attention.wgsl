// attention: many queries, each over the keys of its own sentence, in packed rows.
//   out[n,h,:] = sum_t softmax_t(scale * q[n,h,:] . k[t,h,:] + bias[d,h]) v[t,h,:]   t over rows of sentence rows[n].z
//   CAUSAL: only t <= position = rows[n].y
//   d = t - position, clamped to the table's distances -DISTANCE .. DISTANCE (relative positions)
//   a row without a sentence is padding and gives zeros
//   the rows of a sentence are neighbours in kv, or with slots anywhere: then its span lies in slots
// Shapes   rows: u32[N,4] (token id, position, sentence, _)   spans: u32[B,2] (first key row, number of key rows)
//          q: f32[N,Q]   kv: f32|f16[S,Z]   slots: u32[U] (rows of kv)   bias: f32[2*DISTANCE+1,H]   out: f32[N,H*E]
//          head h starts in its row of q at h*E, in rows of kv at k_at + h*K/H*E (key) and v_at + h*K/H*E (value):
//          heads may be grouped
struct Params { N: u32, Q: u32, Z: u32, H: u32, K: u32, E: u32, k_at: u32, v_at: u32, scale: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<vec4u>;
@group(0) @binding(2) var<storage, read> spans: array<vec2u>;
@group(0) @binding(3) var<storage, read> q: array<Chunk>;
@group(0) @binding(4) var<storage, read> kv: array<Stored>;
@group(0) @binding(5) var<storage, read> slots: array<u32>;
@group(0) @binding(6) var<storage, read> bias: array<f32>;
@group(0) @binding(7) var<storage, read> status: array<u32>;
@group(0) @binding(8) var<storage, read_write> out: array<Chunk>;

const DISTANCE: u32 = 0;
const CAUSAL: u32 = 0;
const HAS_SLOTS: u32 = 0;
const HAS_BIAS: u32 = 0;
const HAS_STATUS: u32 = 0;
const KV_FORMAT: u32 = 0; // 1: f16, of which the part cache_f16 knows
