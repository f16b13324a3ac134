// Scales of i8 and i4: 32 weights of an output share one, its last group may have fewer. All scales follow all weights.
const GROUP = 32 / CHUNK; // chunks of a group

fn groups() -> u32 { return (inputs() + 31) / 32; } // of an output

fn stride() -> u32 { // chunks from one output to the next; groups are whole in memory
  return select(inputs() / CHUNK, groups() * GROUP, WEIGHT_FORMAT >= I8);
}

fn run() -> u32 { return select(inputs() / CHUNK, GROUP, WEIGHT_FORMAT >= I8); } // chunks that share a scale

fn end(first: u32) -> u32 { // of the chunks from `first` on that share a scale
  return select(first + run(), min(first + GROUP, inputs() / CHUNK), WEIGHT_FORMAT >= I8);
}

fn scale(i: u32) -> f32 { return group_scale(i / GROUP); } // of the group that holds chunk i

fn group_scale(group: u32) -> f32 {
  if (WEIGHT_FORMAT < I8) { return 1; }
  let words = outputs() * groups() * select(8u, 4u, WEIGHT_FORMAT == I4); // of all weights
  return bitcast<f32>(word(words + group));
}
