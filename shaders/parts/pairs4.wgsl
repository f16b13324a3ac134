// A chunk of the head at `at`, rotated in neighbouring pairs: it holds two whole pairs.
fn rotated_pairs(at: u32, e: u32, scale: f32, gamma: u32, position: u32) -> Chunk {
  let own = normed(at, e, scale, gamma);
  let angles = position * WIDTH + e / 2u;       // two of the four angles there are those of these elements
  let half = WIDTH / 2u;
  let cosines = select(positional[angles].xy, positional[angles].zw, (e & 1u) == 1u);
  let sines = select(positional[angles + half].xy, positional[angles + half].zw, (e & 1u) == 1u);
  return own * cosines.xxyy + vec4f(-own.y, own.x, -own.w, own.z) * sines.xxyy;
}
