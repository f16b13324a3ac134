// matmul: a linear layer for many rows (a prompt, a batch).
// Parts    matmul, activation, formats, scale, chunk4|chunk1, load4|load1
// Launch   one invocation computes ROWS rows x 8 outputs; 8 invocations a workgroup (one vector of a CPU adapter),
//          ceil(N/ROWS) * ceil(J*O/64) workgroups
// Numerics dot products of chunks, summed in the order of i, the same as for few rows: a row's bits do not depend on N
// Source   register tile without workgroup memory: CPU adapters load lane by lane, so loads per fma decide the speed;
//          unrolled by hand, because an indexed tile is kept in memory
const ROWS: u32 = 12;         // rows of a tile, 1 to 12

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  if (HAS_STATUS == 1 && status[0] == status[1]) { return; }
  let tiles = (params.N + ROWS - 1) / ROWS;
  let tile = group.y * grid.x + group.x;
  let n = (tile % tiles) * ROWS;
  let o = (tile / tiles * 8 + lane) * 8;
  if (o >= outputs()) { return; }
  let width = params.I / CHUNK;
  // rows and outputs past the end repeat the last ones and are not stored
  let rows_left = params.N - 1 - n;
  let outputs_left = outputs() - 1 - o;
  let x0 = (n + min(0u, rows_left)) * width; let x1 = (n + min(1u, rows_left)) * width;
  let x2 = (n + min(2u, rows_left)) * width; let x3 = (n + min(3u, rows_left)) * width;
  let x4 = (n + min(4u, rows_left)) * width; let x5 = (n + min(5u, rows_left)) * width;
  let x6 = (n + min(6u, rows_left)) * width; let x7 = (n + min(7u, rows_left)) * width;
  let x8 = (n + min(8u, rows_left)) * width; let x9 = (n + min(9u, rows_left)) * width;
  let x10 = (n + min(10u, rows_left)) * width; let x11 = (n + min(11u, rows_left)) * width;
  let w0 = (o + min(0u, outputs_left)) * stride(); let w1 = (o + min(1u, outputs_left)) * stride();
  let w2 = (o + min(2u, outputs_left)) * stride(); let w3 = (o + min(3u, outputs_left)) * stride();
  let w4 = (o + min(4u, outputs_left)) * stride(); let w5 = (o + min(5u, outputs_left)) * stride();
  let w6 = (o + min(6u, outputs_left)) * stride(); let w7 = (o + min(7u, outputs_left)) * stride();
  var a0 = vec4f(); var a1 = vec4f(); var a2 = vec4f(); var a3 = vec4f(); var a4 = vec4f(); var a5 = vec4f();
  var a6 = vec4f(); var a7 = vec4f(); var a8 = vec4f(); var a9 = vec4f(); var a10 = vec4f(); var a11 = vec4f();
  var b0 = vec4f(); var b1 = vec4f(); var b2 = vec4f(); var b3 = vec4f(); var b4 = vec4f(); var b5 = vec4f();
  var b6 = vec4f(); var b7 = vec4f(); var b8 = vec4f(); var b9 = vec4f(); var b10 = vec4f(); var b11 = vec4f();
  for (var first = 0u; first < width; first += run()) {
    let s = scales(o, first);
    let t = scales(o + 4, first);
    let last = end(first);
    for (var i = first; i < last; i++) {
      let p = Block(s.x * load(w0 + i), s.y * load(w1 + i), s.z * load(w2 + i), s.w * load(w3 + i));
      let q = Block(t.x * load(w4 + i), t.y * load(w5 + i), t.z * load(w6 + i), t.w * load(w7 + i));
      if (ROWS > 0) { let v = x[x0 + i]; a0 += dots(v, p); b0 += dots(v, q); }
      if (ROWS > 1) { let v = x[x1 + i]; a1 += dots(v, p); b1 += dots(v, q); }
      if (ROWS > 2) { let v = x[x2 + i]; a2 += dots(v, p); b2 += dots(v, q); }
      if (ROWS > 3) { let v = x[x3 + i]; a3 += dots(v, p); b3 += dots(v, q); }
      if (ROWS > 4) { let v = x[x4 + i]; a4 += dots(v, p); b4 += dots(v, q); }
      if (ROWS > 5) { let v = x[x5 + i]; a5 += dots(v, p); b5 += dots(v, q); }
      if (ROWS > 6) { let v = x[x6 + i]; a6 += dots(v, p); b6 += dots(v, q); }
      if (ROWS > 7) { let v = x[x7 + i]; a7 += dots(v, p); b7 += dots(v, q); }
      if (ROWS > 8) { let v = x[x8 + i]; a8 += dots(v, p); b8 += dots(v, q); }
      if (ROWS > 9) { let v = x[x9 + i]; a9 += dots(v, p); b9 += dots(v, q); }
      if (ROWS > 10) { let v = x[x10 + i]; a10 += dots(v, p); b10 += dots(v, q); }
      if (ROWS > 11) { let v = x[x11 + i]; a11 += dots(v, p); b11 += dots(v, q); }
    }
  }
  var acc_a = array<vec4f, 12>(a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11);
  var acc_b = array<vec4f, 12>(b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, b10, b11);
  for (var k = 0u; k < min(ROWS, params.N - n); k++) {
    store(n + k, o, acc_a[k]);
    if (o + 4 < outputs()) { store(n + k, o + 4, acc_b[k]); }
  }
}
