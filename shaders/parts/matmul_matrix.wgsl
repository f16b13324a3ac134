// A linear layer for many rows, through the matrix units of a GPU: the shader says what they multiply.
// Launch   DOWN x ACROSS subgroups compute a tile, each BLOCK rows x BLOCK outputs; STAGE inputs are staged at a time
// Numerics f32, in the order of i; with HALF products of the f16 terms that parts/matrix_terms.wgsl makes of numbers
const BLOCK: u32 = 32;        // rows, and outputs, of a subgroup
const DOWN: u32 = 2;          // subgroups along the rows of a tile
const ACROSS: u32 = 2;        // and along its outputs
const SUBGROUP_SIZE: u32 = 32;
const HEIGHT: u32 = 16;       // of a matrix: rows, outputs, inputs
const WIDTH: u32 = 16;
const DEPTH: u32 = 16;
const W_TERMS: u32 = 1;       // of a weight: 1 or 2
const X_TERMS = select(1u, 2u, HALF);
const STAGE = 16u;
const ROWS = DOWN * BLOCK;
const OUTPUTS = ACROSS * BLOCK;
const LANES = DOWN * ACROSS * SUBGROUP_SIZE;
const FOURS = STAGE / 4;      // invocations that stage a row
const TURN = LANES / FOURS;   // rows that are staged at once
const PAD = select(4u, 8u, HALF);
const X_PITCH = STAGE + PAD;  // from a row to the next, which so begins in another bank
const W_PITCH = STAGE + PAD * (2 - W_TERMS);

alias Left = subgroup_matrix_left<Element, DEPTH, HEIGHT>;
alias Right = subgroup_matrix_right<Element, WIDTH, DEPTH>;
alias Sum = subgroup_matrix_result<f32, WIDTH, HEIGHT>;

var<workgroup> rows: array<array<array<Element, HEIGHT * X_PITCH>, ROWS / HEIGHT>, X_TERMS>;
var<workgroup> weights: array<array<array<Element, WIDTH * W_PITCH>, OUTPUTS / WIDTH>, W_TERMS>;
var<workgroup> sums: array<array<f32, HEIGHT * WIDTH>, DOWN * ACROSS>;

// Rows and outputs past the end reread the last ones and are not stored.
fn rowAt(n: u32, i: u32) -> vec4f { return row4(min(n, params.N - 1), i); }

fn weightAt(o: u32, i: u32) -> vec4f { return weight4(min(o, outputs() - 1), i); }

fn stageRow(term: u32, at: u32, k: u32, v: vec4<Element>) {
  let to = at % HEIGHT * X_PITCH + 4 * k;
  rows[term][at / HEIGHT][to] = v.x; rows[term][at / HEIGHT][to + 1] = v.y;
  rows[term][at / HEIGHT][to + 2] = v.z; rows[term][at / HEIGHT][to + 3] = v.w;
}

