// The scale of the group of 32 weights that holds the four at i; the scales follow all weights.
fn scale(i: u32) -> f32 {
  if (WEIGHT_FORMAT < I8) { return 1; }
  let words = params.O * (1 + GATED) * (params.I / 4); // of i8 weights
  let at = select(words, words / 2, WEIGHT_FORMAT == I4) + i / 8;
  return bitcast<f32>(weight[at / 2][at % 2]);
}
