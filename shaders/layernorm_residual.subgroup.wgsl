// layernorm_residual: for GPUs that can add across a subgroup.
// Parts    layernorm_residual, chunk4|chunk1
// Launch   a workgroup of LANES invocations strides over a row; subgroups of any size; each invocation keeps its
//          chunks of the row, at most CHUNKS, in registers (loops to this constant are unrolled)
// Numerics two passes: the one-pass E[s^2] - E[s]^2 cancels in f32; sums in the order of the subgroup
// Source   Ba et al. 2016, arXiv:1607.06450, eq. 3; Zhang and Sennrich 2019, arXiv:1910.07467, eq. 4
enable subgroups;

const LANES: u32 = 64;        // invocations of a row
const CHUNKS: u32 = 4;        // at least D / CHUNK / LANES

var<workgroup> partial: array<f32, LANES>;

// Sum of the values of the workgroup. Each subgroup writes its sum to the place of one of its invocations and zeros to
// the others, and then adds up all places. This works for subgroups of any size, with any invocations.
fn row_sum(value: f32, local: u32, subgroup_lane: u32, subgroup_size: u32) -> f32 {
  let total = subgroupAdd(value);
  workgroupBarrier();                            // until all have read the previous sum
  partial[local] = select(0.0, total, subgroup_lane == 0);
  workgroupBarrier();
  var places = 0.0;
  for (var i = subgroup_lane; i < LANES; i += subgroup_size) { places += partial[i]; }
  return subgroupAdd(places);
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) local: u32,
        @builtin(subgroup_invocation_id) subgroup_lane: u32, @builtin(subgroup_size) subgroup_size: u32) {
  if (HAS_STATUS == 1 && status[0] == status[1]) { return; }
  let n = group.y * grid.x + group.x;
  let lane = local;
  let width = params.D / CHUNK;
  let row = n * width;                           // rows past the end are not stored
  var s: array<Chunk, CHUNKS>;
  var sum = Chunk();
  for (var i = 0u; i < CHUNKS; i++) {            // without branches, so that all loads are in flight at once
    let d = lane + i * LANES;
    s[i] = select(Chunk(), stream(row, min(d, width - 1)), d < width);
    sum += s[i];
  }
  var mean = 0.0;
  if (CENTRED == 1) {
    mean = row_sum(total(sum), local, subgroup_lane, subgroup_size) / f32(params.D);
  }
  sum = Chunk();
  for (var i = 0u; i < CHUNKS; i++) {
    let centred = s[i] - mean;
    sum += select(Chunk(), centred * centred, lane + i * LANES < width);
  }
  let variance = row_sum(total(sum), local, subgroup_lane, subgroup_size) / f32(params.D);
  let rstd = inverseSqrt(variance + params.eps);
  for (var i = 0u; i < CHUNKS; i++) {
    let d = min(lane + i * LANES, width - 1);
    s[i] = (s[i] - mean) * rstd * gamma[d] + shift(d);
  }
  for (var i = 0u; i < CHUNKS; i++) {
    let d = lane + i * LANES;
    if (n < params.N && d < width) { out[row + d] = s[i]; }
  }
}
