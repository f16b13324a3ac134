// embed: the row of each token, scaled, plus the row of its position.
//   out[n,:] = tokens[id,:] * scale + positions[position + shift,:]        (id, position) = rows[n].xy
// Shapes   rows: u32[N,4] (token id, position, sentence, parent)   tokens: f32|f16[V,D]
//          positions: f32[P,D]   out: f32[N,D]
// Launch   one invocation for 4 elements of a row; D a multiple of 4
// Numerics f32
// Source   Vaswani et al. 2017, arXiv:1706.03762, sections 3.4 and 3.5
struct Params { N: u32, D: u32, shift: u32, scale: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<vec4u>;
@group(0) @binding(2) var<storage, read> tokens: array<vec2u>;
@group(0) @binding(3) var<storage, read> positions: array<vec4f>;
@group(0) @binding(4) var<storage, read> status: array<u32>;
@group(0) @binding(5) var<storage, read_write> out: array<vec4f>;

const TOKENS_FORMAT: u32 = 0; // 0 f32, 1 f16
const HAS_POSITIONS: u32 = 0;
const HAS_STATUS: u32 = 0;

fn token4(at: u32) -> vec4f {
  if (TOKENS_FORMAT == 1u) {
    let packed = tokens[at];
    return vec4f(unpack2x16float(packed.x), unpack2x16float(packed.y));
  }
  return bitcast<vec4f>(vec4u(tokens[2u * at], tokens[2u * at + 1u]));
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  if (HAS_STATUS == 1u && status[0] == 0u) { return; }
  let index = (group.y * grid.x + group.x) * 64u + lane;
  let width = params.D / 4u;
  let n = index / width;
  if (n >= params.N) { return; }
  let d = index - n * width;
  var value = token4(rows[n].x * width + d) * params.scale;
  if (HAS_POSITIONS == 1u) { value += positions[(rows[n].y + params.shift) * width + d]; }
  out[index] = value;
}
