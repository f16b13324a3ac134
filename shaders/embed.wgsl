// embed: directly, for any adapter.
// Parts    embed, formats, scale, chunk4|chunk1, load4|load1
// Launch   SLICES invocations a row: without norm each makes a chunk, with norm each computes the row's mean and
//          variance and writes its share of the row
// Numerics f32; two passes for the variance
// Source   Vaswani et al. 2017, arXiv:1706.03762, sections 3.4 and 3.5; Devlin et al. 2019, arXiv:1810.04805, figure 2

const SLICES: u32 = 1;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  if (HAS_STATUS == 1u && status[0] == status[1]) { return; }
  let index = (group.y * grid.x + group.x) * 64u + lane;
  let n = index / SLICES;
  if (n >= params.N) { return; }
  let row = rows[n];
  let width = params.D / CHUNK;
  if (is_elsewhere(row)) { return; }
  let known = is_known(row);
  var mean = 0.0;
  var rstd = 1.0;
  if (HAS_GAMMA == 1u && known) {
    var sum = Chunk();
    for (var d = 0u; d < width; d++) { sum += embedding(row, d); }
    mean = total(sum) / f32(params.D);
    sum = Chunk();
    for (var d = 0u; d < width; d++) {
      let centred = embedding(row, d) - mean;
      sum += centred * centred;
    }
    rstd = inverseSqrt(total(sum) / f32(params.D) + params.eps);
  }
  for (var d = index - n * SLICES; d < width; d += SLICES) {
    var value = unknown();
    if (known) { value = embedding(row, d); }
    out[n * width + d] = normed(value, d, mean, rstd);
  }
}
