// sample: through workgroup memory, for GPUs.
// Parts    sample, constants
// Launch   a workgroup of LANES invocations a row
// Numerics thresholds by bisection on the ordered bits of f32, exact: equal logits are kept or dropped together; sum =
//          -1 if a logit is not finite. Draws the same as the direct variant, unless a sum of weights is within
//          rounding of top_p
// Source   Gumbel 1954 (argmax of perturbed logits); pcg4d of Jarzynski and Olano 2020, JCGT 9(3); Holtzman et al. 2019
//          (top-p); Transformers 5 generation/logits_process.py (TopKLogitsWarper, TopPLogitsWarper, MinPLogitsWarper)


const LANES: u32 = 256;                          // a power of two

var<workgroup> partial: array<f32, LANES>;
var<workgroup> tokens: array<u32, LANES>;
var<workgroup> broken: atomic<u32>;

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

// The number of logits of the row above x, or the sum of their weights exp((logit - top) / temperature).
fn above(lane: u32, at: u32, x: f32, least: f32, top: f32, count: bool) -> f32 {
  var total = 0.0;
  for (var v = lane; v < params.V; v += LANES) {
    let logit = logits[at + v];
    if (logit > x && logit >= least) { total += select(exp((logit - top) / params.temperature), 1.0, count); }
  }
  return combine(lane, total, false);
}

// The smallest logit above which there is less than `limit` of the count or weight.
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
  var highest = ABSENT;
  var bits = 0u;
  for (var v = lane; v < params.V; v += LANES) {
    bits = max(bits, bitcast<u32>(logits[at + v]) & 0x7fffffffu);
    highest = max(highest, logits[at + v]);
  }
  if (bits >= 0x7f800000u) { atomicStore(&broken, 1u); }
  let top = combine(lane, highest, true);
  var least = BANNED;
  if (params.top_k > 0u && params.top_k < params.V) {
    least = threshold(lane, at, least, top, f32(params.top_k), true);
  }
  if (params.top_p < 1.0) {
    let kept = above(lane, at, BANNED, least, top, false);
    least = max(least, threshold(lane, at, least, top, params.top_p * kept, false));
  }
  if (params.min_p > 0.0) { least = max(least, top + params.temperature * log(params.min_p)); }
  var best = ABSENT;
  var token = NO_ID;
  var weight = 0.0;
  for (var v = lane; v < params.V; v += LANES) {
    let gap = logits[at + v] - top;
    if (logits[at + v] < least || gap < -100.0 * params.temperature) { continue; }   // e^-100 is never drawn
    weight += exp(gap / params.temperature);
    let noisy = gap / params.temperature - log(exponential(r, rows[r].y, v));
    if (noisy > best) {
      best = noisy;
      token = v;
    }
  }
  let total = combine(lane, weight, false);
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
  values[3u * r] = ABSENT;
  if (tokens[0] != NO_ID) { values[3u * r] = (logits[at + tokens[0]] - top) / params.temperature; }
  values[3u * r + 1u] = 0.0;
  values[3u * r + 2u] = select(total, -1.0, atomicLoad(&broken) == 1u);
  indices[r] = tokens[0];
}