fn stageOutput(term: u32, at: u32, k: u32, v: vec4<Element>) {
  let to = at % WIDTH * W_PITCH + 4 * k;
  weights[term][at / WIDTH][to] = v.x; weights[term][at / WIDTH][to + 1] = v.y;
  weights[term][at / WIDTH][to + 2] = v.z; weights[term][at / WIDTH][to + 3] = v.w;
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) index: u32,
        @builtin(subgroup_id) subgroup: u32, @builtin(subgroup_invocation_id) lane: u32) {
  if (HAS_STATUS == 1 && status[0] == status[1]) { return; }
  let tiles = (params.N + ROWS - 1) / ROWS;
  let tile = group.y * grid.x + group.x;
  let n0 = tile % tiles * ROWS;
  let o0 = tile / tiles * OUTPUTS;
  let k = index % FOURS;
  let mine = index / FOURS;
  var ofRow: array<Split, ROWS / TURN>;
  var ofOutput: array<Split, OUTPUTS / TURN>;
  if (HALF) {
    for (var at = mine; at < ROWS; at += TURN) { measureRow(at, n0 + at, k); }
    if (WEIGHT_FORMAT != F16) {
      for (var at = mine; at < OUTPUTS; at += TURN) { measureOutput(ROWS + at, o0 + at, k); }
    }
    workgroupBarrier();
  }
  for (var t = 0u; t < ROWS / TURN; t++) { ofRow[t] = splitOf(t * TURN + mine); }
  for (var t = 0u; t < OUTPUTS / TURN; t++) { ofOutput[t] = splitOf(ROWS + t * TURN + mine); }
  let down = subgroup % DOWN * (BLOCK / HEIGHT);
  let across = subgroup / DOWN * (BLOCK / WIDTH);
  var sum: array<array<Sum, BLOCK / WIDTH>, BLOCK / HEIGHT>;
  let last = (params.I - 1) / 4;
  for (var start = 0u; start <= last; start += FOURS) {
    let i = start + k; // no branch around the loads: all are in flight at once
    for (var t = 0u; t < ROWS / TURN; t++) {
      let at = t * TURN + mine;
      let v = select(vec4f(), rowAt(n0 + at, min(i, last)) * ofRow[t].factor, i <= last);
      let one = first(v, ofRow[t].mask);
      stageRow(0, at, k, vec4<Element>(one));
      if (X_TERMS == 2) { stageRow(1, at, k, vec4<Element>(v - one)); }
    }
    for (var t = 0u; t < OUTPUTS / TURN; t++) {
      let at = t * TURN + mine;
      let v = select(vec4f(), weightAt(o0 + at, min(i, last)) * ofOutput[t].factor, i <= last);
      let one = first(v, select(0xffffffff, ofOutput[t].mask, W_TERMS == 2));
      stageOutput(0, at, k, vec4<Element>(one));
      if (W_TERMS == 2) { stageOutput(1, at, k, vec4<Element>(v - one)); }
    }
    workgroupBarrier();
    for (var d = 0u; d < STAGE; d += DEPTH) {
      var left: array<array<Left, BLOCK / HEIGHT>, X_TERMS>;
      for (var s = 0u; s < X_TERMS; s++) {
        for (var a = 0u; a < BLOCK / HEIGHT; a++) {
          left[s][a] = subgroupMatrixLoad<Left, row_major>(&rows[s][down + a], d, X_PITCH);
        }
      }
      for (var b = 0u; b < BLOCK / WIDTH; b++) {
        for (var t = 0u; t < W_TERMS; t++) {
          let right = subgroupMatrixLoad<Right, col_major>(&weights[t][across + b], d, W_PITCH);
          for (var s = 0u; s < X_TERMS - t; s++) {
            for (var a = 0u; a < BLOCK / HEIGHT; a++) {
              sum[a][b] = subgroupMatrixMultiplyAccumulate(left[s][a], right, sum[a][b]);
            }
          }
        }
      }
    }
    workgroupBarrier();
  }
  for (var a = 0u; a < BLOCK / HEIGHT; a++) {
    for (var b = 0u; b < BLOCK / WIDTH; b++) {
      subgroupMatrixStore<row_major>(&sums[subgroup], 0, sum[a][b], WIDTH);
      workgroupBarrier();
      for (var q = lane; q < HEIGHT * WIDTH / 4; q += SUBGROUP_SIZE) {
        let n = (down + a) * HEIGHT + q / (WIDTH / 4);
        let o = (across + b) * WIDTH + 4 * q % WIDTH;
        let z = vec4f(sums[subgroup][4 * q], sums[subgroup][4 * q + 1],
                      sums[subgroup][4 * q + 2], sums[subgroup][4 * q + 3]);
        let e = vec4i(exponent(ROWS + o), exponent(ROWS + o + 1), exponent(ROWS + o + 2), exponent(ROWS + o + 3));
        if (n0 + n < params.N && o0 + o < outputs()) { store(n0 + n, o0 + o, ldexp(z, e + exponent(n))); }
      }
      workgroupBarrier();
    }
  }
}
