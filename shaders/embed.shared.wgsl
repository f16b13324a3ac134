// embed: through workgroup memory, for GPUs.
// Parts    embed, row_sum, formats, scale, chunk4|chunk1, load4|load1
// Launch   LANES invocations stride over a row, ROWS rows a workgroup; each keeps its chunks of the row, at most
//          CHUNKS, in registers (loops to this constant are unrolled)
// Numerics f32; two passes for the variance; a tree of sums
// Source   Vaswani et al. 2017, arXiv:1706.03762, sections 3.4 and 3.5; Devlin et al. 2019, arXiv:1810.04805, figure 2

const LANES: u32 = 64;        // a power of two
const ROWS: u32 = 1;          // rows of a workgroup
const CHUNKS: u32 = 4;        // at least D / CHUNK / LANES

@compute @workgroup_size(LANES * ROWS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) local: u32) {
  if (HAS_STATUS == 1u && status[0] == status[1]) { return; }
  let n = (group.y * grid.x + group.x) * ROWS + local / LANES;
  let lane = local % LANES;
  let row = rows[min(n, params.N - 1u)];
  let known = is_known(row);
  let stored = n < params.N && !is_elsewhere(row);
  let width = params.D / CHUNK;
  var e: array<Chunk, CHUNKS>;
  var sum = Chunk();
  for (var i = 0u; i < CHUNKS; i++) {            // without branches, so that all loads are in flight at once
    let d = lane + i * LANES;
    e[i] = select(Chunk(), embedding(row, min(d, width - 1u)), d < width);
    sum += e[i];
  }
  let mean = row_sum(total(sum), local) / f32(params.D);
  sum = Chunk();
  for (var i = 0u; i < CHUNKS; i++) {
    let centred = e[i] - mean;
    sum += select(Chunk(), centred * centred, lane + i * LANES < width);
  }
  let rstd = inverseSqrt(row_sum(total(sum), local) / f32(params.D) + params.eps);
  for (var i = 0u; i < CHUNKS; i++) {
    e[i] = normed(select(unknown(), e[i], known), min(lane + i * LANES, width - 1u), mean, rstd);
  }
  for (var i = 0u; i < CHUNKS; i++) {
    let d = lane + i * LANES;
    if (stored && d < width) { out[n * width + d] = e[i]; }
  }
}
