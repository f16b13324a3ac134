// matmul: a linear layer for few rows, for GPUs that can add across a subgroup.
// Parts    matmul, activation, formats, scale, rows, chunk4|chunk1, load16|load1
// Launch   64 invocations compute ROWS rows x SETS sets of four outputs; subgroup g takes the sets g, g + count, ...
//          and shares their sums, 16 bytes of weights at a time, or one weight where rows have no whole loads;
//          ceil(N/ROWS) * ceil(J*O/(4*SETS)) workgroups
// Numerics each invocation sums its share in the order of i, then subgroupAdd: a row's bits depend on the device, not
//          on N; norm in two passes, in every subgroup, or of the sums
// Source   mul_mat_vec of ggml-webgpu, llama.cpp 2026; subgroups of any size, counted and not assumed
enable subgroups;

const SETS: u32 = 2;          // of four outputs, a workgroup

var<workgroup> subgroups: atomic<u32>;
var<workgroup> ids: array<u32, 64>; // of subgroups, by their first invocations

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

fn whole(r: Row) -> vec4f { // the sums of a row, from the shares of the subgroup
  let sum = subgroupAdd(r.sum);
  if (LAST) { return sum * inverseSqrt(subgroupAdd(r.squares) / f32(params.I) + params.eps); }
  return sum;
}

fn sum_of(k: u32) -> vec4f {
  var sum = r0.sum;
  if (ROWS > 1) { sum = select(sum, r1.sum, k == 1); }
  if (ROWS > 2) { sum = select(sum, r2.sum, k == 2); }
  if (ROWS > 3) { sum = select(sum, r3.sum, k == 3); }
  if (ROWS > 4) { sum = select(sum, r4.sum, k == 4); }
  if (ROWS > 5) { sum = select(sum, r5.sum, k == 5); }
  if (ROWS > 6) { sum = select(sum, r6.sum, k == 6); }
  if (ROWS > 7) { sum = select(sum, r7.sum, k == 7); }
  return sum;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) index: u32) {
  if (HAS_STATUS == 1 && status[0] == status[1]) { return; }
  let lane = subgroupExclusiveAdd(1u);
  let lanes = subgroupAdd(1u);
  let first = subgroupBroadcastFirst(index);
  if (lane == 0) { ids[first] = atomicAdd(&subgroups, 1u); }
  let count = workgroupUniformLoad(&subgroups);
  let id = ids[first];
  let tiles = (params.N + ROWS - 1) / ROWS;
  let tile = group.y * grid.x + group.x;
  let n = (tile % tiles) * ROWS;
  let rows = min(ROWS, params.N - n);
  place(n);
  if (NORM > 0 && !LAST) {
    for (var k = 0u; k < rows; k++) { set_norm(k, moments((n + k) * (params.I / CHUNK), lane, lanes)); }
  }
  for (var start = 0u; start < SETS; start += count) {
    let member = start + id;
    let o = (tile / tiles * SETS + member) * 4;
    let wanted = member < SETS && o < outputs();
    share(o, select(params.I, lane, wanted), lanes);
    if (ROWS > 0) { r0.sum = whole(r0); }
    if (ROWS > 1) { r1.sum = whole(r1); }
    if (ROWS > 2) { r2.sum = whole(r2); }
    if (ROWS > 3) { r3.sum = whole(r3); }
    if (ROWS > 4) { r4.sum = whole(r4); }
    if (ROWS > 5) { r5.sum = whole(r5); }
    if (ROWS > 6) { r6.sum = whole(r6); }
    if (ROWS > 7) { r7.sum = whole(r7); }
    for (var k = lane; wanted && k < rows; k += lanes) { store(n + k, o, sum_of(k)); }
  }
}
