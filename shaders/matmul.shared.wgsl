// matmul: a linear layer for many rows, through workgroup memory: for GPUs.
// Parts    matmul, activation, formats, scale, fours, chunk4|chunk1, load16|load1
// Launch   DOWN x ACROSS invocations compute a tile, each FOURS x FOURS blocks of 4 rows x 4 outputs; 16 inputs are
//          staged at a time; SPLIT such slices a workgroup, each with a share of the inputs, where tiles are few
// Numerics f32, in the order of i within a slice, then slice by slice: the bits of a row depend on SPLIT
// Source   Volkov and Demmel 2008, doi:10.1145/1413370.1413402: outer products in registers of staged inputs
const DOWN: u32 = 8;          // invocations along the rows of a tile; powers of two
const ACROSS: u32 = 8;        // and along its outputs
const FOURS: u32 = 1;         // 1 or 2
const SPLIT: u32 = 1;         // slices of the sum; 1 when FOURS is 2
const LANES = DOWN * ACROSS;
const HEIGHT = DOWN * FOURS;  // fours of rows in a tile
const WIDTH = ACROSS * FOURS; // fours of outputs
const STAGE = 16 * (HEIGHT + WIDTH);

var<workgroup> staged: array<vec4f, SPLIT * STAGE>; // of each slice: 16 inputs of all rows, then of all outputs

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

// The place of four rows or outputs at inputs 4*k, rotated by k so that neighbours write to different banks.
fn place(k: u32, four: u32, fours: u32) -> u32 { return 4 * k * fours + (four ^ ((2 * k) & (fours - 1))); }

fn outer(a: u32, b: u32) -> mat4x4f {
  let v = staged[a];
  let w = staged[b];
  return mat4x4f(v.x * w, v.y * w, v.z * w, v.w * w);
}

fn add(sum: mat4x4f, a: u32, b: u32) -> mat4x4f { // four inputs
  return sum + outer(a, b) + outer(a + HEIGHT, b + WIDTH) + outer(a + 2 * HEIGHT, b + 2 * WIDTH)
    + outer(a + 3 * HEIGHT, b + 3 * WIDTH);
}

fn finish(n: u32, o: u32, block: mat4x4f) {
  var rows = array<vec4f, 4>(block[0], block[1], block[2], block[3]);
  if (o >= outputs()) { return; }
  for (var k = 0u; k < 4 && n + k < params.N; k++) { store(n + k, o, rows[k]); }
}

@compute @workgroup_size(LANES * SPLIT)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) index: u32) {
  if (HAS_STATUS == 1 && status[0] == 0) { return; }
  let tiles = (params.N + 4 * HEIGHT - 1) / (4 * HEIGHT);
  let tile = group.y * grid.x + group.x;
  let n0 = tile % tiles * HEIGHT * 4;
  let o0 = tile / tiles * WIDTH * 4;
  let width = (params.I + 3) / 4;
  let slice = index / LANES;
  let lane = index % LANES;
  let row = lane / ACROSS;
  let column = lane % ACROSS;
  let at_x = slice * STAGE;
  let at_w = at_x + 16 * HEIGHT;
  var p = mat4x4f(); var q = mat4x4f(); var r = mat4x4f(); var s = mat4x4f();
  for (var first = 0u; first < width; first += 4 * SPLIT) {
    workgroupBarrier();
    for (var b = lane; b < 4 * (HEIGHT + WIDTH); b += LANES) { // transposed, four by four
      let k = b % 4;
      let i = first + slice * 4 + k;
      var four = b / 4;
      var block = mat4x4f();
      var at = at_x + place(k, four, HEIGHT);
      var stride = HEIGHT;
      if (four >= HEIGHT) {
        four -= HEIGHT;
        if (i < width) { block = transpose(weights4(o0 + 4 * four, i)); }
        at = at_w + place(k, four, WIDTH);
        stride = WIDTH;
      } else if (i < width) { block = transpose(rows4(n0 + 4 * four, i)); }
      staged[at] = block[0]; staged[at + stride] = block[1];
      staged[at + 2 * stride] = block[2]; staged[at + 3 * stride] = block[3];
    }
    workgroupBarrier();
    let fours = min(4u, width - min(width, first + slice * 4)); // no constant bound: unrolling takes seconds
    for (var k = 0u; k < fours; k++) {
      let a = at_x + place(k, row, HEIGHT);
      let b = at_w + place(k, column, WIDTH);
      p = add(p, a, b);
      if (FOURS == 2) {
        let c = at_x + place(k, row + DOWN, HEIGHT);
        let d = at_w + place(k, column + ACROSS, WIDTH);
        q = add(q, a, d); r = add(r, c, b); s = add(s, c, d);
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
  let at = index * 4;
  staged[at] = p[0]; staged[at + 1] = p[1]; staged[at + 2] = p[2]; staged[at + 3] = p[3];
  workgroupBarrier();
  for (var k = slice; k < 4; k += SPLIT) { // the slices share the four rows
    var sum = vec4f();
    for (var t = 0u; t < SPLIT; t++) { sum += staged[(t * LANES + lane) * 4 + k]; }
    if (n + k < params.N && o < outputs()) { store(n + k, o, sum); }
  }
}
