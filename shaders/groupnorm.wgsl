// groupnorm: normalise all rows of a sentence together, with the mean and the variance of all their numbers.
//   y[n,d] = (x[n,d] - mean) * rsqrt(var + eps) * gamma[d] + beta[d]       (one group; biased variance)
// Parts    chunk4|chunk1
// Shapes   spans: u32[B,2] (first row, number of rows)   x, y: f32[N,D]   gamma, beta: f32[D]
// Launch   a workgroup a sentence, whose LANES invocations stride over its numbers
// Numerics two passes: the one-pass E[x^2] - E[x]^2 cancels in f32; each lane sums its numbers in order, then a tree
// Source   Wu and He 2018, arXiv:1803.08494, eq. 7, with G = 1
struct Params { B: u32, D: u32, eps: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> spans: array<vec2u>;
@group(0) @binding(2) var<storage, read> x: array<Chunk>;
@group(0) @binding(3) var<storage, read> gamma: array<Chunk>;
@group(0) @binding(4) var<storage, read> beta: array<Chunk>;
@group(0) @binding(5) var<storage, read_write> y: array<Chunk>;

const LANES: u32 = 256;       // a power of two

var<workgroup> partial: array<f32, LANES>;

// Sum of the values of all lanes.
fn lane_sum(value: f32, lane: u32) -> f32 {
  workgroupBarrier();                            // until all have read the previous sum
  partial[lane] = value;
  for (var stride = LANES / 2; stride > 0; stride /= 2) {
    workgroupBarrier();
    if (lane < stride) { partial[lane] += partial[lane + stride]; }
  }
  workgroupBarrier();
  return partial[0];
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let b = group.y * grid.x + group.x;
  if (b >= params.B) { return; }
  let width = params.D / CHUNK;
  let first = spans[b].x * width;
  let end = first + spans[b].y * width;
  let size = f32(spans[b].y) * f32(params.D);
  var sum = Chunk();
  for (var i = first + lane; i < end; i += LANES) { sum += x[i]; }
  let mean = lane_sum(total(sum), lane) / size;
  sum = Chunk();
  for (var i = first + lane; i < end; i += LANES) {
    let centred = x[i] - mean;
    sum += centred * centred;
  }
  let rstd = inverseSqrt(lane_sum(total(sum), lane) / size + params.eps);
  for (var i = first + lane; i < end; i += LANES) {
    let d = (i - first) % width;
    y[i] = (x[i] - mean) * rstd * gamma[d] + beta[d];
  }
}
