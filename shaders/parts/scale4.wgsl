// The scale of the group of 32 weights that holds the four at i; the scales follow all weights.
fn scale(i: u32) -> f32 {
  if (WEIGHT_FORMAT < I8) { return 1; }
  let words = params.O * (1 + GATED) * (params.I / 32) * (32u >> WEIGHT_FORMAT); // of all weights
  let at = words + i / 8;
  return bitcast<f32>(weight[at / 2][at % 2]);
}
