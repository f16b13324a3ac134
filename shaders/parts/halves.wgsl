// Two numbers as halves in a word, the first in the lower bits. What no half can be, which is above 65504, becomes NaN.
fn halves(v: vec2f) -> u32 {
  let word = pack2x16float(v);
  let fits = vec2u(abs(v) <= vec2f(65504.0));
  return select(0x7e00u, word & 0xffffu, fits.x == 1u) | select(0x7e000000u, word & 0xffff0000u, fits.y == 1u);
}
