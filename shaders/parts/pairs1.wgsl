// A chunk of the head at `at`, rotated in neighbouring pairs: it is half a pair.
fn rotated_pairs(at: u32, e: u32, scale: f32, gamma: u32, position: u32) -> Chunk {
  let own = normed(at, e, scale, gamma);
  let other = normed(at, e ^ 1u, scale, gamma);
  let angle = position * WIDTH + e / 2u;
  return own * positional[angle] + select(other, -other, (e & 1u) == 0u) * positional[angle + WIDTH / 2u];
}
