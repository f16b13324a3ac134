// topk: the best C logits of each part of each row, and what log-softmax needs.
//   values[r,g,0..C), indices[r,g,0..C) = the C largest logits of part g, best first, or of equals the smaller id first
//   values[r,g,C] = max, values[r,g,C+1] = sum exp(logit - max) over the part;  sum = -1 if a logit there is not finite
//   absent candidates have value ABSENT and id NO_ID: a part has fewer than C, and banned logits are none
// Shapes   logits: f32[R,V]   values: f32[R,G,C+2]   indices: u32[R,G,C]      (part g: ids from g*ceil(V/G))
struct Params { R: u32, V: u32, G: u32, C: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> status: array<u32>;
@group(0) @binding(3) var<storage, read_write> values: array<f32>;
@group(0) @binding(4) var<storage, read_write> indices: array<u32>;

const HAS_STATUS: u32 = 0;

// Stores candidate c of a part.
fn store(part: u32, c: u32, logit: f32, id: u32) {
  let banned = logit <= BANNED;
  values[part * (params.C + 2u) + c] = select(logit, ABSENT, banned);
  indices[part * params.C + c] = select(id, NO_ID, banned);
}
