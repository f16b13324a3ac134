// What one invocation adds up of up to 8 rows x 4 outputs: its share of the inputs, 16 bytes of weights at a time, or
// one weight. Written out, because an indexed tile is kept in memory, and not every compiler for GPUs unrolls.
const ROWS: u32 = 1;         // rows of a tile; more tiles read the weights again
const UNROLL: u32 = 0;
const LATE = WEIGHT_FORMAT >= I8 && ROWS < 4; // scales multiply sums: for more rows, weights are fewer
const LAST = NORM == 2 && HAS_BETA == 0; // sums are scaled in the end; what is shifted is normalised before

struct Row {
  at: u32,      // its first chunk of x
  norm: vec2f,  // what to subtract from x, and what to multiply it by
  sum: vec4f,   // for four outputs
  squares: f32, // rmsnorm: of x
  load: vec4f,  // sums over a load, before their scales
  upper: vec4f, // sums over the parts of a load where one is 16
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

fn set_norm(k: u32, norm: vec2f) {
  switch (k) {
    case 0: { r0.norm = norm; }
    case 1: { r1.norm = norm; }
    case 2: { r2.norm = norm; }
    case 3: { r3.norm = norm; }
    case 4: { r4.norm = norm; }
    case 5: { r5.norm = norm; }
    case 6: { r6.norm = norm; }
    default: { r7.norm = norm; }
  }
}

fn begun(row: Row) -> Row { return Row(row.at, row.norm, vec4f(), 0, vec4f(), vec4f(), 0); }

fn added(row: Row, i: u32, j: u32, p: Block) -> Row { // with the products of chunk i + j
  var r = row;
  var v = x[r.at + i + j];
  if (LAST) { r.squares += inner(v, v); }
  if (NORM > 0 && !LAST) { v = (v - r.norm.x) * r.norm.y; }
  if (HAS_GAMMA == 1) { v *= gamma[i + j]; }
  if (HAS_BETA == 1) { v += beta[i + j]; }
  if (!LATE) { r.sum = plus_dots(r.sum, v, p); return r; }
  if (unit(j) > 1) { r.upper = plus_dots(r.upper, v, p); } else { r.load = plus_dots(r.load, v, p); }
  if (OFFSET > 0) { r.inputs += total(v); }
  return r;
}

fn scaled(row: Row, s: vec4f) -> Row { // with the sums over a load
  var r = row;
  if (OFFSET > 0) { r.load += r.upper / 16 - OFFSET * r.inputs; }
  r.sum += s * r.load;
  r.load = vec4f();
  r.upper = vec4f();
  r.inputs = 0;
  return r;
}

struct Four { c0: Load, c1: Load, c2: Load, c3: Load, scales: vec4f, i: u32 } // loads of four outputs, from chunk i on

fn add(l: Four, j: u32) { // the j-th chunks of four loads
  var p = Block(units(l.c0, j), units(l.c1, j), units(l.c2, j), units(l.c3, j));
  if (!LATE) { p = Block(part(l.c0, j), part(l.c1, j), part(l.c2, j), part(l.c3, j)); }
  if (!LATE && WEIGHT_FORMAT >= I8) { p = scaled_parts(p, l.scales); }
  if (ROWS > 0) { r0 = added(r0, l.i, j, p); }
  if (ROWS > 1) { r1 = added(r1, l.i, j, p); }
  if (ROWS > 2) { r2 = added(r2, l.i, j, p); }
  if (ROWS > 3) { r3 = added(r3, l.i, j, p); }
  if (ROWS > 4) { r4 = added(r4, l.i, j, p); }
  if (ROWS > 5) { r5 = added(r5, l.i, j, p); }
  if (ROWS > 6) { r6 = added(r6, l.i, j, p); }
  if (ROWS > 7) { r7 = added(r7, l.i, j, p); }
}

fn add_all(l: Four) {
  if (UNROLL == 0) {
    for (var j = 0u; j < PARTS; j++) { add(l, j); }
    return;
  }
  add(l, 0);
  if (PARTS > 1) { add(l, 1); }
  if (PARTS > 2) { add(l, 2); add(l, 3); }
  if (PARTS > 4) { add(l, 4); add(l, 5); add(l, 6); add(l, 7); }
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
    let s = scales(o, c * PARTS);
    add_all(Four(fetch(w0 + c), fetch(w1 + c), fetch(w2 + c), fetch(w3 + c), s, c * PARTS));
    if (LATE && ROWS > 0) { r0 = scaled(r0, s); }
    if (LATE && ROWS > 1) { r1 = scaled(r1, s); }
  }
}
