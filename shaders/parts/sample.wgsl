// sample: draw a token a row from softmax(logits / temperature), restricted by top-k, top-p and min-p in this order.
//   kept: not banned; logit >= the k-th largest; probability of all larger ones < top_p; probability >= min_p * the
//   largest
//   token = argmax over the kept of logit / temperature + g,   g = -log(exponential(seed, row, position, id))
// Shapes   rows: u32[R,4] (token id, position, sentence, parent)   logits: f32[R,V]
//          values: f32[R,1,3] ((logit - top) / temperature of the token, 0, sum exp of that over the kept)
//          indices: u32[R,1,1]   (both in the format of topk; ABSENT and NO_ID where all are banned)
//          sums: f32[R,G,C+2]   picks: u32[R,G,2*C+1]   (what sample_parts made of the same logits; G is 0 without)
struct Params { R: u32, V: u32, G: u32, C: u32, top_k: u32, seed: u32, temperature: f32, top_p: f32, min_p: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<vec4u>;
@group(0) @binding(2) var<storage, read> logits: array<f32>;
@group(0) @binding(3) var<storage, read> sums: array<f32>;
@group(0) @binding(4) var<storage, read> picks: array<u32>;
@group(0) @binding(5) var<storage, read> status: array<u32>;
@group(0) @binding(6) var<storage, read_write> values: array<f32>;
@group(0) @binding(7) var<storage, read_write> indices: array<u32>;

const HAS_SUMS: u32 = 0;
const HAS_PICKS: u32 = 0;
const HAS_STATUS: u32 = 0;
