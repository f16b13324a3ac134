// sample: draw a token a row from softmax(logits / temperature), restricted by top-k, top-p and min-p in this order.
//   kept: not banned; logit >= the k-th largest; probability of all larger ones < top_p; probability >= min_p * the
//   largest
//   token = argmax over the kept of logit / temperature + g,   g = -log(exponential(seed, draw, position, id))
//   rows that are idle or whose sentence does not draw are left alone
// Shapes   rows: u32[R,4] (token id, position, sentence, parent)   sentences: u32[B,Y] (as in search_state)
//          logits: f32[R,V]
//          values: f32[R,G,C+2]   indices: u32[R,G,C]   (in the format of topk: the first part has the token and
//          ((logit - top) / temperature of it, ..., 0, sum exp of that over the kept), the others have nothing; ABSENT
//          and NO_ID where all are banned; of the C candidates only as many as the sentence asks for)
//          sums: f32[R,P,X+2]   picks: u32[R,P,2*X+1]   (what sample_parts made of the same logits; P is 0 without)
struct Params { R: u32, V: u32, Y: u32, G: u32, C: u32, P: u32, X: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<vec4u>;
@group(0) @binding(2) var<storage, read> sentences: array<u32>;
@group(0) @binding(3) var<storage, read> logits: array<f32>;
@group(0) @binding(4) var<storage, read> sums: array<f32>;
@group(0) @binding(5) var<storage, read> picks: array<u32>;
@group(0) @binding(6) var<storage, read> status: array<u32>;
@group(0) @binding(7) var<storage, read_write> values: array<f32>;
@group(0) @binding(8) var<storage, read_write> indices: array<u32>;

const HAS_SUMS: u32 = 0;
const HAS_PICKS: u32 = 0;
const HAS_STATUS: u32 = 0;

// Stores part g of row r: the token in the first, nothing in the others.
fn store(r: u32, g: u32, score: f32, token: u32, total: f32) {
  let part = r * params.G + g;
  for (var c = 0u; c < min(setting(rows[r].z, SETTING_C), params.C); c++) {
    let here = g == 0u && c == 0u;
    values[part * (params.C + 2u) + c] = select(ABSENT, score, here);
    indices[part * params.C + c] = select(NO_ID, token, here);
  }
  values[part * (params.C + 2u) + params.C] = select(ABSENT, 0.0, g == 0u);
  values[part * (params.C + 2u) + params.C + 1u] = select(0.0, total, g == 0u);
}
