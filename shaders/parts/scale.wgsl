// Scales of i8 and i4: 32 weights of an output share one, its last group may have fewer. All scales follow all weights,
// those of an output in whole fours.
const GROUP = 32 / CHUNK; // chunks of a group

fn groups() -> u32 { return (inputs() + 31) / 32; } // of an output

fn stride() -> u32 { // chunks from one output to the next; groups are whole in memory
  return select(inputs() / CHUNK, groups() * GROUP, WEIGHT_FORMAT >= I8);
}

fn run() -> u32 { return select(inputs() / CHUNK, GROUP, WEIGHT_FORMAT >= I8); } // chunks that share a scale

fn end(first: u32) -> u32 { // of the chunks from `first` on that share a scale
  return select(first + run(), min(first + GROUP, inputs() / CHUNK), WEIGHT_FORMAT >= I8);
}

fn spacing() -> u32 { return (groups() + 3) / 4; } // fours from the scales of one output to those of the next

fn scale_from(four: u32, i: u32) -> f32 { // of chunk i of the output whose scales begin there
  if (WEIGHT_FORMAT < I8) { return 1; }
  let weights = outputs() * groups() * select(2u, 1u, WEIGHT_FORMAT == I4); // in fours of words
  let group = i / GROUP;
  return bitcast<f32>(word(weights + four + group / 4, group & 3));
}

fn scale(o: u32, i: u32) -> f32 { return scale_from(o * spacing(), i); } // of chunk i of output o

fn scales(o: u32, i: u32) -> vec4f { // of chunk i of four outputs; any number past the end, where nothing is stored
  let four = o * spacing();
  return vec4f(scale_from(four, i), scale_from(four + spacing(), i),
    scale_from(four + 2 * spacing(), i), scale_from(four + 3 * spacing(), i));
}
