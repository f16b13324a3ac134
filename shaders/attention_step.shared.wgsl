// attention_step: through workgroup memory, for GPUs.
// Parts    attention_step, search_state, constants, chunk4|chunk1, pairs4|pairs1
// Launch   one workgroup a head of a row; 256 keys at a time, of which each lane scores 4; then lanes split keys and E,
//          which is 64 chunks at most
// Numerics online softmax, corrected once every 256 keys; the new key is read from workgroup memory, not from the cache
// Source   FasterTransformer v5, decoder_masked_multihead_attention_template.hpp (cache indirection); Shazeer 2019 (K <
//          H)


const LANES = 64u;
const BLOCK = 256u;

var<workgroup> query: array<Chunk, LANES>;
var<workgroup> own: array<Chunk, LANES>;
var<workgroup> weights: array<f32, BLOCK>;
var<workgroup> places: array<u32, BLOCK>;   // where the keys of the block are in the cache
var<workgroup> partial: array<f32, LANES>;
var<workgroup> sums: array<Chunk, LANES>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  if (HAS_STATUS == 1u && status[0] == 0u) { return; }
  let index = group.y * grid.x + group.x;
  let r = index / params.H;
  if (r >= params.R) { return; }
  let h = index - r * params.H;
  let position = rows[r].y;
  let keys = params.K * WIDTH;                   // values follow the keys
  let head = (h * params.K / params.H) * WIDTH;
  let q_at = r * (params.H * WIDTH + 2u * keys) + h * WIDTH;
  let k_at = q_at + (params.H - h) * WIDTH + head;
  let slot = (r * params.M + position) * 2u * keys + head;
  let splits = LANES / WIDTH;                    // of the keys, over lanes that sum the same part of E
  let split = lane / WIDTH;
  let e = lane % WIDTH;
  var sum = Chunk();
  if (split == 0u) {
    let k = prepared(k_at, e, norm_of(k_at), WIDTH, position);
    query[e] = prepared(q_at, e, norm_of(q_at), 0u, position) * params.scale;
    own[e] = k;
    sum = qkv[k_at + keys + e];
    if (h * params.K % params.H == 0u) {         // the first query head of a group stores its key and value
      cache[slot + e] = k;
      cache[slot + keys + e] = sum;
    }
  }
  workgroupBarrier();
  var top = bias_of(0u, h);
  for (var i = 0u; i < params.E / CHUNK; i++) { top += inner(query[i], own[i]); }
  var total = select(0.0, 1.0, lane == 0u);      // of this lane's keys
  let table = indirection_at(position, params.R, params.M) + r * params.M;
  for (var first = 0u; first < position; first += BLOCK) {
    let count = min(BLOCK, position - first);
    var highest = LOWEST;
    for (var t = lane; t < count; t += LANES) {
      let past = (indirection[table + first + t] * params.M + first + t) * 2u * keys + head;
      var score = bias_of(position - first - t, h);
      for (var i = 0u; i < params.E / CHUNK; i++) { score += inner(query[i], cache[past + i]); }
      highest = max(highest, score);
      weights[t] = score;
      places[t] = past + keys;
    }
    partial[lane] = highest;
    workgroupBarrier();
    var next = top;
    for (var i = 0u; i < LANES; i++) { next = max(next, partial[i]); }
    let decay = exp(top - next);
    top = next;
    total *= decay;
    for (var t = lane; t < count; t += LANES) {
      weights[t] = exp(weights[t] - next);
      total += weights[t];
    }
    workgroupBarrier();
    sum *= decay;
    let last = select(0u, count, split < splits); // lanes beyond whole rounds of E have no keys
    for (var t = split; t < last; t += splits) { sum += weights[t] * cache[places[t] + e]; }
    workgroupBarrier();
  }
  partial[lane] = total;
  sums[lane] = sum;
  workgroupBarrier();
  if (split > 0u) { return; }
  total = 0.0;
  for (var i = 0u; i < LANES; i++) { total += partial[i]; }
  for (var i = 1u; i < splits; i++) { sum += sums[i * WIDTH + e]; }
  out[index * WIDTH + e] = sum / total;
}
