// conv1d: a convolution with three taps over the rows of packed sequences, as in the front end of Whisper.
//   z[n,o] = bias[o] + sum_{i,k} x[first + STRIDE*position + k - 1, i] * weight[o,i,k];    y = activation(z)
//   y[n,o] += positions[position,o];   rows before and after a sequence count as zeros (padding 1)
// Parts    activation, formats, load4|load1, chunk4|chunk1, taps4|taps1
// Shapes   rows: u32[N,4] (token id, position, sentence, parent) of the outputs
//          spans: u32[B,2] (first row, count) in x   x: f32[S,I]   weight: f32|f16|bf16[O,I,3], as checkpoints store it
//          bias: f32[O]   positions: f32[P,O]   y: f32[N,O]
// Launch   one invocation computes ROWS rows x 4 outputs; 8 invocations a workgroup (one vector of a CPU
//          adapter), ceil(N/ROWS) * ceil(O/32) workgroups
// Numerics dot products of chunks of inputs, tap by tap, in the order of i: a row's bits do not depend on N
// Source   Radford et al. 2022, arXiv:2212.04356, section 2.2; WhisperEncoder of Transformers
struct Params { N: u32, I: u32, O: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<vec4u>;
@group(0) @binding(2) var<storage, read> spans: array<vec2u>;
@group(0) @binding(3) var<storage, read> x: array<Chunk>;
@group(0) @binding(4) var<storage, read> weight: array<Words>;
@group(0) @binding(5) var<storage, read> bias: array<f32>;
@group(0) @binding(6) var<storage, read> positions: array<f32>;
@group(0) @binding(7) var<storage, read_write> y: array<f32>;

const WEIGHT_FORMAT: u32 = 0; // a code of formats, f32, f16 or bf16
const STRIDE: u32 = 1;
const ROWS: u32 = 4;          // rows of a tile, 1 to 4
const HAS_BIAS: u32 = 0;
const HAS_POSITIONS: u32 = 0;

// Where the taps of a row begin in x, and which of them are in its sequence.
fn place(n: u32) -> array<vec3u, 2> {
  let row = rows[min(n, params.N - 1)];          // rows past the end repeat the last one and are not stored
  let span = spans[row.z];
  let at = STRIDE * row.y + vec3u(0, 1, 2);      // one more than the place of a tap in the sequence
  let inside = select(vec3u(), vec3u(1), (at > vec3u()) & (at <= vec3u(span.y)));
  return array<vec3u, 2>((span.x + select(vec3u(1), at, inside == vec3u(1)) - 1) * (params.I / CHUNK), inside);
}

fn taps(row: array<vec3u, 2>, i: u32, w: array<Block, 3>) -> vec4f {
  let at = row[0] + i;
  let inside = row[1] == vec3u(1);
  return dots(select(Chunk(), x[at.x], inside.x), w[0]) + dots(select(Chunk(), x[at.y], inside.y), w[1])
    + dots(select(Chunk(), x[at.z], inside.z), w[2]);
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let tiles = (params.N + ROWS - 1) / ROWS;
  let tile = group.y * grid.x + group.x;
  let n = (tile % tiles) * ROWS;
  let o = (tile / tiles * 8 + lane) * 4;
  if (o >= params.O) { return; }
  let left = min(params.O - 1 - o, 3u);          // outputs past the end repeat the last one and are not stored
  let width = 3 * (params.I / CHUNK);
  let o0 = o * width; let o1 = (o + min(1u, left)) * width;
  let o2 = (o + min(2u, left)) * width; let o3 = (o + left) * width;
  let p0 = place(n + 0); let p1 = place(n + 1); let p2 = place(n + 2); let p3 = place(n + 3);
  var a0 = vec4f(); var a1 = vec4f(); var a2 = vec4f(); var a3 = vec4f();
  for (var i = 0u; i < params.I / CHUNK; i++) {
    let at = vec4u(o0, o1, o2, o3) + 3 * i;
    let a = Block(load(at.x), load(at.y), load(at.z), load(at.w));
    let b = Block(load(at.x + 1), load(at.y + 1), load(at.z + 1), load(at.w + 1));
    let c = Block(load(at.x + 2), load(at.y + 2), load(at.z + 2), load(at.w + 2));
    let w = by_tap(a, b, c);
    if (ROWS > 0) { a0 += taps(p0, i, w); }
    if (ROWS > 1) { a1 += taps(p1, i, w); }
    if (ROWS > 2) { a2 += taps(p2, i, w); }
    if (ROWS > 3) { a3 += taps(p3, i, w); }
  }
  var acc = array<vec4f, 4>(a0, a1, a2, a3);
  for (var j = 0u; j < min(ROWS, params.N - n); j++) {
    var z = acc[j];
    if (HAS_BIAS == 1) { z += vec4f(bias[o], bias[o + min(1u, left)], bias[o + min(2u, left)], bias[o + left]); }
    z = activate(z);
    for (var k = 0u; k <= left; k++) {
      if (HAS_POSITIONS == 1) { z[k] += positions[rows[n + j].y * params.O + o + k]; }
      y[(n + j) * params.O + o + k] = z[k];
    }
  }
}
