// Weights from `weight`, bound as vectors of 4 words: a load of 16 bytes has PARTS fours of weights of one output.
const PARTS = 1u << WEIGHT_FORMAT;

fn part(load: vec4u, j: u32) -> vec4f { // the j-th four weights of a load; i8 and i4 before their scale
  if (WEIGHT_FORMAT == F16) { return halves(vec2u(load[2 * j], load[2 * j + 1])); }
  if (WEIGHT_FORMAT == I8) { return bytes(load[j]); }
  if (WEIGHT_FORMAT == I4) { return nibbles(load[j / 2] >> (j % 2 * 16)); }
  return bitcast<vec4f>(load);
}

fn scale(load: u32) -> f32 { // of the group of 32 weights of a load; scales follow all weights
  if (WEIGHT_FORMAT < I8) { return 1; }
  let group = load >> (3 - WEIGHT_FORMAT);
  return bitcast<f32>(weight[params.O * (1 + GATED) * (params.I / 4 / PARTS) + group / 4][group % 4]);
}
