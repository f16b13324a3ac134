// attention: through workgroup memory, for GPUs.
// Parts    attention, attention_rows, attention_bias, constants, halves, chunk4|chunk1, cache_f32|cache_f16
// Launch   one workgroup a head of 8 * DEEP rows, 32 keys at a time: a lane scores 4 keys for DEEP rows, from 8 chunks
//          staged at a time, and sums an eighth of E for them, from 8 * VALUES staged values; E up to 256
// Numerics online softmax, corrected once every 32 keys of a sentence; the result of a row does not depend on the rows
//          beside it, nor on DEEP; a row that sees no key gives zeros
// Source   Vaswani et al. 2017, eq. 1; Milakov and Gimelshein 2018, arXiv:1805.02867, algorithm 3; biases by distance:
//          Raffel et al. 2020, section 2.1

const WIDTH: u32 = 16; // E / CHUNK
const DEEP: u32 = 4; // rows a lane: 1, 2 or 4
const UNROLL: u32 = 0; // 1 on GPUs; elsewhere loops run to a uniform: unrolling them takes CPU adapters seconds
const ROWS = 8u * DEEP;
const LANES = 64u;
const KEYS = 32u;
const SLICE = 8u;
const KEY_AT = 33u; // the column of the first key; queries are before it
const PITCH = 268u / CHUNK; // odd, so that neighbouring chunks of a row are in different banks
const VALUES = min(KEYS / SLICE, PITCH / WIDTH); // in a line of the tile
const SHARE = (WIDTH + 7u) / 8u; // chunks of the sum of a row that one lane keeps

var<workgroup> tile: array<array<Chunk, PITCH>, SLICE>; // [chunk][row or key], or values one behind another
var<workgroup> weights: array<array<vec4f, 8>, KEYS>;  // [key][slot] of rows slot, slot + 8, ...
var<workgroup> highest: array<array<vec4f, 8>, 8>;     // [part][slot]
var<workgroup> places: array<u32, KEYS>;               // with slots: the row of kv that each key is in
var<workgroup> strange: atomic<u32>;                   // 1: there are values that are not finite

fn visible(position: u32, keys: u32) -> u32 { return select(keys, min(keys, position + 1u), CAUSAL == 1u); }

// `count`, which only GPUs take for a constant.
fn times(count: u32) -> u32 { return select(min(count, params.N * count), count, UNROLL == 1u); }

// Stages chunks from `slice` on of this tile's rows and of its keys: those that this lane stages begin at `keys` in kv.
fn stage(slice: u32, n: u32, h: u32, keys: vec4u, lane: u32) {
  let c = lane % SLICE;
  let e = min(slice + c, WIDTH - 1u);
  let inside = slice + c < WIDTH;
  for (var i = 0u; i < DEEP; i++) {
    let r = lane / SLICE + 8u * i;
    let x = q[min(n + r, params.N - 1u) * (params.Q / CHUNK) + h * WIDTH + e];
    tile[c][r] = select(Chunk(), x, inside);
  }
  for (var i = 0u; i < times(KEYS / 8u); i++) {
    let t = lane / SLICE + 8u * i;
    let k = restored(kv[keys[i] + e]);
    tile[c][KEY_AT + t] = select(Chunk(), k, inside);
  }
}

// Stages `count` values from key `base` of this tile on, and zeros behind them; the tile begins at row `at` of kv.
fn stage_values(at: u32, base: u32, count: u32, head: u32, lane: u32) {
  var largest = Bits();
  for (var i = lane; i < SLICE * VALUES * WIDTH; i += LANES) {
    let t = i / WIDTH;
    let e = i % WIDTH;
    var row = base + min(t, count - 1u);
    if (HAS_SLOTS == 1u) { row = places[row]; } else { row += at; }
    let v = restored(kv[row * (params.Z / CHUNK) + params.v_at / CHUNK + head + e]);
    largest = max(largest, bitcast<Bits>(v) & Bits(0x7fffffffu));
    tile[t / VALUES][t % VALUES * WIDTH + e] = select(Chunk(), v, t < count);
  }
  if (any(largest >= Bits(0x7f800000u))) { atomicStore(&strange, 1u); }
}

alias Sum = array<array<Chunk, SHARE>, DEEP>; // [row][chunk]

