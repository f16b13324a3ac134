// Weights of one output from `weight`, 16 bytes at a time, or four at a time; i8 and i4 before their scale.
alias Words = vec4u; // as `weight` is bound
alias Load = vec4u;
const PARTS = array(1u, 2u, 2u, 4u, 8u)[WEIGHT_FORMAT]; // fours of weights in a load

fn fetch(load: u32) -> Load { return weight[load]; }

fn part(load: Load, j: u32) -> vec4f { // the j-th four weights of a load
  if (WEIGHT_FORMAT == F16 || WEIGHT_FORMAT == BF16) { return halves(vec2u(load[2 * j], load[2 * j + 1])); }
  if (WEIGHT_FORMAT == I8) { return bytes(load[j]); }
  if (WEIGHT_FORMAT == I4) { return nibbles(load[j / 2] >> (j % 2 * 16)); }
  return bitcast<vec4f>(load);
}

fn load(i: u32) -> vec4f { return part(weight[i / PARTS], i % PARTS); }

fn word(at: u32) -> u32 { return weight[at / 4][at % 4]; }
