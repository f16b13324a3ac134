// pooling: one vector for each sentence, from the rows of its span.
//   MODE 0: out[b,:] = x[first,:]   1: mean over the span   2: maximum over the span
//   NORMALIZE: out[b,:] / max(|out[b,:]|, 1e-12)
// Shapes   x: f32[N,D]   spans: u32[B,2] (first row, number of rows, at least 1)   out: f32[B,D]
struct Params { B: u32, D: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Chunk>;
@group(0) @binding(2) var<storage, read> spans: array<vec2u>;
@group(0) @binding(3) var<storage, read_write> out: array<Chunk>;

const MODE: u32 = 0;
const NORMALIZE: u32 = 0;

fn pooled(span: vec2u, d: u32) -> Chunk {
  let width = params.D / CHUNK;
  var value = x[span.x * width + d];
  if (MODE == 0u) { return value; }
  var bits = bitcast<Bits>(value) & Bits(0x7fffffffu);
  for (var t = 1u; t < span.y; t++) {
    let other = x[(span.x + t) * width + d];
    if (MODE == 1u) { value += other; } else { value = max(value, other); }
    bits = max(bits, bitcast<Bits>(other) & Bits(0x7fffffffu));
  }
  if (MODE == 1u) { return value / f32(span.y); }
  return select(value, bitcast<Chunk>(bits), bits > Bits(0x7f800000u)); // NaN, which max may drop
}
