// matmul: a linear layer for many rows, through workgroup memory: for GPUs.
// Parts    matmul, activation, formats, scale, fours, chunk4|chunk1, load16|load4|load1
// Launch   DOWN x ACROSS invocations compute a tile, each FOURS x FOURS blocks of 4 rows x 4 outputs; 16 inputs are
//          staged at a time; SPLIT such slices a workgroup, each with a share of the inputs, where tiles are few
// Numerics f32, in the order of i within a slice, then slice by slice: the bits of a row depend on SPLIT
// Source   Volkov and Demmel 2008, doi:10.1145/1413370.1413402: outer products in registers of staged inputs
const DOWN: u32 = 8;          // invocations along the rows of a tile; powers of two
const ACROSS: u32 = 8;        // and along its outputs
const FOURS: u32 = 1;         // 1 or 2
const SPLIT: u32 = 1;         // slices of the sum; 1 when FOURS is 2
const HALVES: u32 = 0;        // 1: f16 weights are staged as they are stored, in whole fours; FOURS and SPLIT are 1
const UNROLL: u32 = 0;        // 1: all inputs of a stage, which are zeros past the end, so that compilers unroll them
const LANES = DOWN * ACROSS;
const HEIGHT = DOWN * FOURS;  // fours of rows in a tile
const WIDTH = ACROSS * FOURS; // fours of outputs
const PITCH = HEIGHT + WIDTH;
const BLOCKS = 4 * PITCH;     // of four rows or outputs x 4 inputs, to stage

alias Staged = array<vec4u, 4>; // bits of four inputs of four rows or outputs
struct Four { // inputs, of each all rows and outputs of a slice, then of the next one
  inputs: array<array<vec4u, SPLIT * PITCH>, 4>, // compilers check constant and hoisted places once, not at each load
  gap: array<vec4f, 2>, // neighbours stage a four each: so they write to different banks
}
var<workgroup> staged: array<Four, 4>;

fn rows4(n: u32, i: u32) -> mat4x4f { // rows and outputs past the end reread the last ones and are not stored
  let last = params.N - 1;
  return mat4x4f(row4(min(n, last), i), row4(min(n + 1, last), i),
                 row4(min(n + 2, last), i), row4(min(n + 3, last), i));
}

fn weights4(o: u32, i: u32) -> mat4x4f {
  let last = outputs() - 1;
  return mat4x4f(weight4(min(o, last), i), weight4(min(o + 1, last), i),
                 weight4(min(o + 2, last), i), weight4(min(o + 3, last), i));
}

fn bits(four: mat4x4f) -> Staged {
  return Staged(bitcast<vec4u>(four[0]), bitcast<vec4u>(four[1]), bitcast<vec4u>(four[2]), bitcast<vec4u>(four[3]));
}

fn halves4(o: u32, i: u32) -> Staged { // two inputs of an output are a word: the first two and the last two, with a gap
  let at = 2 * (min(vec4u(o, o + 1, o + 2, o + 3), vec4u(outputs() - 1)) * stride() + i);
  return Staged(vec4u(word(0, at.x), word(0, at.y), word(0, at.z), word(0, at.w)), vec4u(),
                vec4u(word(0, at.x + 1), word(0, at.y + 1), word(0, at.z + 1), word(0, at.w + 1)), vec4u());
}

fn stage(b: u32, slice: u32, first: u32, n0: u32, o0: u32) { // transposed, four by four; zeros past the end
  let k = b % 4;
  let four = b / 4;
  let i = first + slice * 4 + k;
  var block = Staged();
  if (i < (params.I + 3) / 4) {
    if (four < HEIGHT) { block = bits(transpose(rows4(n0 + 4 * four, i))); }
    else if (HALVES == 1) { block = halves4(o0 + 4 * (four - HEIGHT), i); }
    else { block = bits(transpose(weights4(o0 + 4 * (four - HEIGHT), i))); }
  }
  let at = slice * PITCH + four;
  staged[k].inputs[0][at] = block[0]; staged[k].inputs[1][at] = block[1];
  staged[k].inputs[2][at] = block[2]; staged[k].inputs[3][at] = block[3];
}

