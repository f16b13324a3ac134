// layernorm_residual: through workgroup memory, for GPUs.
// Parts    layernorm_residual, row_sum, chunk4|chunk1
// Launch   LANES invocations stride over a row, ROWS rows a workgroup; each keeps its chunks of the row, at most
//          CHUNKS, in registers (loops to this constant are unrolled)
// Numerics two passes: the one-pass E[s^2] - E[s]^2 cancels in f32; a tree of sums
// Source   Ba et al. 2016, arXiv:1607.06450, eq. 3; Zhang and Sennrich 2019, arXiv:1910.07467, eq. 4

const LANES: u32 = 64;        // a power of two
const ROWS: u32 = 1;          // rows of a workgroup
const CHUNKS: u32 = 4;        // at least D / CHUNK / LANES

@compute @workgroup_size(LANES * ROWS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) local: u32) {
  if (HAS_STATUS == 1 && status[0] == status[1]) { return; }
  let n = (group.y * grid.x + group.x) * ROWS + local / LANES;
  let lane = local % LANES;
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
  if (CENTRED == 1) { mean = row_sum(total(sum), local) / f32(params.D); }
  sum = Chunk();
  for (var i = 0u; i < CHUNKS; i++) {
    let centred = s[i] - mean;
    sum += select(Chunk(), centred * centred, lane + i * LANES < width);
  }
  let variance = row_sum(total(sum), local) / f32(params.D);
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
