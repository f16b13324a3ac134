// unfold: the frames under the taps of a convolution side by side (im2col), for its product with the weights
//   columns[n, i*TAPS + k] = x[first + at, i],   at = STRIDE*position + k - PAD
//   frames before and after a sequence count as zeros
// Shapes   rows: u32[N,4] (token id, position, sentence, parent) of the outputs
//          spans: u32[B,2] (first row, count) in x   x: f32[S,I]   columns: f32[N,I*TAPS], as weights [O,I,TAPS] lie
// Launch   one workgroup a row
// Numerics copies, bit by bit
// Source   Chellapilla et al. 2006, High Performance Convolutional Neural Networks, section 2.1; torch.nn.Unfold
struct Params { N: u32, I: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<vec4u>;
@group(0) @binding(2) var<storage, read> spans: array<vec2u>;
@group(0) @binding(3) var<storage, read> x: array<u32>;
@group(0) @binding(4) var<storage, read_write> columns: array<u32>;

const TAPS: u32 = 3;
const STRIDE: u32 = 1;
const PAD: u32 = 0;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let n = group.y * grid.x + group.x;
  if (n >= params.N) { return; }
  let row = rows[n];
  let span = spans[row.z];
  let width = params.I * TAPS;
  let begin = i32(STRIDE * row.y) - i32(PAD);
  let last = i32(span.y) - 1;
  for (var j = lane; j < width; j += 64u) {
    let i = j / TAPS;
    let at = begin + i32(j - i * TAPS);
    let inside = at >= 0 && at <= last;
    columns[n * width + j] = select(0u, x[(span.x + u32(clamp(at, 0, last))) * params.I + i], inside);
  }
}
