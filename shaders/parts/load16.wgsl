// Weights of one output from `weight`, 16 bytes at a time, or four at a time; i8 and i4 before their scale.
alias Words = vec4u; // as `weight` is bound
alias Load = vec4u;
const PARTS = array(1u, 2u, 2u, 4u, 8u)[WEIGHT_FORMAT]; // fours of weights in a load
const OFFSET = select(0.0, 8.0, WEIGHT_FORMAT == I4);   // what `part` adds to each

fn fetch(load: u32) -> Load { return weight[load]; }

fn part(load: Load, j: u32) -> vec4f { // the j-th four weights of a load
  if (WEIGHT_FORMAT == F16 || WEIGHT_FORMAT == BF16) { return halves(vec2u(load[2 * j], load[2 * j + 1])); }
  if (WEIGHT_FORMAT == I8) { return bytes(load[j]); }
  if (WEIGHT_FORMAT == I4) { return vec4f(unpack4xU8((load[j / 2] >> (j % 2 * 4)) & 0x0f0f0f0f)); }
  return bitcast<vec4f>(load);
}

fn unit(j: u32) -> f32 { // what one is in the j-th part before it is shifted
  return select(1.0, 16.0, WEIGHT_FORMAT == I4 && j % 2 == 1);
}

fn units(load: Load, j: u32) -> vec4f { // the j-th part, times its unit
  if (unit(j) > 1) { return vec4f(unpack4xU8(load[j / 2] & 0xf0f0f0f0)); }
  return part(load, j);
}

fn scaled_parts(w: Block, s: vec4f) -> Block { // parts of four outputs, times their scales
  let t = s * OFFSET;
  return Block(s.x * w[0] - t.x, s.y * w[1] - t.y, s.z * w[2] - t.z, s.w * w[3] - t.w);
}

fn load(i: u32) -> vec4f { return part(fetch(i / PARTS), i % PARTS) - OFFSET; }

fn word(four: u32, j: u32) -> u32 { // the j-th of four words
  return weight[four][j];
}
