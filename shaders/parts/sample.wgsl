// sample: draw a token a row from softmax(logits / temperature), restricted by top-k, top-p and min-p in this order.
//   kept: not banned; logit >= the k-th largest; probability of all larger ones < top_p; probability >= min_p * the
//   largest
//   token = argmax over the kept of logit / temperature + g,   g = -log(exponential(seed, row, position, id))
// Shapes   rows: u32[R,4] (token id, position, sentence, parent)   logits: f32[R,V]
//          values: f32[R,1,3] ((logit - top) / temperature of the token, 0, sum exp of that over the kept)
//          indices: u32[R,1,1]   (both in the format of topk; ABSENT and NO_ID where all are banned)
struct Params { R: u32, V: u32, top_k: u32, seed: u32, temperature: f32, top_p: f32, min_p: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<vec4u>;
@group(0) @binding(2) var<storage, read> logits: array<f32>;
@group(0) @binding(3) var<storage, read> status: array<u32>;
@group(0) @binding(4) var<storage, read_write> values: array<f32>;
@group(0) @binding(5) var<storage, read_write> indices: array<u32>;

const HAS_STATUS: u32 = 0;

// -log(1 - w) for a uniform w of 46 bits; a series where the logarithm would lose digits.
fn exponential(row: u32, position: u32, id: u32) -> f32 {
  var v = vec4u(params.seed, row, position, id) * 1664525u + 1013904223u;
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
