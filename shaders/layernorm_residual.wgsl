// layernorm_residual: directly, for any adapter.
// Parts    layernorm_residual, chunk4|chunk1
// Launch   one invocation takes ROWS rows, which share the loads of gamma and beta; 8 invocations a workgroup, one
//          vector of a CPU adapter
// Numerics mean and variance in one pass over the row: those of each four chunks are merged by Chan's formula (stable,
//          unlike E[s^2] - E[s]^2); the bits of a row do not depend on N
// Source   Ba et al. 2016, arXiv:1607.06450, eq. 3; Chan, Golub and LeVeque 1983, eq. 2.1; Zhang and Sennrich 2019,
//          arXiv:1910.07467, eq. 4; rows unrolled by hand, because indexed statistics are kept in memory

const ROWS: u32 = 1;          // 1 to 4
const FOLDS = HAS_BIAS + HAS_RESIDUAL > 0; // sums wait in out: a CPU adapter loads one vector sooner than three

// The first look at a chunk, and every later one.
fn fold(row: u32, d: u32) -> Chunk {
  let s = stream(row, d);
  if (FOLDS) { out[row + d] = s; }
  return s;
}

fn folded(row: u32, d: u32) -> Chunk {
  if (FOLDS) { return out[row + d]; }
  return x[row + d];
}

// 1 / root mean square of a row.
fn scale(row: u32) -> f32 {
  var squares = Chunk();
  for (var d = 0u; d < params.D / CHUNK; d++) {
    let s = fold(row, d);
    squares += s * s;
  }
  return inverseSqrt((total(squares)) / f32(params.D) + params.eps);
}

// Mean and 1 / deviation of a row: of each component of its chunks alone, merged at the end.
fn statistics(row: u32) -> vec2f {
  if (CENTRED == 0) { return vec2f(0, scale(row)); }
  let width = params.D / CHUNK;
  let whole = width - width % 4;
  var mean = Chunk();
  var m2 = Chunk();                              // sum of squared deviations
  for (var d = 0u; d < whole; d += 4) {
    let a = fold(row, d); let b = fold(row, d + 1);
    let c = fold(row, d + 2); let e = fold(row, d + 3);
    let m = 0.25 * ((a + b) + (c + e));
    let delta = m - mean;
    let share = 4 / f32(d + 4);
    mean += delta * share;
    m2 += ((a - m) * (a - m) + (b - m) * (b - m)) + ((c - m) * (c - m) + (e - m) * (e - m))
      + delta * delta * (share * f32(d));
  }
  for (var d = whole; d < width; d++) {
    let delta = fold(row, d) - mean;
    mean += delta / f32(d + 1);
    m2 += delta * delta * (f32(d) / f32(d + 1));
  }
  let all = total(mean) / f32(CHUNK);
  m2 += (mean - all) * (mean - all) * f32(width);
  return vec2f(all, inverseSqrt(total(m2) / f32(params.D) + params.eps));
}

fn put(row: u32, d: u32, stats: vec2f, g: Chunk, b: Chunk) {
  out[row + d] = (folded(row, d) - stats.x) * stats.y * g + b;
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  if (HAS_STATUS == 1 && status[0] == status[1]) { return; }
  let n = ((group.y * grid.x + group.x) * 8 + lane) * ROWS;
  if (n >= params.N) { return; }
  let width = params.D / CHUNK;
  let r0 = n * width; let r1 = r0 + width; let r2 = r1 + width; let r3 = r2 + width;
  let left = params.N - n;
  var s: array<vec2f, 4>;
  for (var j = 0u; j < min(ROWS, left); j++) { s[j] = statistics((n + j) * width); } // not unrolled
  let s0 = s[0]; let s1 = s[1]; let s2 = s[2]; let s3 = s[3];
  for (var d = 0u; d < width; d++) {
    let g = gamma[d];
    let b = shift(d);
    if (ROWS > 0) { put(r0, d, s0, g, b); }
    if (ROWS > 1 && left > 1) { put(r1, d, s1, g, b); }
    if (ROWS > 2 && left > 2) { put(r2, d, s2, g, b); }
    if (ROWS > 3 && left > 3) { put(r3, d, s3, g, b); }
  }
}
