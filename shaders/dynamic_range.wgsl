// dynamic_range: logarithms limited to `range` below the peak of a recording, and scaled
//   out[t,c] = (max(x[t,c], peak - range) + 4) / 4;   rows of out past those of x are silence: x = silence there
// Shapes   x: f32[N,C]   peak: f32[1,1]   out: f32[T,C], T >= N
// Launch   one invocation a number of out
// Numerics exact but for the roundings of the formula; NaN passes
// Source   Radford et al. 2022, arXiv:2212.04356, section 2.2; WhisperFeatureExtractor of Transformers
struct Params { N: u32, T: u32, C: u32, range: f32, silence: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> peak: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let index = (group.y * grid.x + group.x) * 64u + lane;
  if (index >= params.T * params.C) { return; }
  let heard = index < params.N * params.C;
  let value = select(params.silence, x[select(0u, index, heard)], heard);
  let least = peak[0] - params.range;
  out[index] = (select(value, least, value < least) + 4.0) * 0.25;
}
