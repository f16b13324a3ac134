// matmul: a linear layer for few rows, through workgroup memory: for GPUs.
// Parts    matmul, activation, formats, scale, input, chunk4|chunk1, load16|load1
// Launch   LANES invocations compute ROWS rows x 4 outputs, each a share of the sum, 16 bytes of weights at a time, or
//          one weight where rows have no whole loads; SETS such sets a workgroup, ceil(N/ROWS) * ceil(J*O/(4*SETS))
//          workgroups
// Numerics each invocation sums its share in the order of i, then a tree of partial sums: a row's bits depend on LANES,
//          not on N; norm in two passes, in every workgroup
// Source   mul_mat_vec of ggml-webgpu, llama.cpp 2026: neighbours read neighbouring weights, rows stay in registers;
//          unrolled by hand, because an indexed tile is kept in memory
const ROWS: u32 = 1;          // rows of a tile, at least N, so that the weights are read once
const LANES: u32 = 64;        // invocations that share the sums of four outputs, a power of two
const SETS: u32 = 1;          // of LANES invocations, a power of two
const SIZE = LANES * SETS;

var<workgroup> sums: array<vec4f, ROWS * SIZE>;
var<workgroup> norms: array<vec2f, 8>; // what to subtract from a row of x, and what to multiply it by

fn fold(index: u32, span: u32, rows: u32) { // adds up every `span` neighbouring sums
  for (var step = span / 2; step > 0; step /= 2) {
    workgroupBarrier();
    if (index % span < step) {
      for (var k = index; k < rows * SIZE; k += SIZE) { sums[k] += sums[k + step]; }
    }
  }
  workgroupBarrier();
}

fn moments(n: u32, index: u32) { // SIZE / ROWS invocations a row
  let span = SIZE / ROWS;
  let first = index / span * span;
  let width = params.I / CHUNK;
  let row = min(n + index / span, params.N - 1) * width;
  var mean = 0.0;
  if (NORM == 1) {
    var sum = Chunk();
    for (var i = index - first; i < width; i += span) { sum += x[row + i]; }
    sums[index] = vec4f(total(sum));
    fold(index, span, 1);
    mean = sums[first].x / f32(params.I);
    workgroupBarrier();
  }
  var square = Chunk();
  for (var i = index - first; i < width; i += span) { square += (x[row + i] - mean) * (x[row + i] - mean); }
  sums[index] = vec4f(total(square));
  fold(index, span, 1);
  let variance = sums[first].x / f32(params.I);
  if (index == first) { norms[index / span] = vec2f(mean, inverseSqrt(variance + params.eps)); }
  workgroupBarrier();
}

@compute @workgroup_size(SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) index: u32) {
  if (HAS_STATUS == 1 && status[0] == 0) { return; }
  let tiles = (params.N + ROWS - 1) / ROWS;
  let tile = group.y * grid.x + group.x;
  let n = (tile % tiles) * ROWS;
  if (NORM > 0) { moments(n, index); }
  let m0 = norms[0]; let m1 = norms[1]; let m2 = norms[2]; let m3 = norms[3];
  let m4 = norms[4]; let m5 = norms[5]; let m6 = norms[6]; let m7 = norms[7];
  let o = (tile / tiles * SETS + index / LANES) * 4;
  let lane = index % LANES;
  let width = params.I / CHUNK;
  let loads = width / PARTS;
  let last = outputs() - 1;
  let rows_left = params.N - 1 - n; // rows and outputs past the end repeat the last ones and are not stored
  let x0 = (n + min(0u, rows_left)) * width; let x1 = (n + min(1u, rows_left)) * width;
  let x2 = (n + min(2u, rows_left)) * width; let x3 = (n + min(3u, rows_left)) * width;
  let x4 = (n + min(4u, rows_left)) * width; let x5 = (n + min(5u, rows_left)) * width;
  let x6 = (n + min(6u, rows_left)) * width; let x7 = (n + min(7u, rows_left)) * width;
  let step = stride() / PARTS;
  let w0 = min(o, last) * step; let w1 = min(o + 1, last) * step;
  let w2 = min(o + 2, last) * step; let w3 = min(o + 3, last) * step;
  var a0 = vec4f(); var a1 = vec4f(); var a2 = vec4f(); var a3 = vec4f(); var a4 = vec4f(); var a5 = vec4f();
  var a6 = vec4f(); var a7 = vec4f();
  for (var c = lane; c < loads; c += LANES) {
    let c0 = fetch(w0 + c); let c1 = fetch(w1 + c); let c2 = fetch(w2 + c); let c3 = fetch(w3 + c);
    let s = vec4f(scale((w0 + c) * PARTS), scale((w1 + c) * PARTS), scale((w2 + c) * PARTS), scale((w3 + c) * PARTS));
    for (var j = 0u; j < PARTS; j++) {
      let i = c * PARTS + j;
      let p = Block(part(c0, j), part(c1, j), part(c2, j), part(c3, j));
      if (ROWS > 0) { a0 += s * dots(input(x0, i, m0), p); }
      if (ROWS > 1) { a1 += s * dots(input(x1, i, m1), p); }
      if (ROWS > 2) { a2 += s * dots(input(x2, i, m2), p); }
      if (ROWS > 3) { a3 += s * dots(input(x3, i, m3), p); }
      if (ROWS > 4) { a4 += s * dots(input(x4, i, m4), p); }
      if (ROWS > 5) { a5 += s * dots(input(x5, i, m5), p); }
      if (ROWS > 6) { a6 += s * dots(input(x6, i, m6), p); }
      if (ROWS > 7) { a7 += s * dots(input(x7, i, m7), p); }
    }
  }
  if (ROWS > 0) { sums[index] = a0; }
  if (ROWS > 1) { sums[SIZE + index] = a1; }
  if (ROWS > 2) { sums[2 * SIZE + index] = a2; }
  if (ROWS > 3) { sums[3 * SIZE + index] = a3; }
  if (ROWS > 4) { sums[4 * SIZE + index] = a4; }
  if (ROWS > 5) { sums[5 * SIZE + index] = a5; }
  if (ROWS > 6) { sums[6 * SIZE + index] = a6; }
  if (ROWS > 7) { sums[7 * SIZE + index] = a7; }
  fold(index, LANES, min(ROWS, params.N - n));
  if (index >= SETS * ROWS) { return; }
  let k = index / SETS; // the first invocation of a set has its sums
  let member = index % SETS;
  let output = (tile / tiles * SETS + member) * 4;
  if (n + k < params.N && output <= last) { store(n + k, output, sums[k * SIZE + member * LANES]); }
}
