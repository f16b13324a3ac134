// attention_step: through workgroup memory, for GPUs.
// Parts    attention_step, sums, search_state, constants, halves, chunk4|chunk1, pairs4|pairs1, cache_f32|cache_f16
// Launch   one workgroup a head of a row; each lane scores one of 64 keys, then lanes split keys and E, which is 64
//          chunks at most; SPLIT: up to 64 workgroups a head of a row share its keys
// Numerics softmax of each 64 keys, merged in their order, whether here or by attention_merge; the new key is read from
//          workgroup memory, not from the cache
// Source   FasterTransformer v5, decoder_masked_multihead_attention_template.hpp (cache indirection); Shazeer 2019 (K <
//          H); Dao et al. 2023, Flash-Decoding for long-context inference (SPLIT)

const STEP: u32 = 16; // a divisor of WIDTH: chunks of a key that a lane of a GPU loads together
const LANES = 64u;
const SPLITS = LANES / WIDTH; // of the keys, over lanes that sum the same chunk of E
const ROUNDS = (LANES + 8u * SPLITS - 1u) / (8u * SPLITS);
const TABLE = ROUNDS * 8u * SPLITS;

var<workgroup> query: array<Chunk, WIDTH>;
var<workgroup> own: array<Chunk, WIDTH>;
var<workgroup> scores: array<f32, LANES>;
// of key (round * 8 + i) * SPLITS + split: its weight, and where its value is in the cache
var<workgroup> weights: array<array<array<f32, SPLITS>, 8>, ROUNDS>;
var<workgroup> places: array<array<array<u32, SPLITS>, 8>, ROUNDS>;
var<workgroup> totals: array<f32, LANES>;
var<workgroup> sums: array<Chunk, LANES>;

// `count`, which only GPUs take for a constant.
fn times(count: u32) -> u32 { return select(min(count, params.R * count), count, UNROLL == 1u); }

// The score of the key at `at` in the cache.
fn score_of(at: u32) -> f32 {
  let step = select(1u, STEP, UNROLL == 1u);
  var score = 0.0;
  for (var i = 0u; i < width(); i += step) {
    for (var j = 0u; j < step; j++) { score += inner(query[i + j], restored(cache[at + i + j])); }
  }
  return score;
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  if (HAS_STATUS == 1u && status[0] == status[1]) { return; }
  let workgroups = select(1u, min(64u, most_parts()), SPLIT == 1u); // of a head of a row
  let unit = group.y * grid.x + group.x;
  let index = unit / workgroups;
  let r = index / params.H;
  if (r >= params.R) { return; }
  let position = rows[r].y;
  if (rows[r].z == NO_ID) {
    if (SPLIT == 0u && lane < WIDTH) { out[index * WIDTH + lane] = Chunk(); }
    return;
  }
  let parts = position / LANES + 1u;
  let begin = unit % workgroups;
  if (begin >= parts) { return; }
  let h = index - r * params.H;
  let keys = params.K * WIDTH;                   // values follow the keys
  let head = (h * params.K / params.H) * WIDTH;
  let q_at = r * (params.H * WIDTH + 2u * keys) + h * WIDTH;
  let k_at = q_at + (params.H - h) * WIDTH + head;
  let table = indirection_at(r, position, params.M);
  let slot = indirection[table + position] * 2u * keys + head;
  let split = min(lane / WIDTH, SPLITS - 1u);
  let e = lane % WIDTH;
  var own_value = Chunk();
  if (lane < WIDTH) {
    query[e] = prepared(q_at, e, norm_of(q_at), 0u, position) * params.scale;
    if ((parts - 1u) % workgroups == begin) {    // the new key is of the last part
      let k = prepared(k_at, e, norm_of(k_at), WIDTH, position);
      own[e] = k;
      own_value = qkv[k_at + keys + e];
      if (h * params.K % params.H == 0u) {       // the first query head of a group stores its key and value
        cache[slot + e] = stored(k);
        cache[slot + keys + e] = stored(own_value);
      }
    }
  }
  workgroupBarrier();
  var result = no_sums();
  for (var part = begin; part < parts; part += workgroups) {
    let first = part * LANES;
    let count = min(LANES, position - first);    // of keys in the cache
    let t = first + min(lane, max(count, 1u) - 1u); // lanes past the end repeat the last one with weight 0
    let past = indirection[table + t] * 2u * keys + head;
    let score = select(LOWEST, bias_of(position - t, h) + score_of(past), lane < count);
    scores[lane] = score;
    for (var i = 0u; i < TABLE; i += LANES) {
      let k = i + lane;
      if (k < TABLE) { places[k / SPLITS / 8u][k / SPLITS % 8u][k % SPLITS] = past + keys; }
    }
    var own_score = LOWEST;
    if (part + 1u == parts) {
      own_score = bias_of(0u, h);
      for (var i = 0u; i < width(); i++) { own_score += inner(query[i], own[i]); }
    }
    workgroupBarrier();
    var here = Sums(own_score, 0.0, Chunk());
    for (var i = 0u; i < times(LANES); i++) { here.top = max(here.top, scores[i]); }
    weights[lane / SPLITS / 8u][lane / SPLITS % 8u][lane % SPLITS] = select(0.0, exp(score - here.top), lane < count);
    workgroupBarrier();
    for (var round = 0u; round * 8u * SPLITS < count; round++) {
      for (var i = 0u; i < times(8u); i++) {
        let p = weights[round][i][split];
        here.sum += p * restored(cache[places[round][i][split] + e]);
        here.total += p;
      }
    }
    if (part + 1u == parts && split == 0u) {
      let p = exp(own_score - here.top);
      here.sum += p * own_value;
      here.total += p;
    }
    sums[lane] = here.sum;
    totals[lane] = here.total;
    workgroupBarrier();
    for (var i = 1u; i < times(SPLITS); i++) {           // of use to the lanes of the first split
      here.sum += sums[i * WIDTH + e];
      here.total += totals[i * WIDTH + e];
    }
    if (SPLIT == 0u) {
      result = merged(result, here);
    } else if (lane < WIDTH) {
      let at = part_at(index, part);
      out[at + e] = here.sum;
      for (var i = 0u; e == 0u && i < 4u / CHUNK; i++) {
        out[at + WIDTH + i] = Chunk(here.top);
        out[at + WIDTH + 4u / CHUNK + i] = Chunk(here.total);
      }
    }
  }
  if (SPLIT == 0u && lane < WIDTH) { out[index * WIDTH + e] = result.sum / result.total; }
}
