// Four consecutive weights of one output from `weight`; i8 and i4 before their scale.
alias Words = vec2u; // as `weight` is bound

fn load(i: u32) -> vec4f {
  if (WEIGHT_FORMAT == F16 || WEIGHT_FORMAT == BF16) { return halves(weight[i]); }
  if (WEIGHT_FORMAT == I8) { return bytes(weight[i / 2][i % 2]); }
  if (WEIGHT_FORMAT == I4) { return nibbles(weight[i / 4][i / 2 % 2] >> (i % 2 * 4)); }
  return vec4f(bitcast<vec2f>(weight[2 * i]), bitcast<vec2f>(weight[2 * i + 1]));
}

fn word(four: u32, j: u32) -> u32 { // the j-th word from a four of words on
  return weight[2 * four + j / 2][j % 2];
}