fn four(k: u32, j: u32, at: u32) -> vec4f { return bitcast<vec4f>(staged[k].inputs[j][at]); }

fn half(words: vec4u, j: u32) -> vec4f { // the j-th input of two
  return vec4f(unpack2x16float(words.x)[j], unpack2x16float(words.y)[j],
               unpack2x16float(words.z)[j], unpack2x16float(words.w)[j]);
}

fn outer(v: vec4f, w: vec4f) -> mat4x4f { return mat4x4f(v.x * w, v.y * w, v.z * w, v.w * w); }

fn finish(n: u32, o: u32, block: mat4x4f) {
  if (n >= params.N || o >= outputs()) { return; }
  let rows = select(min(4u, params.N - n), 4u, UNROLL == 1);
  for (var k = 0u; k < rows; k++) { if (n + k < params.N) { store(n + k, o, block[k]); } }
}

@compute @workgroup_size(LANES * SPLIT)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) index: u32) {
  if (HAS_STATUS == 1 && status[0] == status[1]) { return; }
  let tiles = (params.N + 4 * HEIGHT - 1) / (4 * HEIGHT);
  let tile = group.y * grid.x + group.x;
  let n0 = tile % tiles * HEIGHT * 4;
  let o0 = tile / tiles * WIDTH * 4;
  let width = (params.I + 3) / 4;
  let slice = index / LANES;
  let lane = index % LANES;
  let row = lane / ACROSS;
  let column = lane % ACROSS;
  let a = slice * PITCH + row; // places in `staged`
  let b = slice * PITCH + HEIGHT + column;
  var p = mat4x4f(); var q = mat4x4f(); var r = mat4x4f(); var s = mat4x4f();
  for (var first = 0u; first < width; first += 4 * SPLIT) {
    workgroupBarrier();
    for (var block = lane; block < BLOCKS; block += LANES) { stage(block, slice, first, n0, o0); }
    workgroupBarrier();
    let fours = select(min(4u, width - min(width, first + 4 * slice)), 4u, UNROLL == 1);
    let inputs = select(min(4u, params.I), 4u, UNROLL == 1);
    for (var k = 0u; k < fours; k++) {
      for (var j = 0u; j < inputs; j += 1 + HALVES) {
        let v = four(k, j, a);
        if (HALVES == 1) {
          let words = staged[k].inputs[j][b];
          p += outer(v, half(words, 0));
          p += outer(four(k, j + 1, a), half(words, 1));
          continue;
        }
        let w = four(k, j, b);
        p += outer(v, w);
        if (FOURS == 2) {
          let t = four(k, j, a + DOWN);
          let u = four(k, j, b + ACROSS);
          q += outer(v, u); r += outer(t, w); s += outer(t, u);
        }
      }
    }
  }
  let n = n0 + 4 * row;
  let o = o0 + 4 * column;
  if (SPLIT == 1) {
    finish(n, o, p);
    if (FOURS == 2) {
      finish(n, o + 4 * ACROSS, q); finish(n + 4 * DOWN, o, r); finish(n + 4 * DOWN, o + 4 * ACROSS, s);
    }
    return;
  }
  workgroupBarrier();
  for (var k = 0u; k < 4; k++) { staged[k].inputs[lane % 4][slice * PITCH + lane / 4] = bitcast<vec4u>(p[k]); }
  workgroupBarrier();
  for (var k = slice; k < 4; k += SPLIT) { // the slices share the four rows
    var sum = vec4f();
    for (var t = 0u; t < SPLIT; t++) { sum += bitcast<vec4f>(staged[k].inputs[lane % 4][t * PITCH + lane / 4]); }
    if (n + k < params.N && o < outputs()) { store(n + k, o, sum); }
  }
}
