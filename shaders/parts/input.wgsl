// A chunk of a row of x, normalised for the product; m has what `moments` gives for the row.
fn input(row: u32, i: u32, m: vec2f) -> Chunk {
  var v = x[row + i];
  if (NORM > 0) { v = (v - m.x) * m.y; }
  if (HAS_GAMMA == 1) { v *= gamma[i]; }
  if (HAS_BETA == 1) { v += beta[i]; }
  return v;
}