// Adds the values of a line of the tile, the first of which is that of key `base` + line * VALUES; if `masked`, to each
// row only those of keys below `seen`.
fn add(sum: ptr<function, Sum>, line: u32, base: u32, slot: u32, part: u32, seen: vec4u, masked: bool) {
  for (var k = 0u; k < times(VALUES); k++) {
    let t = base + line * VALUES + k;
    let p = weights[min(t, KEYS - 1u)][slot];
    for (var c = 0u; c < SHARE; c++) {
      let v = tile[line][k * WIDTH + min(part + 8u * c, WIDTH - 1u)];
      for (var i = 0u; i < DEEP; i++) { (*sum)[i][c] += p[i] * select(v, Chunk(), masked && t >= seen[i]); }
    }
  }
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  if (HAS_STATUS == 1u && status[0] == status[1]) { return; }
  let index = group.y * grid.x + group.x;
  let n = index / params.H * ROWS;
  let h = index % params.H;
  if (n >= params.N) { return; }
  let last = min(n + ROWS, params.N) - 1u;
  let slot = lane / 8u;
  let part = lane % 8u;                // of a row's keys for scores, of its width for sums
  let own = min(n + slot + vec4u(0u, 8u, 16u, 24u), vec4u(last));
  let position = vec4u(rows[own.x].y, rows[own.y].y, rows[own.z].y, rows[own.w].y);
  let owner = vec4u(rows[own.x].z, rows[own.y].z, rows[own.z].z, rows[own.w].z);
  let head = (h * params.K / params.H) * WIDTH;
  var sum: Sum;
  var top = vec4f(LOWEST);
  var total = vec4f();
  var least = 0u;                      // sentences below it are done
  loop {
    var sentence = NO_ID;
    for (var i = n; i <= last; i += 8u) {
      for (var j = 0u; j < times(8u); j++) {
        let z = rows[min(i + j, last)].z;
        sentence = select(sentence, min(sentence, z), z >= least);
      }
    }
    if (sentence == NO_ID) { break; }
    least = sentence + 1u;
    let span = spans[sentence];
    var end = 0u;
    for (var i = n; i <= last; i += 8u) {
      for (var j = 0u; j < times(8u); j++) {
        let other = rows[min(i + j, last)];
        end = select(end, max(end, visible(other.y, span.y)), other.z == sentence);
      }
    }
    var limit = vec4u();
    for (var i = 0u; i < DEEP; i++) {
      limit[i] = select(0u, visible(position[i], span.y), owner[i] == sentence);
    }
    for (var first = 0u; first < end; first += KEYS) {
      let count = min(KEYS, end - first);
      let own_keys = span.x + first + min(lane / SLICE + vec4u(0u, 8u, 16u, 24u), vec4u(count - 1u));
      let own_rows = vec4u(row_of(own_keys.x), row_of(own_keys.y), row_of(own_keys.z), row_of(own_keys.w));
      for (var i = 0u; i < HAS_SLOTS * 4u; i++) {
        if (lane % SLICE == 0u) { places[lane / SLICE + 8u * i] = own_rows[i]; }
      }
      let keys = own_rows * (params.Z / CHUNK) + params.k_at / CHUNK + head;
      var scores = array<vec4f, 4>();  // of keys part, part + 8, ..., each for the rows of this lane
      for (var slice = 0u; slice < params.E / CHUNK; slice += SLICE) {
        stage(slice, n, h, keys, lane);
        workgroupBarrier();
        for (var c = 0u; c < times(SLICE); c++) {
          var x: array<Chunk, DEEP>;
          for (var i = 0u; i < DEEP; i++) { x[i] = tile[c][slot + 8u * i]; }
          for (var j = 0u; j < 4u; j++) {
            let k = tile[c][KEY_AT + part + 8u * j];
            for (var i = 0u; i < DEEP; i++) { scores[j][i] += inner(x[i], k); }
          }
        }
        workgroupBarrier();
      }
      var next = top;
      for (var j = 0u; j < 4u; j++) {
        let t = first + part + 8u * j;
        let bias = vec4f(bias_of(t, position.x, h), bias_of(t, position.y, h), bias_of(t, position.z, h),
                         bias_of(t, position.w, h));
        scores[j] = select(vec4f(LOWEST), scores[j] * params.scale + bias, vec4u(t) < limit);
        next = max(next, scores[j]);
      }
      highest[part][slot] = next;
      workgroupBarrier();
      for (var i = 0u; i < times(8u); i++) { next = max(next, highest[i][slot]); }
      next = select(vec4f(LOWEST), next, vec4<bool>(true, DEEP > 1u, DEEP > 2u, DEEP > 2u)); // no registers for others
      let decay = exp(top - next);
      top = next;
      total *= decay;
      for (var j = 0u; j < 4u; j++) {
        let p = select(vec4f(), exp(scores[j] - next), vec4u(first + part + 8u * j) < limit);
        weights[part + 8u * j][slot] = p;
        total += p;
      }
      for (var i = 0u; i < DEEP; i++) {
        for (var c = 0u; c < SHARE; c++) { sum[i][c] *= decay[i]; }
      }
      for (var base = 0u; base < count; base += SLICE * VALUES) {
        stage_values(span.x + first, base, count - base, head, lane);
        workgroupBarrier();
        let apart = atomicLoad(&strange) == 1u; // 0 * NaN of a key that another row alone sees is NaN
        for (var line = 0u; line * VALUES < min(SLICE * VALUES, count - base); line++) {
          if (apart || UNROLL == 0u) {         // CPU adapters compile one of them alone
            add(&sum, line, base, slot, part, limit - min(limit, vec4u(first)), true);
          } else {
            add(&sum, line, base, slot, part, limit, false);
          }
        }
        workgroupBarrier();
      }
    }
  }
  highest[part][slot] = total;         // of this lane's keys
  workgroupBarrier();
  total = vec4f();
  for (var i = 0u; i < times(8u); i++) { total += highest[i][slot]; }
  let inverse = select(vec4f(), 1.0 / total, total > vec4f());
  for (var i = 0u; i < DEEP; i++) {
    for (var c = 0u; c < SHARE; c++) {
      let e = part + 8u * c;
      if (e < WIDTH && n + slot + 8u * i < params.N) {
        out[((n + slot + 8u * i) * params.H + h) * WIDTH + e] = sum[i][c] * inverse[i];
      }
    }
  }
}
