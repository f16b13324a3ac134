// sample: draw one token a row from softmax(logits / temperature) restricted by top-k, top-p and min-p, in this order.
//   kept: logit >= the k-th largest; probability of all larger ones < top_p; probability >= min_p * the largest
//   token = argmax over the kept of logit / temperature + g,   g = -log(exponential(seed, row, position, id))
// Shapes   rows: u32[R,4] (token id, position, sentence, parent)   logits: f32[R,V]
//          values: f32[R,1,3] ((logit - top) / temperature of the token, 0, sum exp of that over all ids)
//          indices: u32[R,1,1]: both as topk gives
// Launch   shared: a workgroup of LANES invocations a row
// Numerics thresholds by bisection on the ordered bits of f32, exact: equal logits are kept or dropped together;
//          sum = -1 if a logit is not finite. The draws of the direct form, unless a sum of weights lies within
//          rounding of top_p
// Source   Gumbel 1954; pcg4d of Jarzynski and Olano 2020, JCGT 9(3); Holtzman et al. 2019; Transformers 5
//          generation/logits_process.py (see the direct form)
struct Params { R: u32, V: u32, top_k: u32, seed: u32, temperature: f32, top_p: f32, min_p: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<vec4u>;
@group(0) @binding(2) var<storage, read> logits: array<f32>;
@group(0) @binding(3) var<storage, read> status: array<u32>;
@group(0) @binding(4) var<storage, read_write> values: array<f32>;
@group(0) @binding(5) var<storage, read_write> indices: array<u32>;

const LANES: u32 = 256;                          // a power of two
const HAS_STATUS: u32 = 0;
const LOWEST = -3.4e38;

var<workgroup> partial: array<f32, LANES>;
var<workgroup> tokens: array<u32, LANES>;
var<workgroup> broken: atomic<u32>;

// -log(1 - w) for a uniform w of 46 bits; a series where the logarithm would cancel.
fn exponential(row: u32, position: u32, id: u32) -> f32 {
  var v = vec4u(params.seed, row, position, id) * 1664525u + 1013904223u;
  v.x += v.y * v.w; v.y += v.z * v.x; v.z += v.x * v.y; v.w += v.y * v.z;
  v = v ^ (v >> vec4u(16u));
  v.x += v.y * v.w; v.y += v.z * v.x; v.z += v.x * v.y; v.w += v.y * v.z;
  let w = (f32(v.x >> 9u) + (f32(v.y >> 9u) + 0.5) / 8388608.0) / 8388608.0;
  if (w > 0.1) { return -log(1.0 - min(w, 0.99999994)); }
  return w * (1.0 + w * (1.0 / 2.0 + w * (1.0 / 3.0 + w * (1.0 / 4.0 + w * (1.0 / 5.0 + w / 6.0)))));
}

// A number whose order among u32 is the order of x among f32, and back.
fn ordered(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  return select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);
}

fn from_ordered(key: u32) -> f32 {
  return bitcast<f32>(select(~key, key & 0x7fffffffu, key >= 0x80000000u));
}

// Sum, or largest, of the values of all invocations.
fn combine(lane: u32, value: f32, largest: bool) -> f32 {
  partial[lane] = value;
  for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
    workgroupBarrier();
    if (lane < stride) {
      let other = partial[lane + stride];
      partial[lane] = select(partial[lane] + other, max(partial[lane], other), largest);
    }
  }
  return workgroupUniformLoad(&partial[0]);
}

// How many logits of the row are above x, or how much weight exp((logit - top) / temperature) they have.
fn above(lane: u32, at: u32, x: f32, least: f32, top: f32, count: bool) -> f32 {
  var total = 0.0;
  for (var v = lane; v < params.V; v += LANES) {
    let logit = logits[at + v];
    if (logit > x && logit >= least) { total += select(exp((logit - top) / params.temperature), 1.0, count); }
  }
  return combine(lane, total, false);
}

// The smallest logit that at most `limit` (exclusive) of the count or weight lies above.
fn threshold(lane: u32, at: u32, least: f32, top: f32, limit: f32, count: bool) -> f32 {
  var low = ordered(least);
  var high = ordered(top);
  while (low < high) {
    let middle = low + (high - low) / 2u;
    if (above(lane, at, from_ordered(middle), least, top, count) < limit) { high = middle; } else { low = middle + 1u; }
  }
  return from_ordered(low);
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  if (HAS_STATUS == 1u && status[0] == 0u) { return; }
  let r = group.y * grid.x + group.x;
  if (r >= params.R) { return; }
  let at = r * params.V;
  var highest = LOWEST;
  var bits = 0u;
  for (var v = lane; v < params.V; v += LANES) {
    bits = max(bits, bitcast<u32>(logits[at + v]) & 0x7fffffffu);
    highest = max(highest, logits[at + v]);
  }
  if (bits >= 0x7f800000u) { atomicStore(&broken, 1u); }
  let top = combine(lane, highest, true);
  var weight = 0.0;
  for (var v = lane; v < params.V; v += LANES) { weight += exp((logits[at + v] - top) / params.temperature); }
  let total = combine(lane, weight, false);
  var least = LOWEST;
  if (params.top_k > 0u && params.top_k < params.V) {
    least = threshold(lane, at, least, top, f32(params.top_k), true);
  }
  if (params.top_p < 1.0) {
    let kept = above(lane, at, LOWEST, least, top, false);
    least = max(least, threshold(lane, at, least, top, params.top_p * kept, false));
  }
  if (params.min_p > 0.0) { least = max(least, top + params.temperature * log(params.min_p)); }
  var best = LOWEST;
  var token = 0u;
  for (var v = lane; v < params.V; v += LANES) {
    let gap = logits[at + v] - top;
    if (logits[at + v] < least || gap < -100.0 * params.temperature) { continue; }   // e^-100 is never drawn
    let score = gap / params.temperature - log(exponential(r, rows[r].y, v));
    if (score > best) {
      best = score;
      token = v;
    }
  }
  partial[lane] = best;
  tokens[lane] = token;
  for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
    workgroupBarrier();
    if (lane < stride) {
      let other = partial[lane + stride];
      let id = tokens[lane + stride];
      if (other > partial[lane] || (other == partial[lane] && id < tokens[lane])) {
        partial[lane] = other;
        tokens[lane] = id;
      }
    }
  }
  if (lane > 0u) { return; }
  values[3u * r] = (logits[at + tokens[0]] - top) / params.temperature;
  values[3u * r + 1u] = 0.0;
  values[3u * r + 2u] = select(total, -1.0, atomicLoad(&broken) == 1u);
  indices[r] = tokens[0];
}
