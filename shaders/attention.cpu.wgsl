// attention: for CPU adapters with subgroups.
// Parts    attention, attention_rows, attention_bias, constants, halves, chunk4|chunk1, cache_f32|cache_f16
// Launch   a workgroup is one subgroup of 8 and computes a head of 16 rows, 2 an invocation; all widths multiples of 4,
//          E at most 64
// Numerics online softmax, key by key, with sums of its own for each sentence: the result of a row does not depend on
//          the rows beside it; a row that sees no key gives zeros
// Source   as attention.wgsl; lanes load a key and a value together and broadcast them: a CPU adapter loads lane by
//          lane, whatever the address; unrolled by hand, because subgroupBroadcast takes a constant lane
enable subgroups;

const WIDTH: u32 = 16; // E / 4, at most 16

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(subgroup_invocation_id) lane: u32) {
  if (HAS_STATUS == 1u && status[0] == status[1]) { return; }
  let tile = group.y * grid.x + group.x;
  let h = tile % params.H;
  let first = tile / params.H * 16u;
  if (first >= params.N) { return; }
  let stride = params.Z / 4u;
  let head = (h * params.K / params.H) * WIDTH;
  let n_a = min(first + lane, params.N - 1u);
  let n_b = min(first + 8u + lane, params.N - 1u);
  let y_a = rows[n_a].y; let y_b = rows[n_b].y;
  let end_a = select(NO_ID, y_a + 1u, CAUSAL == 1u); let end_b = select(NO_ID, y_b + 1u, CAUSAL == 1u);
  let wide = params.E / 4u; // loops over arrays run to a uniform; unrolling them takes seconds
  var q_a: array<vec4f, 16>; var q_b: array<vec4f, 16>;
  for (var e = 0u; e < wide; e++) {
    q_a[e] = q[n_a * (params.Q / 4u) + h * WIDTH + e] * params.scale;
    q_b[e] = q[n_b * (params.Q / 4u) + h * WIDTH + e] * params.scale;
  }
  let low = min(lane, WIDTH - 1u);
  let high = min(lane + 8u, WIDTH - 1u);
  let count = min(16u, params.N - first);
  for (var i = 0u; i < count;) { // the sentences of these rows
    let begin = i;
    let sentence = rows[first + i].z;
    var farthest = 0u;
    for (; i < count; i++) {
      if (rows[first + i].z != sentence) { break; }
      farthest = max(farthest, rows[first + i].y);
    }
    var span = vec2u();
    if (sentence != NO_ID) { span = spans[sentence]; }
    let seen = select(span.y, min(span.y, farthest + 1u), CAUSAL == 1u);
    let own_a = lane >= begin && lane < i;
    let own_b = lane + 8u >= begin && lane + 8u < i;
    var sum_a = array<vec4f, 16>(); var sum_b = array<vec4f, 16>(); // of rows of this sentence alone: 0 * NaN is NaN
    var top_a = LOWEST; var top_b = LOWEST;
    var total_a = 0.0; var total_b = 0.0;
    for (var t = 0u; t < seen; t++) {
      let row = row_of(span.x + t) * stride + head;
      let k_at = row + params.k_at / 4u;
      let v_at = row + params.v_at / 4u;
      let k0 = restored(kv[k_at + low]); let v0 = restored(kv[v_at + low]);
      var k1 = k0; var v1 = v0;
      if (WIDTH > 8u) { k1 = restored(kv[k_at + high]); v1 = restored(kv[v_at + high]); }
      var s_a = 0.0; var s_b = 0.0;
      if (WIDTH > 0u) { let k = subgroupBroadcast(k0, 0u); s_a += dot(q_a[0], k); s_b += dot(q_b[0], k); }
      if (WIDTH > 1u) { let k = subgroupBroadcast(k0, 1u); s_a += dot(q_a[1], k); s_b += dot(q_b[1], k); }
      if (WIDTH > 2u) { let k = subgroupBroadcast(k0, 2u); s_a += dot(q_a[2], k); s_b += dot(q_b[2], k); }
      if (WIDTH > 3u) { let k = subgroupBroadcast(k0, 3u); s_a += dot(q_a[3], k); s_b += dot(q_b[3], k); }
      if (WIDTH > 4u) { let k = subgroupBroadcast(k0, 4u); s_a += dot(q_a[4], k); s_b += dot(q_b[4], k); }
      if (WIDTH > 5u) { let k = subgroupBroadcast(k0, 5u); s_a += dot(q_a[5], k); s_b += dot(q_b[5], k); }
      if (WIDTH > 6u) { let k = subgroupBroadcast(k0, 6u); s_a += dot(q_a[6], k); s_b += dot(q_b[6], k); }
      if (WIDTH > 7u) { let k = subgroupBroadcast(k0, 7u); s_a += dot(q_a[7], k); s_b += dot(q_b[7], k); }
      if (WIDTH > 8u) { let k = subgroupBroadcast(k1, 0u); s_a += dot(q_a[8], k); s_b += dot(q_b[8], k); }
      if (WIDTH > 9u) { let k = subgroupBroadcast(k1, 1u); s_a += dot(q_a[9], k); s_b += dot(q_b[9], k); }
      if (WIDTH > 10u) { let k = subgroupBroadcast(k1, 2u); s_a += dot(q_a[10], k); s_b += dot(q_b[10], k); }
      if (WIDTH > 11u) { let k = subgroupBroadcast(k1, 3u); s_a += dot(q_a[11], k); s_b += dot(q_b[11], k); }
      if (WIDTH > 12u) { let k = subgroupBroadcast(k1, 4u); s_a += dot(q_a[12], k); s_b += dot(q_b[12], k); }
      if (WIDTH > 13u) { let k = subgroupBroadcast(k1, 5u); s_a += dot(q_a[13], k); s_b += dot(q_b[13], k); }
      if (WIDTH > 14u) { let k = subgroupBroadcast(k1, 6u); s_a += dot(q_a[14], k); s_b += dot(q_b[14], k); }
      if (WIDTH > 15u) { let k = subgroupBroadcast(k1, 7u); s_a += dot(q_a[15], k); s_b += dot(q_b[15], k); }
      let sees_a = own_a && t < end_a;
      let sees_b = own_b && t < end_b;
      s_a = select(LOWEST, s_a + bias_of(t, y_a, h), sees_a);
      s_b = select(LOWEST, s_b + bias_of(t, y_b, h), sees_b);
      let next_a = max(top_a, s_a); let next_b = max(top_b, s_b);
      let decay_a = exp(top_a - next_a); let decay_b = exp(top_b - next_b);
      let p_a = select(0.0, exp(s_a - next_a), sees_a); let p_b = select(0.0, exp(s_b - next_b), sees_b);
      top_a = next_a; top_b = next_b;
      total_a = total_a * decay_a + p_a; total_b = total_b * decay_b + p_b;
      if (WIDTH > 0u) {
        let v = subgroupBroadcast(v0, 0u);
        sum_a[0] = sum_a[0] * decay_a + p_a * v;
        sum_b[0] = sum_b[0] * decay_b + p_b * v;
      }
      if (WIDTH > 1u) {
        let v = subgroupBroadcast(v0, 1u);
        sum_a[1] = sum_a[1] * decay_a + p_a * v;
        sum_b[1] = sum_b[1] * decay_b + p_b * v;
      }
      if (WIDTH > 2u) {
        let v = subgroupBroadcast(v0, 2u);
        sum_a[2] = sum_a[2] * decay_a + p_a * v;
        sum_b[2] = sum_b[2] * decay_b + p_b * v;
      }
      if (WIDTH > 3u) {
        let v = subgroupBroadcast(v0, 3u);
        sum_a[3] = sum_a[3] * decay_a + p_a * v;
        sum_b[3] = sum_b[3] * decay_b + p_b * v;
      }
      if (WIDTH > 4u) {
        let v = subgroupBroadcast(v0, 4u);
        sum_a[4] = sum_a[4] * decay_a + p_a * v;
        sum_b[4] = sum_b[4] * decay_b + p_b * v;
      }
      if (WIDTH > 5u) {
        let v = subgroupBroadcast(v0, 5u);
        sum_a[5] = sum_a[5] * decay_a + p_a * v;
        sum_b[5] = sum_b[5] * decay_b + p_b * v;
      }
      if (WIDTH > 6u) {
        let v = subgroupBroadcast(v0, 6u);
        sum_a[6] = sum_a[6] * decay_a + p_a * v;
        sum_b[6] = sum_b[6] * decay_b + p_b * v;
      }
      if (WIDTH > 7u) {
        let v = subgroupBroadcast(v0, 7u);
        sum_a[7] = sum_a[7] * decay_a + p_a * v;
        sum_b[7] = sum_b[7] * decay_b + p_b * v;
      }
      if (WIDTH > 8u) {
        let v = subgroupBroadcast(v1, 0u);
        sum_a[8] = sum_a[8] * decay_a + p_a * v;
        sum_b[8] = sum_b[8] * decay_b + p_b * v;
      }
      if (WIDTH > 9u) {
        let v = subgroupBroadcast(v1, 1u);
        sum_a[9] = sum_a[9] * decay_a + p_a * v;
        sum_b[9] = sum_b[9] * decay_b + p_b * v;
      }
      if (WIDTH > 10u) {
        let v = subgroupBroadcast(v1, 2u);
        sum_a[10] = sum_a[10] * decay_a + p_a * v;
        sum_b[10] = sum_b[10] * decay_b + p_b * v;
      }
      if (WIDTH > 11u) {
        let v = subgroupBroadcast(v1, 3u);
        sum_a[11] = sum_a[11] * decay_a + p_a * v;
        sum_b[11] = sum_b[11] * decay_b + p_b * v;
      }
      if (WIDTH > 12u) {
        let v = subgroupBroadcast(v1, 4u);
        sum_a[12] = sum_a[12] * decay_a + p_a * v;
        sum_b[12] = sum_b[12] * decay_b + p_b * v;
      }
      if (WIDTH > 13u) {
        let v = subgroupBroadcast(v1, 5u);
        sum_a[13] = sum_a[13] * decay_a + p_a * v;
        sum_b[13] = sum_b[13] * decay_b + p_b * v;
      }
      if (WIDTH > 14u) {
        let v = subgroupBroadcast(v1, 6u);
        sum_a[14] = sum_a[14] * decay_a + p_a * v;
        sum_b[14] = sum_b[14] * decay_b + p_b * v;
      }
      if (WIDTH > 15u) {
        let v = subgroupBroadcast(v1, 7u);
        sum_a[15] = sum_a[15] * decay_a + p_a * v;
        sum_b[15] = sum_b[15] * decay_b + p_b * v;
      }
    }
    let inverse_a = select(0.0, 1.0 / total_a, total_a > 0.0);
    let inverse_b = select(0.0, 1.0 / total_b, total_b > 0.0);
    for (var e = 0u; e < wide; e++) {
      if (own_a) { out[(n_a * params.H + h) * WIDTH + e] = sum_a[e] * inverse_a; }
      if (own_b) { out[(n_b * params.H + h) * WIDTH + e] = sum_b[e] * inverse_b; }
    }
  }
}
