// attention_step: directly, for any adapter.
// Parts    attention_step, search_state, constants, chunk4|chunk1, pairs4|pairs1
// Launch   one invocation a head of a row, with query and sum in registers, four keys at a time
// Numerics online softmax, corrected once every four keys
// Source   FasterTransformer v5, decoder_masked_multihead_attention_template.hpp (cache indirection); Shazeer 2019 (K <
//          H)


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
  let stores = h * params.K % params.H == 0u;    // the first query head of a group stores its key and value
  let q_scale = norm_of(q_at);
  let k_scale = norm_of(k_at);
  var q: array<Chunk, WIDTH>;
  var sum: array<Chunk, WIDTH>;
  var top = bias_of(0u, h);
  for (var e = 0u; e < params.E / CHUNK; e++) {
    q[e] = prepared(q_at, e, q_scale, 0u, position) * params.scale;
    let k = prepared(k_at, e, k_scale, WIDTH, position);
    top += inner(q[e], k);
    sum[e] = qkv[k_at + keys + e];
    if (stores) {
      cache[slot + e] = k;
      cache[slot + keys + e] = sum[e];
    }
  }
  var total = 1.0;
  let table = indirection_at(position, params.R, params.M) + r * params.M;
  for (var t = 0u; t < position; t += 4u) {
    let rest = position - 1u - t;                // keys past the end repeat the last one with weight 0
    let at = vec4u(t) + min(vec4u(0u, 1u, 2u, 3u), vec4u(rest));
    let beam = vec4u(indirection[table + at.x], indirection[table + at.y], indirection[table + at.z],
                     indirection[table + at.w]);
    let past = (beam * params.M + at) * 2u * keys + head;
    var score = vec4f(bias_of(position - at.x, h), bias_of(position - at.y, h), bias_of(position - at.z, h),
                      bias_of(position - at.w, h));
    for (var e = 0u; e < params.E / CHUNK; e++) {
      score += q[e] * Block(cache[past.x + e], cache[past.y + e], cache[past.z + e], cache[past.w + e]);
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
      sum[e] = sum[e] * decay + (p.x * cache[past.x + v] + p.y * cache[past.y + v] + p.z * cache[past.z + v] +
                                 p.w * cache[past.w + v]);
    }
  }
  for (var e = 0u; e < params.E / CHUNK; e++) { out[index * WIDTH + e] = sum[e] / total; }
}
