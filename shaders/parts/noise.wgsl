// The noise of a draw, and logits as numbers that can be searched bit by bit.

// -log(1 - w) for a uniform w of 46 bits; a series where the logarithm would lose digits.
fn exponential(seed: u32, row: u32, position: u32, id: u32) -> f32 {
  var v = vec4u(seed, row, position, id) * 1664525u + 1013904223u;
  v.x += v.y * v.w; v.y += v.z * v.x; v.z += v.x * v.y; v.w += v.y * v.z;
  v = v ^ (v >> vec4u(16u));
  v.x += v.y * v.w; v.y += v.z * v.x; v.z += v.x * v.y; v.w += v.y * v.z;
  let w = (f32(v.x >> 9u) + (f32(v.y >> 9u) + 0.5) / 8388608.0) / 8388608.0;
  if (w > 0.1) { return -log(1.0 - min(w, 0.99999994)); }
  return w * (1.0 + w * (1.0 / 2.0 + w * (1.0 / 3.0 + w * (1.0 / 4.0 + w * (1.0 / 5.0 + w / 6.0)))));
}

// Numbers that are ordered as u32 as x is as f32, and back.
fn ordered(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  return select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);
}

fn from_ordered(key: u32) -> f32 {
  return bitcast<f32>(select(~key, key & 0x7fffffffu, key >= 0x80000000u));
}
