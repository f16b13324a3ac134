// matmul: a linear layer for many rows, for CPU adapters with subgroups.
// Parts    matmul, activation, formats, scale, chunk4|chunk1, load4|load1
// Launch   a workgroup is one subgroup of LANES invocations, and computes ROWS rows x 4 * FOURS outputs a lane;
//          ceil(N/ROWS) * ceil(J*O/(4*FOURS*LANES)) workgroups
// Numerics dot products of chunks, summed in the order of i, the same as without subgroups: the bits of a row do not
//          depend on N
// Source   each lane loads other rows of x and broadcasts them, because CPU adapters load lane by lane even where all
//          addresses are equal; unrolled by hand, because an indexed tile is kept in memory
enable subgroups;

const LANES: u32 = 8;         // of a subgroup
const ROWS: u32 = 32;         // rows of a tile: up to 32 with 4 outputs a lane, 16 with 8
const FOURS: u32 = 1;         // outputs of a lane / 4
const BACK = 16 * (FOURS - 1); // sums from the 17th on are those of the first rows, for the second four outputs

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(subgroup_invocation_id) lane: u32) {
  if (HAS_STATUS == 1 && status[0] == status[1]) { return; }
  let tiles = (params.N + ROWS - 1) / ROWS;
  let tile = group.y * grid.x + group.x;
  let n = (tile % tiles) * ROWS;
  let own = (tile / tiles * LANES + lane) * 4 * FOURS;
  let o = min(own, outputs() - 1);
  let width = params.I / CHUNK;
  // rows and outputs past the end repeat the last ones and are not stored; all lanes go on, for the broadcasts
  let rows_left = params.N - 1 - n;
  let outputs_left = outputs() - 1 - o;
  let r0 = (n + min(0u * LANES + lane, rows_left)) * width; let r1 = (n + min(1u * LANES + lane, rows_left)) * width;
  let r2 = (n + min(2u * LANES + lane, rows_left)) * width; let r3 = (n + min(3u * LANES + lane, rows_left)) * width;
  let r4 = (n + min(4u * LANES + lane, rows_left)) * width; let r5 = (n + min(5u * LANES + lane, rows_left)) * width;
  let r6 = (n + min(6u * LANES + lane, rows_left)) * width; let r7 = (n + min(7u * LANES + lane, rows_left)) * width;
  let w0 = (o + min(0u, outputs_left)) * stride(); let w1 = (o + min(1u, outputs_left)) * stride();
  let w2 = (o + min(2u, outputs_left)) * stride(); let w3 = (o + min(3u, outputs_left)) * stride();
  let w4 = (o + min(4u, outputs_left)) * stride(); let w5 = (o + min(5u, outputs_left)) * stride();
  let w6 = (o + min(6u, outputs_left)) * stride(); let w7 = (o + min(7u, outputs_left)) * stride();
  var a0 = vec4f(); var a1 = vec4f(); var a2 = vec4f(); var a3 = vec4f(); var a4 = vec4f(); var a5 = vec4f();
  var a6 = vec4f(); var a7 = vec4f(); var a8 = vec4f(); var a9 = vec4f(); var a10 = vec4f(); var a11 = vec4f();
  var a12 = vec4f(); var a13 = vec4f(); var a14 = vec4f(); var a15 = vec4f(); var a16 = vec4f(); var a17 = vec4f();
  var a18 = vec4f(); var a19 = vec4f(); var a20 = vec4f(); var a21 = vec4f(); var a22 = vec4f(); var a23 = vec4f();
  var a24 = vec4f(); var a25 = vec4f(); var a26 = vec4f(); var a27 = vec4f(); var a28 = vec4f(); var a29 = vec4f();
  var a30 = vec4f(); var a31 = vec4f();
  for (var first = 0u; first < width; first += run()) {
    let s = scales(o, first);
    var t = s;
    if (FOURS == 2) { t = scales(o + 4, first); }
    let last = end(first);
    for (var i = first; i < last; i++) {
      let p = Block(s.x * load(w0 + i), s.y * load(w1 + i), s.z * load(w2 + i), s.w * load(w3 + i));
      var q = p;
      if (FOURS == 2) { q = Block(t.x * load(w4 + i), t.y * load(w5 + i), t.z * load(w6 + i), t.w * load(w7 + i)); }
      var v: array<Chunk, 8>;
      v[0] = x[r0 + i];
      if (ROWS > 1 * LANES) { v[1] = x[r1 + i]; }
      if (ROWS > 2 * LANES) { v[2] = x[r2 + i]; }
      if (ROWS > 3 * LANES) { v[3] = x[r3 + i]; }
      if (ROWS > 4 * LANES) { v[4] = x[r4 + i]; }
      if (ROWS > 5 * LANES) { v[5] = x[r5 + i]; }
      if (ROWS > 6 * LANES) { v[6] = x[r6 + i]; }
      if (ROWS > 7 * LANES) { v[7] = x[r7 + i]; }
      if (ROWS > 0) { a0 += dots(subgroupBroadcast(v[0 / LANES], 0 % LANES), p); }
      if (ROWS > 1) { a1 += dots(subgroupBroadcast(v[1 / LANES], 1 % LANES), p); }
      if (ROWS > 2) { a2 += dots(subgroupBroadcast(v[2 / LANES], 2 % LANES), p); }
      if (ROWS > 3) { a3 += dots(subgroupBroadcast(v[3 / LANES], 3 % LANES), p); }
      if (ROWS > 4) { a4 += dots(subgroupBroadcast(v[4 / LANES], 4 % LANES), p); }
      if (ROWS > 5) { a5 += dots(subgroupBroadcast(v[5 / LANES], 5 % LANES), p); }
      if (ROWS > 6) { a6 += dots(subgroupBroadcast(v[6 / LANES], 6 % LANES), p); }
      if (ROWS > 7) { a7 += dots(subgroupBroadcast(v[7 / LANES], 7 % LANES), p); }
      if (ROWS > 8) { a8 += dots(subgroupBroadcast(v[8 / LANES], 8 % LANES), p); }
      if (ROWS > 9) { a9 += dots(subgroupBroadcast(v[9 / LANES], 9 % LANES), p); }
      if (ROWS > 10) { a10 += dots(subgroupBroadcast(v[10 / LANES], 10 % LANES), p); }
      if (ROWS > 11) { a11 += dots(subgroupBroadcast(v[11 / LANES], 11 % LANES), p); }
      if (ROWS > 12) { a12 += dots(subgroupBroadcast(v[12 / LANES], 12 % LANES), p); }
      if (ROWS > 13) { a13 += dots(subgroupBroadcast(v[13 / LANES], 13 % LANES), p); }
      if (ROWS > 14) { a14 += dots(subgroupBroadcast(v[14 / LANES], 14 % LANES), p); }
      if (ROWS > 15) { a15 += dots(subgroupBroadcast(v[15 / LANES], 15 % LANES), p); }
      if (ROWS > 16 - BACK) { a16 += dots(subgroupBroadcast(v[(16 - BACK) / LANES], (16 - BACK) % LANES), q); }
      if (ROWS > 17 - BACK) { a17 += dots(subgroupBroadcast(v[(17 - BACK) / LANES], (17 - BACK) % LANES), q); }
      if (ROWS > 18 - BACK) { a18 += dots(subgroupBroadcast(v[(18 - BACK) / LANES], (18 - BACK) % LANES), q); }
      if (ROWS > 19 - BACK) { a19 += dots(subgroupBroadcast(v[(19 - BACK) / LANES], (19 - BACK) % LANES), q); }
      if (ROWS > 20 - BACK) { a20 += dots(subgroupBroadcast(v[(20 - BACK) / LANES], (20 - BACK) % LANES), q); }
      if (ROWS > 21 - BACK) { a21 += dots(subgroupBroadcast(v[(21 - BACK) / LANES], (21 - BACK) % LANES), q); }
      if (ROWS > 22 - BACK) { a22 += dots(subgroupBroadcast(v[(22 - BACK) / LANES], (22 - BACK) % LANES), q); }
      if (ROWS > 23 - BACK) { a23 += dots(subgroupBroadcast(v[(23 - BACK) / LANES], (23 - BACK) % LANES), q); }
      if (ROWS > 24 - BACK) { a24 += dots(subgroupBroadcast(v[(24 - BACK) / LANES], (24 - BACK) % LANES), q); }
      if (ROWS > 25 - BACK) { a25 += dots(subgroupBroadcast(v[(25 - BACK) / LANES], (25 - BACK) % LANES), q); }
      if (ROWS > 26 - BACK) { a26 += dots(subgroupBroadcast(v[(26 - BACK) / LANES], (26 - BACK) % LANES), q); }
      if (ROWS > 27 - BACK) { a27 += dots(subgroupBroadcast(v[(27 - BACK) / LANES], (27 - BACK) % LANES), q); }
      if (ROWS > 28 - BACK) { a28 += dots(subgroupBroadcast(v[(28 - BACK) / LANES], (28 - BACK) % LANES), q); }
      if (ROWS > 29 - BACK) { a29 += dots(subgroupBroadcast(v[(29 - BACK) / LANES], (29 - BACK) % LANES), q); }
      if (ROWS > 30 - BACK) { a30 += dots(subgroupBroadcast(v[(30 - BACK) / LANES], (30 - BACK) % LANES), q); }
      if (ROWS > 31 - BACK) { a31 += dots(subgroupBroadcast(v[(31 - BACK) / LANES], (31 - BACK) % LANES), q); }
    }
  }
  var acc = array<vec4f, 32>(
    a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15,
    a16, a17, a18, a19, a20, a21, a22, a23, a24, a25, a26, a27, a28, a29, a30, a31);
  for (var k = 0u; k < min(ROWS, params.N - n); k++) {
    if (own < outputs()) { store(n + k, own, acc[k]); }
    if (FOURS == 2 && own + 4 < outputs()) { store(n + k, own + 4, acc[16 + k % 16]); }
  }
}
