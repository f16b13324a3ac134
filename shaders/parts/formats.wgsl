// Storage formats of weights: the codes of WEIGHT_FORMAT (0 is f32), and how words are unpacked.
const F16 = 1u;
const BF16 = 2u;
const I8 = 3u;
const I4 = 4u;

fn halves(h: vec2u) -> vec4f {
  if (WEIGHT_FORMAT == BF16) { return bitcast<vec4f>(vec4u(h.x << 16, h.x & 0xffff0000, h.y << 16, h.y & 0xffff0000)); }
  return vec4f(unpack2x16float(h.x), unpack2x16float(h.y));
}

fn bytes(word: u32) -> vec4f { return vec4f(unpack4xI8(word)); }

fn nibbles(word: u32) -> vec4f { // the lower halves of its bytes, less 8
  return vec4f(bitcast<vec4i>(vec4u(word ^ 0x08080808) << vec4u(28, 20, 12, 4)) >> vec4u(28));
}
