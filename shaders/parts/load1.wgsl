// One weight from `weight`; i8 and i4 before their scale. In place of load4 and load16 where chunks are single numbers.
alias Words = u32; // as `weight` is bound
alias Load = f32;
const PARTS = 1u;   // chunks of weights in a load
const OFFSET = 0.0; // what `part` adds to each

fn load(i: u32) -> f32 {
  if (WEIGHT_FORMAT == F16) { return unpack2x16float(weight[i / 2])[i % 2]; }
  if (WEIGHT_FORMAT == BF16) { return bitcast<f32>((weight[i / 2] << (16 - i % 2 * 16)) & 0xffff0000); }
  if (WEIGHT_FORMAT == I8) { return f32(bitcast<i32>(weight[i / 4] << (24 - i % 4 * 8)) >> 24); }
  if (WEIGHT_FORMAT == I4) { return f32((weight[i / 8] >> (i % 4 * 8 + i / 4 % 2 * 4)) & 15) - 8; }
  return bitcast<f32>(weight[i]);
}

fn fetch(i: u32) -> Load { return load(i); }

fn part(one: Load, j: u32) -> f32 { return one; }

fn unit(j: u32) -> f32 { return 1; }

fn units(one: Load, j: u32) -> f32 { return part(one, j); }

fn scaled_parts(w: Block, s: vec4f) -> Block { return s * w; }

fn word(four: u32, j: u32) -> u32 { // the j-th word from a four of words on
  return weight[4 * four + j];
}
