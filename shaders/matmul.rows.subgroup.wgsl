// matmul: a linear layer for few rows, for GPUs that can add across a subgroup.
// Parts    matmul, activation, formats, scale, input, chunk4|chunk1, load16|load1
// Launch   64 invocations compute ROWS rows x SETS sets of four outputs; subgroup g takes the sets g, g + count, ...
//          and shares their sums, 16 bytes of weights at a time, or one weight where rows have no whole loads;
//          ceil(N/ROWS) * ceil(J*O/(4*SETS)) workgroups
// Numerics each invocation sums its share in the order of i, then subgroupAdd: a row's bits depend on the device, not
//          on N; norm in two passes, in every subgroup
// Source   mul_mat_vec of ggml-webgpu, llama.cpp 2026; subgroups of any size, counted and not assumed; unrolled by
//          hand, because an indexed tile is kept in memory
enable subgroups;

const ROWS: u32 = 1;          // rows of a tile, at least N, so that the weights are read once
const SETS: u32 = 2;          // of four outputs, a workgroup

var<workgroup> subgroups: atomic<u32>;

fn moments(row: u32, lane: u32, lanes: u32) -> vec2f { // what to subtract from a row of x, and what to multiply it by
  let width = params.I / CHUNK;
  var mean = 0.0;
  if (NORM == 1) {
    var sum = Chunk();
    for (var i = lane; i < width; i += lanes) { sum += x[row + i]; }
    mean = subgroupAdd(total(sum)) / f32(params.I);
  }
  var square = Chunk();
  for (var i = lane; i < width; i += lanes) { square += (x[row + i] - mean) * (x[row + i] - mean); }
  return vec2f(mean, inverseSqrt(subgroupAdd(total(square)) / f32(params.I) + params.eps));
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u) {
  if (HAS_STATUS == 1 && status[0] == 0) { return; }
  let lane = subgroupExclusiveAdd(1u);
  let lanes = subgroupAdd(1u);
  var id = 0u;
  if (lane == 0) { id = atomicAdd(&subgroups, 1u); }
  id = subgroupBroadcastFirst(id);
  let count = workgroupUniformLoad(&subgroups);
  let tiles = (params.N + ROWS - 1) / ROWS;
  let tile = group.y * grid.x + group.x;
  let n = (tile % tiles) * ROWS;
  let width = params.I / CHUNK;
  let loads = width / PARTS;
  let step = stride() / PARTS;
  let last = outputs() - 1;
  let rows_left = params.N - 1 - n; // rows and outputs past the end repeat the last ones and are not stored
  let x0 = (n + min(0u, rows_left)) * width; let x1 = (n + min(1u, rows_left)) * width;
  let x2 = (n + min(2u, rows_left)) * width; let x3 = (n + min(3u, rows_left)) * width;
  let x4 = (n + min(4u, rows_left)) * width; let x5 = (n + min(5u, rows_left)) * width;
  let x6 = (n + min(6u, rows_left)) * width; let x7 = (n + min(7u, rows_left)) * width;
  let rows = min(ROWS, params.N - n);
  var norms = array<vec2f, 8>();
  if (NORM > 0) { for (var k = 0u; k < rows; k++) { norms[k] = moments((n + k) * width, lane, lanes); } }
  let m0 = norms[0]; let m1 = norms[1]; let m2 = norms[2]; let m3 = norms[3];
  let m4 = norms[4]; let m5 = norms[5]; let m6 = norms[6]; let m7 = norms[7];
  for (var first = 0u; first < SETS; first += count) {
    let member = first + id;
    let o = (tile / tiles * SETS + member) * 4;
    let w0 = min(o, last) * step; let w1 = min(o + 1, last) * step;
    let w2 = min(o + 2, last) * step; let w3 = min(o + 3, last) * step;
    var a0 = vec4f(); var a1 = vec4f(); var a2 = vec4f(); var a3 = vec4f(); var a4 = vec4f(); var a5 = vec4f();
    var a6 = vec4f(); var a7 = vec4f();
    for (var c = lane; member < SETS && c < loads; c += lanes) {
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
    var acc = array<vec4f, 8>(a0, a1, a2, a3, a4, a5, a6, a7);
    for (var k = 0u; k < rows; k++) {
      let sum = subgroupAdd(acc[k]);
      if (lane == 0 && member < SETS && o <= last) { store(n + k, o, sum); }
    }
  }
}
