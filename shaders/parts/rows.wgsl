// What one invocation adds up of up to 8 rows x 4 outputs: its share of the inputs, 16 bytes of weights at a time, or
// one weight. Written out, because an indexed tile is kept in memory, and not every compiler unrolls.
const ROWS: u32 = 1;         // rows of a tile, at least N, so that the weights are read once
const LATE = WEIGHT_FORMAT >= I8 && ROWS < 4; // scales multiply sums; for more rows it is cheaper to multiply weights
const LOADS = GROUP / PARTS; // of a group

struct Row {
  at: u32,      // its first chunk of x
  norm: vec2f,  // layernorm: what to subtract from x, and what to multiply it by
  sum: vec4f,   // for four outputs
  squares: f32, // rmsnorm: of x
  load: vec4f,  // sums over a load, before their scales
  inputs: f32,  // the sum of x over a load
}
var<private> r0: Row; var<private> r1: Row; var<private> r2: Row; var<private> r3: Row;
var<private> r4: Row; var<private> r5: Row; var<private> r6: Row; var<private> r7: Row;

fn place(n: u32) { // rows past the end repeat the last one and are not stored
  let width = params.I / CHUNK;
  let left = params.N - 1 - n;
  r0.at = n * width; r1.at = (n + min(1u, left)) * width;
  r2.at = (n + min(2u, left)) * width; r3.at = (n + min(3u, left)) * width;
  r4.at = (n + min(4u, left)) * width; r5.at = (n + min(5u, left)) * width;
  r6.at = (n + min(6u, left)) * width; r7.at = (n + min(7u, left)) * width;
}

fn begun(row: Row) -> Row { return Row(row.at, row.norm, vec4f(), 0, vec4f(), 0); }

fn added(row: Row, i: u32, j: u32, p: Block) -> Row { // with the products of chunk i + j
  var r = row;
  var v = x[r.at + i + j];
  if (NORM == 1) { v = (v - r.norm.x) * r.norm.y; }
  if (NORM == 2) { r.squares += inner(v, v); } // by which the sums are scaled in the end
  if (HAS_GAMMA == 1) { v *= gamma[i + j]; }
  if (HAS_BETA == 1) { v += beta[i + j]; }
  if (!LATE) { r.sum = plus_dots(r.sum, v, p); return r; }
  r.load = plus_dots(r.load, v, p);
  if (OFFSET > 0) { r.inputs += total(v); }
  return r;
}

fn scaled(row: Row, s: vec4f) -> Row { // with the sums over a load
  var r = row;
  if (OFFSET > 0) { r.load -= OFFSET * r.inputs; }
  r.sum += s * r.load;
  r.load = vec4f();
  r.inputs = 0;
  return r;
}

fn add(i: u32, j: u32, parts: Block, s: vec4f) {
  var p = parts;
  if (WEIGHT_FORMAT >= I8 && !LATE) { p = scaled_parts(p, s); }
  if (ROWS > 0) { r0 = added(r0, i, j, p); }
  if (ROWS > 1) { r1 = added(r1, i, j, p); }
  if (ROWS > 2) { r2 = added(r2, i, j, p); }
  if (ROWS > 3) { r3 = added(r3, i, j, p); }
  if (ROWS > 4) { r4 = added(r4, i, j, p); }
  if (ROWS > 5) { r5 = added(r5, i, j, p); }
  if (ROWS > 6) { r6 = added(r6, i, j, p); }
  if (ROWS > 7) { r7 = added(r7, i, j, p); }
}

fn share(o: u32, first: u32, step: u32) { // of the loads `first`, `first + step`, ... for the outputs from o on
  let loads = params.I / CHUNK / PARTS;
  let pitch = stride() / PARTS;
  let last = outputs() - 1;
  let w0 = min(o, last) * pitch; let w1 = min(o + 1, last) * pitch;
  let w2 = min(o + 2, last) * pitch; let w3 = min(o + 3, last) * pitch;
  r0 = begun(r0); r1 = begun(r1); r2 = begun(r2); r3 = begun(r3);
  r4 = begun(r4); r5 = begun(r5); r6 = begun(r6); r7 = begun(r7);
  for (var c = first; c < loads; c += step) {
    let c0 = fetch(w0 + c); let c1 = fetch(w1 + c); let c2 = fetch(w2 + c); let c3 = fetch(w3 + c);
    let s = vec4f(group_scale((w0 + c) / LOADS), group_scale((w1 + c) / LOADS), group_scale((w2 + c) / LOADS),
      group_scale((w3 + c) / LOADS));
    let i = c * PARTS;
    if (PARTS > 0) { add(i, 0, Block(part(c0, 0), part(c1, 0), part(c2, 0), part(c3, 0)), s); }
    if (PARTS > 1) { add(i, 1, Block(part(c0, 1), part(c1, 1), part(c2, 1), part(c3, 1)), s); }
    if (PARTS > 2) { add(i, 2, Block(part(c0, 2), part(c1, 2), part(c2, 2), part(c3, 2)), s); }
    if (PARTS > 3) { add(i, 3, Block(part(c0, 3), part(c1, 3), part(c2, 3), part(c3, 3)), s); }
    if (PARTS > 4) { add(i, 4, Block(part(c0, 4), part(c1, 4), part(c2, 4), part(c3, 4)), s); }
    if (PARTS > 5) { add(i, 5, Block(part(c0, 5), part(c1, 5), part(c2, 5), part(c3, 5)), s); }
    if (PARTS > 6) { add(i, 6, Block(part(c0, 6), part(c1, 6), part(c2, 6), part(c3, 6)), s); }
    if (PARTS > 7) { add(i, 7, Block(part(c0, 7), part(c1, 7), part(c2, 7), part(c3, 7)), s); }
    if (LATE && ROWS > 0) { r0 = scaled(r0, s); }
    if (LATE && ROWS > 1) { r1 = scaled(r1, s); }
  }
}
