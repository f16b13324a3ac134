// pooling: one vector for each sentence, from the rows of its span.
//   MODE 0: out[b,:] = x[first,:]   1: mean over the span   2: maximum over the span   3: x[last,:]
//   4: sum over the span / sqrt(rows)   5: mean with the weights 1, 2, 3, ... of the rows
//   NORMALIZE: out[b,:] / max(|out[b,:]|, 1e-12)
// Shapes   x: f32[N,D]   spans: u32[B,2] (first row, number of rows, at least 1)   out: f32[B,D]
struct Params { B: u32, D: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Chunk>;
@group(0) @binding(2) var<storage, read> spans: array<vec2u>;
@group(0) @binding(3) var<storage, read_write> out: array<Chunk>;

const MODE: u32 = 0;
const NORMALIZE: u32 = 0;
const UNROLL: u32 = 0;
const ROWS = select(1u, 8u, UNROLL == 1u); // that are in flight at once

fn pooled(span: vec2u, d: u32) -> Chunk {
  let width = params.D / CHUNK;
  let first = select(span.x, span.x + span.y - 1u, MODE == 3u);
  var value = x[first * width + d];
  if (MODE == 0u || MODE == 3u) { return value; }
  var bits = bitcast<Bits>(value) & Bits(0x7fffffffu);
  for (var first = 1u; first < span.y; first += ROWS) {
    for (var i = 0u; i < ROWS; i++) {
      let t = select(first, min(first + i, span.y - 1u), UNROLL == 1u); // rows past the end count nothing
      let other = x[(span.x + t) * width + d];
      let weighted = other * select(1.0, f32(t + 1u), MODE == 5u);
      value = select(value + select(weighted, Chunk(), t < first + i), max(value, other), MODE == 2u);
      bits = max(bits, bitcast<Bits>(other) & Bits(0x7fffffffu));
    }
  }
  let count = f32(span.y);
  if (MODE == 1u) { return value / count; }
  if (MODE == 4u) { return value / sqrt(count); }
  if (MODE == 5u) { return value / (count * (count + 1.0) / 2.0); }
  return select(value, bitcast<Chunk>(bits), bits > Bits(0x7f800000u)); // NaN, which max may drop
}
