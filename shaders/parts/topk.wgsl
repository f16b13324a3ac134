// topk: the best C logits of each part of each row, and what log-softmax needs.
//   values[r,g,0..C), indices[r,g,0..C) = the C largest logits of part g, best first, or of equals the smaller id first
//   values[r,g,C] = max, values[r,g,C+1] = sum exp(logit - max) over the part;  sum = -1 if a logit there is not finite
// Shapes   logits: f32[R,V]   values: f32[R,G,C+2]   indices: u32[R,G,C]      (part g: ids from g*ceil(V/G))
struct Params { R: u32, V: u32, G: u32, C: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> status: array<u32>;
@group(0) @binding(3) var<storage, read_write> values: array<f32>;
@group(0) @binding(4) var<storage, read_write> indices: array<u32>;

const HAS_STATUS: u32 = 0;
