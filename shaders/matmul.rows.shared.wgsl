// matmul: a linear layer for few rows, through workgroup memory: for GPUs.
// Parts    matmul, activation, formats, scale, rows, chunk4|chunk1, load16|load1
// Launch   LANES invocations compute ROWS rows x 4 outputs, each a share of the sum, 16 bytes of weights at a time, or
//          one weight where rows have no whole loads; SETS such sets a workgroup, ceil(N/ROWS) * ceil(J*O/(4*SETS))
//          workgroups
// Numerics each invocation sums its share in the order of i, then a tree of partial sums: a row's bits depend on LANES
//          and on ROWS; norm in two passes, in every workgroup, or of the sums
// Source   mul_mat_vec of ggml-webgpu, llama.cpp 2026: neighbours read neighbouring weights, rows stay in registers
const LANES: u32 = 64;        // invocations that share the sums of four outputs, a power of two
const SETS: u32 = 1;          // of LANES invocations, a power of two
const SIZE = LANES * SETS;

var<workgroup> sums: array<vec4f, ROWS * SIZE>;
var<workgroup> norms: array<vec2f, ROWS>; // what to subtract from a row of x, and what to multiply it by

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

fn lay(k: u32, index: u32, sum: vec4f) { sums[k * SIZE + index] = sum; }

fn root(index: u32, k: u32, first: u32) -> f32 { // what rmsnorm multiplies the sums of row k by
  lay(0, index, vec4f(r0.squares, r1.squares, r2.squares, r3.squares));
  if (ROWS > 4) { lay(1, index, vec4f(r4.squares, r5.squares, r6.squares, r7.squares)); }
  fold(index, LANES, (ROWS + 3) / 4);
  let squares = sums[k / 4 * SIZE + first][k % 4];
  workgroupBarrier();
  return inverseSqrt(squares / f32(params.I) + params.eps);
}

@compute @workgroup_size(SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) index: u32) {
  if (HAS_STATUS == 1 && status[0] == status[1]) { return; }
  let tiles = (params.N + ROWS - 1) / ROWS;
  let tile = group.y * grid.x + group.x;
  let n = (tile % tiles) * ROWS;
  place(n);
  if (NORM > 0 && !LAST) {
    moments(n, index);
    for (var k = 0u; k < ROWS; k++) { set_norm(k, norms[k]); }
  }
  share((tile / tiles * SETS + index / LANES) * 4, index % LANES, LANES);
  let k = min(index / SETS, ROWS - 1); // this invocation stores row k
  let member = index % SETS;           // of the outputs of this set
  var factor = 1.0;
  if (LAST) { factor = root(index, k, member * LANES); }
  if (ROWS > 0) { lay(0, index, r0.sum); }
  if (ROWS > 1) { lay(1, index, r1.sum); }
  if (ROWS > 2) { lay(2, index, r2.sum); }
  if (ROWS > 3) { lay(3, index, r3.sum); }
  if (ROWS > 4) { lay(4, index, r4.sum); }
  if (ROWS > 5) { lay(5, index, r5.sum); }
  if (ROWS > 6) { lay(6, index, r6.sum); }
  if (ROWS > 7) { lay(7, index, r7.sum); }
  fold(index, LANES, min(ROWS, params.N - n));
  let o = (tile / tiles * SETS + member) * 4;
  if (index >= SETS * ROWS || n + k >= params.N || o >= outputs()) { return; }
  store(n + k, o, factor * sums[k * SIZE + member * LANES]);
}
