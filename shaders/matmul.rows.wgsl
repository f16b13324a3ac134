// matmul: a linear layer for few rows (a step), which can normalise its input.
// Parts    matmul, activation, formats, scale, chunk4|chunk1, load4|load1
// Launch   one invocation computes ROWS rows x 4 outputs; 8 invocations a workgroup (one vector of a CPU adapter),
//          ceil(N/ROWS) * ceil(J*O/32) workgroups, so that O = 256 feeds every core
// Numerics dot products of chunks, summed in the order of i, as for many rows: a row's bits do not depend on N;
//          norm in two passes
// Source   register tile without workgroup memory: CPU adapters load lane by lane, so loads per fma decide the speed;
//          unrolled by hand, because an indexed tile is kept in memory
const ROWS: u32 = 1;          // rows of a tile, at least N, so that the weights are read once

fn moments(row: u32) -> vec2f { // what to subtract from a row of x, and what to multiply it by
  let width = params.I / CHUNK;
  var sum = Chunk();
  if (NORM == 1) { for (var i = 0u; i < width; i++) { sum += x[row + i]; } }
  let mean = total(sum) / f32(params.I);
  sum = Chunk();
  for (var i = 0u; i < width; i++) { sum += (x[row + i] - mean) * (x[row + i] - mean); }
  return vec2f(mean, inverseSqrt(total(sum) / f32(params.I) + params.eps));
}

// A chunk of a row of x, normalised for the product; m is what `moments` gives for the row.
fn input(row: u32, i: u32, m: vec2f) -> Chunk {
  var v = x[row + i];
  if (NORM > 0) { v = (v - m.x) * m.y; }
  if (HAS_GAMMA == 1) { v *= gamma[i]; }
  if (HAS_BETA == 1) { v += beta[i]; }
  return v;
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  if (HAS_STATUS == 1 && status[0] == status[1]) { return; }
  let tiles = (params.N + ROWS - 1) / ROWS;
  let tile = group.y * grid.x + group.x;
  let n = (tile % tiles) * ROWS;
  let o = (tile / tiles * 8 + lane) * 4;
  if (o >= outputs()) { return; }
  let width = params.I / CHUNK;
  // rows and outputs past the end repeat the last ones and are not stored
  let rows_left = params.N - 1 - n;
  let outputs_left = outputs() - 1 - o;
  let x0 = (n + min(0u, rows_left)) * width; let x1 = (n + min(1u, rows_left)) * width;
  let x2 = (n + min(2u, rows_left)) * width; let x3 = (n + min(3u, rows_left)) * width;
  let x4 = (n + min(4u, rows_left)) * width; let x5 = (n + min(5u, rows_left)) * width;
  let x6 = (n + min(6u, rows_left)) * width; let x7 = (n + min(7u, rows_left)) * width;
  let w0 = (o + min(0u, outputs_left)) * stride(); let w1 = (o + min(1u, outputs_left)) * stride();
  let w2 = (o + min(2u, outputs_left)) * stride(); let w3 = (o + min(3u, outputs_left)) * stride();
  var norms = array<vec2f, 8>();
  if (NORM > 0) { for (var k = 0u; k < min(ROWS, params.N - n); k++) { norms[k] = moments((n + k) * width); } }
  let m0 = norms[0]; let m1 = norms[1]; let m2 = norms[2]; let m3 = norms[3];
  let m4 = norms[4]; let m5 = norms[5]; let m6 = norms[6]; let m7 = norms[7];
  var a0 = vec4f(); var a1 = vec4f(); var a2 = vec4f(); var a3 = vec4f(); var a4 = vec4f(); var a5 = vec4f();
  var a6 = vec4f(); var a7 = vec4f();
  for (var first = 0u; first < width; first += run()) {
    let s = scales(o, first);
    let last = end(first);
    for (var i = first; i < last; i++) {
      let p = Block(s.x * load(w0 + i), s.y * load(w1 + i), s.z * load(w2 + i), s.w * load(w3 + i));
      if (ROWS > 0) { a0 += dots(input(x0, i, m0), p); }
      if (ROWS > 1) { a1 += dots(input(x1, i, m1), p); }
      if (ROWS > 2) { a2 += dots(input(x2, i, m2), p); }
      if (ROWS > 3) { a3 += dots(input(x3, i, m3), p); }
      if (ROWS > 4) { a4 += dots(input(x4, i, m4), p); }
      if (ROWS > 5) { a5 += dots(input(x5, i, m5), p); }
      if (ROWS > 6) { a6 += dots(input(x6, i, m6), p); }
      if (ROWS > 7) { a7 += dots(input(x7, i, m7), p); }
    }
  }
  var acc_a = array<vec4f, 8>(a0, a1, a2, a3, a4, a5, a6, a7);
  for (var k = 0u; k < min(ROWS, params.N - n); k++) {
    store(n + k, o, acc_a[k]);
  }
}
