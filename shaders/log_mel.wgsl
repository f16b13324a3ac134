// log_mel: from spectra to the logarithm of their power in mel bands
//   out[n,c] = log10(max(floor, sum_x filters[c,x] * (re[n,x]^2 + im[n,x]^2))),   over the bins x of band c
// Shapes   spectrum: f32[N,2*X] (re of all X bins, then im)   filters: f32[C,X]   bands: u32[C,2] (first bin, bins)
//          out: f32[N,C]
// Launch   one invocation a number of out
// Numerics f32 sums in the order of bins; the logarithm by log2. NaN passes
// Source   Radford et al. 2022, arXiv:2212.04356, section 2.2; WhisperFeatureExtractor of Transformers
struct Params { N: u32, C: u32, X: u32, floor: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> spectrum: array<f32>;
@group(0) @binding(2) var<storage, read> filters: array<f32>;
@group(0) @binding(3) var<storage, read> bands: array<vec2u>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

const LOG10_2: f32 = 0.30102999566;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let index = (group.y * grid.x + group.x) * 64u + lane;
  let n = index / params.C;
  if (n >= params.N) { return; }
  let c = index - n * params.C;
  let band = bands[c];
  let at = n * 2u * params.X;
  var power = 0.0;
  for (var x = band.x; x < band.x + band.y; x++) {
    let re = spectrum[at + x];
    let im = spectrum[at + params.X + x];
    power += filters[c * params.X + x] * (re * re + im * im);
  }
  let level = log2(select(power, params.floor, power < params.floor)) * LOG10_2;
  out[index] = select(level, power, (bitcast<u32>(power) & 0x7fffffffu) > 0x7f800000u); // log2 may drop NaN
}
