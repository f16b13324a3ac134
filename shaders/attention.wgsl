// attention: directly, for any adapter.
// Parts    attention, attention_rows, constants, halves, chunk4|chunk1, cache_f32|cache_f16
// Launch   one invocation a head of QUERIES rows, which share each load of a key and a value; rows of several sentences
//          take one sentence after the other
// Numerics online softmax, corrected once every 64 keys of a sentence, with sums kept in out between; the result of a
//          row does not depend on the rows beside it; a row that sees no key gives zeros
// Source   Vaswani et al. 2017, eq. 1; Milakov and Gimelshein 2018, arXiv:1805.02867, algorithm 3; biases by distance:
//          Raffel et al. 2020, section 2.1; unrolled by hand, because indexed sums are kept in memory

const QUERIES: u32 = 8; // rows a tile: 1, 2, 4 or 8
const QUADS = (QUERIES + 3u) / 4u; // vectors of four rows
const BLOCK = 64u; // keys

fn bias_of(t: u32, position: vec4u, h: u32) -> vec4f {
  if (HAS_BIAS == 0u) { return vec4f(); }
  let reach = vec4i(i32(DISTANCE));
  let at = vec4u(clamp(vec4i(i32(t)) - vec4i(position), -reach, reach) + reach) * params.H + h;
  return vec4f(bias[at.x], bias[at.y], bias[at.z], bias[at.w]);
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  if (HAS_STATUS == 1u && status[0] == status[1]) { return; }
  let index = (group.y * grid.x + group.x) * 8u + lane;
  let tile = index / params.H;
  let n = tile * QUERIES;
  if (n >= params.N) { return; }
  let h = index - tile * params.H;
  let rest = params.N - 1u - n;                   // rows past the end repeat the last one and are not stored
  let tile_rows = min(rest + 1u, QUERIES);
  let quads = (tile_rows + 3u) / 4u;              // loops have no constant bounds: CPU adapters would unroll them
  let width = params.E / CHUNK;
  let head = (h * params.K / params.H) * width;
  let stride = params.Z / CHUNK;
  let q_stride = params.Q / CHUNK;
  let o_stride = params.H * width;
  let o = n * o_stride + h * width;
  let q0 = n * q_stride + h * width;              let q1 = q0 + min(1u, rest) * q_stride;
  let q2 = q0 + min(2u, rest) * q_stride;         let q3 = q0 + min(3u, rest) * q_stride;
  let q4 = q0 + min(4u, rest) * q_stride;         let q5 = q0 + min(5u, rest) * q_stride;
  let q6 = q0 + min(6u, rest) * q_stride;         let q7 = q0 + min(7u, rest) * q_stride;
  var p: array<vec4f, BLOCK * QUADS>;
  var acc: array<Chunk, 16>;
  var position: array<vec4u, 2>;
  var seen: array<vec4u, 2>;
  var top: array<vec4f, 2>;
  var total: array<vec4f, 2>;
  var before: array<vec4f, 2>;
  var after: array<vec4f, 2>;
  for (var i = 0u; i < tile_rows; i++) {
    position[i / 4u][i % 4u] = rows[n + i].y;
    for (var e = 0u; e < width && rows[n + i].z == NO_ID; e++) { out[o + i * o_stride + e] = Chunk(); }
  }
  var least = 0u;                                 // sentences below it are done
  loop {
    var sentence = NO_ID;
    for (var i = 0u; i < tile_rows; i++) {
      let z = rows[n + i].z;
      if (z >= least) { sentence = min(sentence, z); }
    }
    if (sentence == NO_ID) { break; }
    least = sentence + 1u;
    let span = spans[sentence];
    var end = 0u;
    for (var g = 0u; g < quads; g++) {
      seen[g] = select(vec4u(span.y), min(vec4u(span.y), position[g] + 1u), vec4<bool>(CAUSAL == 1u));
      end = max(end, max(max(seen[g].x, seen[g].y), max(seen[g].z, seen[g].w)));
      top[g] = vec4f(LOWEST);
      total[g] = vec4f();
    }
    var first = 0u;
    loop {
      let count = min(BLOCK, end - first);
      var next = top;
      for (var t = 0u; t < count; t += 4u) {
        let left = count - 1u - t;                // keys past the end repeat the last one with weight 0
        let at = span.x + first + t;
        let k0 = row_of(at) * stride + params.k_at / CHUNK + head;
        let k1 = row_of(at + min(1u, left)) * stride + params.k_at / CHUNK + head;
        let k2 = row_of(at + min(2u, left)) * stride + params.k_at / CHUNK + head;
        let k3 = row_of(at + min(3u, left)) * stride + params.k_at / CHUNK + head;
        var a0 = vec4f(); var a1 = vec4f(); var a2 = vec4f(); var a3 = vec4f();
        var a4 = vec4f(); var a5 = vec4f(); var a6 = vec4f(); var a7 = vec4f();
        for (var e = 0u; e < width; e++) {
          let x = Block(restored(kv[k0 + e]), restored(kv[k1 + e]), restored(kv[k2 + e]), restored(kv[k3 + e]));
          if (QUERIES > 0u) { a0 += q[q0 + e] * x; }
          if (QUERIES > 1u) { a1 += q[q1 + e] * x; }
          if (QUERIES > 2u) { a2 += q[q2 + e] * x; }
          if (QUERIES > 3u) { a3 += q[q3 + e] * x; }
          if (QUERIES > 4u) { a4 += q[q4 + e] * x; }
          if (QUERIES > 5u) { a5 += q[q5 + e] * x; }
          if (QUERIES > 6u) { a6 += q[q6 + e] * x; }
          if (QUERIES > 7u) { a7 += q[q7 + e] * x; }
        }
        let c = transpose(mat4x4f(a0, a1, a2, a3));
        let d = transpose(mat4x4f(a4, a5, a6, a7));
        var scores = array<vec4f, 8>(c[0], d[0], c[1], d[1], c[2], d[2], c[3], d[3]); // [key,quad]
        for (var g = 0u; g < quads; g++) {
          let limit = seen[g];
          var highest = next[g];
          for (var i = 0u; i <= min(left, 3u); i++) {
            let key = first + t + i;
            let score = scores[2u * i + g] * params.scale + bias_of(key, position[g], h);
            let s = select(vec4f(LOWEST), score, vec4u(key) < limit);
            highest = max(highest, s);
            p[(t + i) * QUADS + g] = s;
          }
          next[g] = highest;
        }
      }
      for (var g = 0u; g < quads; g++) {
        let limit = seen[g];
        let highest = next[g];
        before[g] = exp(top[g] - highest);
        var sum = total[g] * before[g];
        for (var t = 0u; t < count; t++) {
          let weight = select(vec4f(), exp(p[t * QUADS + g] - highest), vec4u(first + t) < limit);
          p[t * QUADS + g] = weight;
          sum += weight;
        }
        top[g] = highest;
        total[g] = sum;
        let inverse = select(vec4f(), 1.0 / sum, sum > vec4f());
        after[g] = select(vec4f(1.0), inverse, vec4<bool>(first + BLOCK >= end));
      }
      for (var e = 0u; e < width; e += 2u) {      // two chunks of sums at a time; the last may be alone
        let other = min(1u, width - 1u - e);
        for (var i = 0u; i < 2u * tile_rows; i++) {
          let r = i / 2u;
          let sum = out[o + r * o_stride + e + (i & 1u) * other] * before[r / 4u][r % 4u];
          acc[i] = select(Chunk(), sum, first > 0u);
        }
        var a0 = acc[0]; var a1 = acc[2]; var a2 = acc[4]; var a3 = acc[6];
        var a4 = acc[8]; var a5 = acc[10]; var a6 = acc[12]; var a7 = acc[14];
        var b0 = acc[1]; var b1 = acc[3]; var b2 = acc[5]; var b3 = acc[7];
        var b4 = acc[9]; var b5 = acc[11]; var b6 = acc[13]; var b7 = acc[15];
        for (var t = 0u; t < count; t++) {
          let v = row_of(span.x + first + t) * stride + params.v_at / CHUNK + head + e;
          let x = restored(kv[v]);
          let y = restored(kv[v + other]);
          let w = p[t * QUADS];
          if (QUERIES > 0u) { a0 += w.x * x; b0 += w.x * y; }
          if (QUERIES > 1u) { a1 += w.y * x; b1 += w.y * y; }
          if (QUERIES > 2u) { a2 += w.z * x; b2 += w.z * y; }
          if (QUERIES > 3u) { a3 += w.w * x; b3 += w.w * y; }
          if (QUERIES > 4u) {
            let u = p[t * QUADS + 1u];
            a4 += u.x * x; a5 += u.y * x; a6 += u.z * x; a7 += u.w * x;
            b4 += u.x * y; b5 += u.y * y; b6 += u.z * y; b7 += u.w * y;
          }
        }
        acc = array<Chunk, 16>(a0, b0, a1, b1, a2, b2, a3, b3, a4, b4, a5, b5, a6, b6, a7, b7);
        for (var i = 0u; i < 2u * tile_rows; i++) {
          let r = i / 2u;
          if (rows[n + r].z == sentence) {
            out[o + r * o_stride + e + (i & 1u) * other] = acc[i] * after[r / 4u][r % 4u];
          }
        }
      }
      first += BLOCK;
      if (first >= end) { break; }
    }
  }
}
