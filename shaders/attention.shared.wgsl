// attention: through workgroup memory, for GPUs.
// Parts    attention, attention_bias, constants, halves, chunk4|chunk1, cache_f32|cache_f16
// Launch   one workgroup a head of 16 rows, 4 lanes a row; keys, then values, are staged in 8.5 KiB; E up to 256
// Numerics online softmax, corrected once every TILE keys of a sentence; the result of a row does not depend on the
//          rows beside it; a row that sees no key gives zeros
// Source   Vaswani et al. 2017, eq. 1; Milakov and Gimelshein 2018, arXiv:1805.02867, algorithm 3; biases by distance:
//          Raffel et al. 2020, section 2.1

const WIDTH: u32 = 16; // E / CHUNK; the longest loop runs to params.E / CHUNK: unrolling it takes CPU adapters seconds
const TILE: u32 = 32; // keys staged at a time: at most 32, and TILE * PITCH at most STAGED
const ROWS = 16u;
const LANES = 64u;
const PITCH = WIDTH | 1u; // odd, so that lanes that read neighbouring keys use different banks
const SHARE = (WIDTH + 3u) / 4u; // chunks of the sum that one lane keeps
const STAGED = 2176u / CHUNK;

var<workgroup> staged: array<Chunk, STAGED>;
var<workgroup> weights: array<f32, 512>;     // [key,row]
var<workgroup> highest: array<f32, LANES>;

fn visible(row: vec4u, keys: u32) -> u32 { return select(keys, min(keys, row.y + 1u), CAUSAL == 1u); }

// `count` rows of a head, from `at` on.
fn stage(at: u32, count: u32, lane: u32) {
  for (var i = lane; i < count * WIDTH; i += LANES) {
    let t = i / WIDTH;
    staged[t * PITCH + i % WIDTH] = restored(kv[at + t * (params.Z / CHUNK) + i % WIDTH]);
  }
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  if (HAS_STATUS == 1u && status[0] == 0u) { return; }
  let index = group.y * grid.x + group.x;
  let tile = index / params.H;
  let h = index - tile * params.H;
  let n = tile * ROWS;
  if (n >= params.N) { return; }
  let rows_here = min(ROWS, params.N - n);
  let slot = lane / 4u;
  let part = lane % 4u;                // of a row's keys for scores, of its width for sums
  let own = n + min(slot, rows_here - 1u);
  let row = rows[own];
  let q_at = own * (params.Q / CHUNK) + h * WIDTH;
  let head = (h * params.K / params.H) * WIDTH;
  var sum: array<Chunk, SHARE>;
  var top = LOWEST;
  var total = 0.0;
  var least = 0u;                      // sentences below it are done
  loop {
    var sentence = NO_ID;
    for (var i = 0u; i < rows_here; i++) {
      let z = rows[n + i].z;
      if (z >= least) { sentence = min(sentence, z); }
    }
    if (sentence == NO_ID) { break; }
    least = sentence + 1u;
    let span = spans[sentence];
    var end = 0u;
    for (var i = 0u; i < rows_here; i++) {
      let other = rows[n + i];
      if (other.z == sentence) { end = max(end, visible(other, span.y)); }
    }
    let own_end = select(0u, visible(row, span.y), row.z == sentence);
    for (var first = 0u; first < end; first += TILE) {
      let count = min(TILE, end - first);
      let at = (span.x + first) * (params.Z / CHUNK) + head;
      stage(at + params.k_at / CHUNK, count, lane);
      workgroupBarrier();
      var scores = array<f32, 8>();       // of keys part, part + 4, ...
      for (var e = 0u; e < params.E / CHUNK; e++) {
        let query = q[q_at + e];
        for (var k = 0u; k < TILE / 4u; k++) { scores[k] += inner(query, staged[(part + 4u * k) * PITCH + e]); }
      }
      var next = LOWEST;
      for (var k = 0u; k < TILE / 4u; k++) {
        let t = first + part + 4u * k;
        scores[k] = select(LOWEST, scores[k] * params.scale + bias_of(t, row.y, h), t < own_end);
        next = max(next, scores[k]);
      }
      highest[lane] = next;
      workgroupBarrier();
      let quad = lane - part;
      next = max(max(max(highest[quad], highest[quad + 1u]), max(highest[quad + 2u], highest[quad + 3u])), top);
      let decay = exp(top - next);
      top = next;
      total *= decay;
      for (var k = 0u; k < TILE / 4u; k++) {
        let t = part + 4u * k;
        let p = select(0.0, exp(scores[k] - next), first + t < own_end);
        weights[t * ROWS + slot] = p;
        total += p;
      }
      stage(at + params.v_at / CHUNK, count, lane);
      workgroupBarrier();
      for (var i = 0u; i < SHARE; i++) { sum[i] *= decay; }
      let seen = min(count, max(own_end, first) - first); // 0 * NaN of another row's key is NaN
      for (var t = 0u; t < seen; t++) {
        let p = weights[t * ROWS + slot];
        for (var i = 0u; i < SHARE; i++) { sum[i] += p * staged[t * PITCH + min(part + 4u * i, WIDTH - 1u)]; }
      }
      workgroupBarrier();
    }
  }
  highest[lane] = total;               // of this lane's keys
  workgroupBarrier();
  let quad = lane - part;
  total = highest[quad] + highest[quad + 1u] + highest[quad + 2u] + highest[quad + 3u];
  if (slot >= rows_here) { return; }
  let inverse = select(0.0, 1.0 / total, total > 0.0);
  for (var i = 0u; i < SHARE; i++) {
    let e = part + 4u * i;
    if (e < WIDTH) { out[(own * params.H + h) * WIDTH + e] = sum[i] * inverse; }
  }
}
