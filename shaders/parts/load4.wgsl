// Four consecutive weights of one output from `weight`, bound as vectors of 2 words; i8 and i4 before their scale.
fn load4(i: u32) -> vec4f {
  if (WEIGHT_FORMAT == F16) { return halves(weight[i]); }
  if (WEIGHT_FORMAT == I8) { return bytes(weight[i / 2][i % 2]); }
  if (WEIGHT_FORMAT == I4) { return nibbles(weight[i / 4][i / 2 % 2] >> (i % 2 * 16)); }
  return vec4f(bitcast<vec2f>(weight[2 * i]), bitcast<vec2f>(weight[2 * i + 1]));
}
