// attention_step: directly, for any adapter.
// Parts    attention_step, search_state, constants, halves, chunk4|chunk1, pairs4|pairs1, cache_f32|cache_f16
// Launch   one invocation a head of a row (SPLIT: up to 64), with query and sum in registers, four keys at a time
// Numerics online softmax, corrected once every four keys
// Source   FasterTransformer v5, decoder_masked_multihead_attention_template.hpp (cache indirection); Shazeer 2019 (K <
//          H)

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  if (HAS_STATUS == 1u && status[0] == status[1]) { return; }
  let workgroups = select(1u, min(64u, most_parts()), SPLIT == 1u); // invocations of a head of a row
  let unit = (group.y * grid.x + group.x) * 8u + lane;
  let index = unit / workgroups;
  let r = index / params.H;
  if (r >= params.R) { return; }
  let h = index - r * params.H;
  let position = rows[r].y;
  if (rows[r].z == NO_ID) {
    for (var e = 0u; e < (1u - SPLIT) * params.E / CHUNK; e++) { out[index * WIDTH + e] = Chunk(); }
    return;
  }
  let keys = params.K * WIDTH;                   // values follow the keys
  let head = (h * params.K / params.H) * WIDTH;
  let q_at = r * (params.H * WIDTH + 2u * keys) + h * WIDTH;
  let k_at = q_at + (params.H - h) * WIDTH + head;
  let table = indirection_at(r, position, params.M);
  let slot = indirection[table + position] * 2u * keys + head;
  let parts = select(1u, position / 64u + 1u, SPLIT == 1u);
  let begin = unit % workgroups;
  let stores = h * params.K % params.H == 0u && (parts - 1u) % workgroups == begin; // once for each key and value
  let q_scale = norm_of(q_at);
  let k_scale = norm_of(k_at);
  var q: array<Chunk, WIDTH>;
  var sum: array<Chunk, WIDTH>;
  var own_score = bias_of(0u, h);
  for (var e = 0u; e < params.E / CHUNK; e++) {
    q[e] = prepared(q_at, e, q_scale, 0u, position) * params.scale;
    let k = prepared(k_at, e, k_scale, WIDTH, position);
    own_score += inner(q[e], k);
    sum[e] = qkv[k_at + keys + e];
    if (stores) {
      cache[slot + e] = stored(k);
      cache[slot + keys + e] = stored(sum[e]);
    }
  }
  for (var part = begin; part < parts; part += workgroups) {
    let last = part + 1u == parts;               // which has the new key too
    let end = select(part * 64u + 64u, position, last);
    var top = select(LOWEST, own_score, last);
    var total = f32(last);
    if (SPLIT == 1u) {
      for (var e = 0u; e < params.E / CHUNK; e++) { sum[e] = select(Chunk(), qkv[k_at + keys + e], last); }
    }
    for (var t = part * 64u; t < end; t += 4u) {
      let rest = end - 1u - t;                   // keys past the end repeat the last one with weight 0
      let at = vec4u(t) + min(vec4u(0u, 1u, 2u, 3u), vec4u(rest));
      let slots = vec4u(indirection[table + at.x], indirection[table + at.y], indirection[table + at.z],
                        indirection[table + at.w]);
      let past = slots * 2u * keys + head;
      var score = vec4f(bias_of(position - at.x, h), bias_of(position - at.y, h), bias_of(position - at.z, h),
                        bias_of(position - at.w, h));
      for (var e = 0u; e < params.E / CHUNK; e++) {
        score += q[e] * Block(restored(cache[past.x + e]), restored(cache[past.y + e]), restored(cache[past.z + e]),
                              restored(cache[past.w + e]));
      }
      let seen = vec4u(0u, 1u, 2u, 3u) <= vec4u(rest);
      score = select(vec4f(LOWEST), score, seen);
      let next = max(max(top, max(score.x, score.y)), max(score.z, score.w));
      let decay = exp(top - next);
      let p = select(vec4f(), exp(score - next), seen);
      top = next;
      total = total * decay + (p.x + p.y + p.z + p.w);
      for (var e = 0u; e < params.E / CHUNK; e++) {
        let v = keys + e;
        sum[e] = sum[e] * decay + (p.x * restored(cache[past.x + v]) + p.y * restored(cache[past.y + v]) +
                                   p.z * restored(cache[past.z + v]) + p.w * restored(cache[past.w + v]));
      }
    }
    let to = select(index * WIDTH, part_at(index, part), SPLIT == 1u);
    let whole = select(total, 1.0, SPLIT == 1u);
    for (var e = 0u; e < params.E / CHUNK; e++) { out[to + e] = sum[e] / whole; }
    for (var e = 0u; e < SPLIT * 4u / CHUNK; e++) {
      out[to + WIDTH + e] = Chunk(top);
      out[to + WIDTH + 4u / CHUNK + e] = Chunk(total);
    }
  }
}
