// sample: from what `sample_parts` made of the parts of each row, for GPUs.
// Parts    sample, draw, noise, search_state, settings, constants
// Launch   a workgroup of LANES invocations a row, each with every LANES-th part: how much of a part is above a logit
//          is read off one of its entries, which is found by halving
// Numerics thresholds by bisection on the ordered bits of f32, exact: equal logits are kept or dropped together; sum =
//          -1 if a logit is not finite. Draws the same as the direct variant, unless a sum of weights is within
//          rounding of top_p, or two noisy logits are of each other
// Source   Gumbel 1954 (argmax of perturbed logits); pcg4d of Jarzynski and Olano 2020, JCGT 9(3); Holtzman et al. 2019
//          (top-p); Transformers 5 generation/logits_process.py (TopKLogitsWarper, TopPLogitsWarper, MinPLogitsWarper)

const LANES: u32 = 64;                           // a power of two
const LISTS: u32 = 64;                           // P, for arrays

const TOP_K = 0u;
const TOP_P = 1u;
const MIN_P = 2u;

var<workgroup> partial: array<f32, LANES>;
var<workgroup> weights: array<f32, LANES>;
var<workgroup> tokens: array<u32, LANES>;
var<workgroup> scales: array<f32, LISTS>;        // of a part: weights of the row / weights of the part
var<workgroup> lows: array<u32, LISTS>;          // between which entries of a part the threshold lies
var<workgroup> highs: array<u32, LISTS>;
var<workgroup> counts: array<u32, LISTS>;        // entries above the logit that was looked for last
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

// The number of entries of the row above an ordered logit, or the sum of their weights.
fn above(lane: u32, r: u32, key: u32, count: bool) -> f32 {
  var total = 0.0;
  for (var l = lane; l < params.P; l += LANES) {
    let part = r * params.P + l;
    var low = lows[l];
    var high = highs[l];
    while (low < high) {
      let middle = (low + high) / 2u;
      if (picks[part * (2u * params.X + 1u) + middle] > key) { low = middle + 1u; } else { high = middle; }
    }
    counts[l] = low;
    if (low == 0u) { continue; }
    total += select(scales[l] * sums[part * (params.X + 2u) + low - 1u], f32(low), count);
  }
  return combine(lane, total, false);
}

// Leaves in `counts` how many entries of each part top-k, top-p and min-p keep: one search after the other for the
// smallest ordered logit above which there is less than `limit` of the count or weight.
fn count_kept(lane: u32, r: u32, top: f32, draw: Draw) {
  let most = ordered(top);
  var low = ordered(BANNED);
  var high = select(low, most, draw.top_k > 0u && draw.top_k < params.V);
  var limit = f32(draw.top_k);
  var rule = TOP_K;
  loop {
    let searches = low < high;
    let key = select(low - 1u, low + (high - low) / 2u, searches);
    let found = above(lane, r, key, searches && rule == TOP_K);
    let enough = found < limit;
    for (var l = lane; searches && l < params.P; l += LANES) {
      if (enough) { lows[l] = counts[l]; } else { highs[l] = counts[l]; }
    }
    if (searches) {
      if (enough) { high = key; } else { low = key + 1u; }
      continue;
    }
    if (rule == TOP_K && draw.top_p < 1.0) {
      rule = TOP_P;
      high = most;
      limit = draw.top_p * found;
    } else if (rule != MIN_P && draw.min_p > 0.0) {
      rule = MIN_P;
      low = max(low, ordered(top + draw.temperature * log(draw.min_p)));
      high = low;
    } else {
      break;
    }
    for (var l = lane; l < params.P; l += LANES) { lows[l] = 0u; }
  }
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  if (HAS_STATUS == 1u && status[0] == status[1]) { return; }
  let r = group.y * grid.x + group.x;
  if (r >= params.R) { return; }
  if (!draws(r)) { return; }
  let draw = draw_of(r);
  let entries = entries_of(draw, (params.V + params.P - 1u) / params.P);
  var highest = ABSENT;
  for (var l = lane; l < params.P; l += LANES) {
    let part = (r * params.P + l) * (params.X + 2u) + params.X;
    if (sums[part + 1u] < 0.0) { atomicStore(&broken, 1u); }
    scales[l] = sums[part];
    highs[l] = entries;
    highest = max(highest, sums[part]);
  }
  let top = combine(lane, highest, true);
  for (var l = lane; l < params.P; l += LANES) {
    let gap = scales[l] - top;
    scales[l] = select(exp(gap / draw.temperature), 0.0, gap < -100.0 * draw.temperature);
  }
  if (entries > 0u) { count_kept(lane, r, top, draw); }
  var best = ABSENT;
  var token = NO_ID;
  var weight = 0.0;
  for (var l = lane; l < params.P; l += LANES) {
    let part = r * params.P + l;
    let entry = select(counts[l], params.X + 2u, entries == 0u);               // all, if there are no thresholds
    if (entry == 0u) { continue; }
    weight += scales[l] * sums[part * (params.X + 2u) + entry - 1u];
    let id = picks[part * (2u * params.X + 1u) + select(params.X + entry - 1u, 2u * params.X, entries == 0u)];
    if (id == NO_ID) { continue; }
    let gap = logits[r * params.V + id] - top;
    if (gap < -100.0 * draw.temperature) { continue; }                       // e^-100 is never drawn
    let noisy = gap / draw.temperature + noise(draw, id);
    if (noisy > best || (noisy == best && id < token)) {
      best = noisy;
      token = id;
    }
  }
  weights[lane] = weight;
  partial[lane] = best;
  tokens[lane] = token;
  for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
    workgroupBarrier();
    if (lane < stride) {
      let other = partial[lane + stride];
      let id = tokens[lane + stride];
      weights[lane] += weights[lane + stride];
      if (other > partial[lane] || (other == partial[lane] && id < tokens[lane])) {
        partial[lane] = other;
        tokens[lane] = id;
      }
    }
  }
  workgroupBarrier();
  var score = ABSENT;
  if (tokens[0] != NO_ID) { score = (logits[r * params.V + tokens[0]] - top) / draw.temperature; }
  let sum = select(weights[0], -1.0, atomicLoad(&broken) == 1u);
  for (var g = lane; g < params.G; g += LANES) { store(r, g, score, tokens[0], sum); }
}
