// topk: the best C logits of each part of each row, and what log-softmax needs.
//   values[r,g,0..C), indices[r,g,0..C) = the C largest logits of part g, best first, or of equals the smaller id first
//   values[r,g,C] = max, values[r,g,C+1] = sum exp(logit - max) over the part;  sum = -1 if a logit there is not finite
//   absent candidates have value ABSENT and id NO_ID: a part has fewer than C, and banned logits are none
//   given rows, nothing of those that are idle; given sentences too, only as many candidates as that of a row asks for,
//   and nothing of rows that draw their tokens
// Shapes   rows: u32[R,4] (token id, position, sentence, parent)   sentences: u32[B,Y] (as in search_state)
//          logits: f32[R,V]   values: f32[R,G,C+2]   indices: u32[R,G,C]      (part g: ids from g*ceil(V/G))
struct Params { R: u32, V: u32, Y: u32, G: u32, C: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<vec4u>;
@group(0) @binding(2) var<storage, read> sentences: array<u32>;
@group(0) @binding(3) var<storage, read> logits: array<f32>;
@group(0) @binding(4) var<storage, read> status: array<u32>;
@group(0) @binding(5) var<storage, read_write> values: array<f32>;
@group(0) @binding(6) var<storage, read_write> indices: array<u32>;

const HAS_ROWS: u32 = 0;
const HAS_SENTENCES: u32 = 0;
const HAS_STATUS: u32 = 0;

// How many candidates of each part of row r are wanted; NO_ID where not even the sum is.
fn wanted(r: u32) -> u32 {
  if (HAS_ROWS == 0u) { return params.C; }
  let sentence = rows[r].z;
  if (sentence == NO_ID) { return NO_ID; }
  if (HAS_SENTENCES == 0u) { return params.C; }
  if ((setting(sentence, SETTING_FLAGS) & FLAG_SAMPLES) != 0u) { return NO_ID; }
  return min(setting(sentence, SETTING_C), params.C);
}

// Stores candidate c of a part.
fn store(part: u32, c: u32, logit: f32, id: u32) {
  let banned = logit <= BANNED;
  values[part * (params.C + 2u) + c] = select(logit, ABSENT, banned);
  indices[part * params.C + c] = select(id, NO_ID, banned);
}
