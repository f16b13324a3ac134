// sample: directly, for any adapter.
// Parts    sample, draw, noise, search_state, settings, constants
// Launch   one invocation a row
// Numerics thresholds by bisection on the ordered bits of f32, exact: equal logits are kept or dropped together; sum =
//          -1 if a logit is not finite. The draw depends on (seed, draw, position, id) alone, not on the runtime
// Source   Gumbel 1954 (argmax of perturbed logits); pcg4d of Jarzynski and Olano 2020, JCGT 9(3); Holtzman et al. 2019
//          (top-p); Transformers 5 generation/logits_process.py (TopKLogitsWarper, TopPLogitsWarper, MinPLogitsWarper)


// The number of logits of the row above x, or the sum of their weights exp((logit - top) / temperature).
fn above(at: u32, x: f32, least: f32, top: f32, temperature: f32, count: bool) -> f32 {
  var total = 0.0;
  for (var v = 0u; v < params.V; v++) {
    let logit = logits[at + v];
    if (logit > x && logit >= least) { total += select(exp((logit - top) / temperature), 1.0, count); }
  }
  return total;
}

// The smallest logit above which there is less than `limit` of the count or weight.
fn threshold(at: u32, least: f32, top: f32, temperature: f32, limit: f32, count: bool) -> f32 {
  var low = ordered(least);
  var high = ordered(top);
  while (low < high) {
    let middle = low + (high - low) / 2u;
    let found = above(at, from_ordered(middle), least, top, temperature, count);
    if (found < limit) { high = middle; } else { low = middle + 1u; }
  }
  return from_ordered(low);
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  if (HAS_STATUS == 1u && status[0] == status[1]) { return; }
  let r = (group.y * grid.x + group.x) * 8u + lane;
  if (r >= params.R) { return; }
  if (!draws(r)) { return; }
  let draw = draw_of(r);
  let temperature = draw.temperature;
  let at = r * params.V;
  var top = ABSENT;
  var finite = true;
  for (var v = 0u; v < params.V; v++) {
    finite = finite && (bitcast<u32>(logits[at + v]) & 0x7fffffffu) < 0x7f800000u;
    top = max(top, logits[at + v]);
  }
  var least = BANNED;
  if (draw.top_k > 0u && draw.top_k < params.V) {
    least = threshold(at, least, top, temperature, f32(draw.top_k), true);
  }
  if (draw.top_p < 1.0) {
    let kept = above(at, BANNED, least, top, temperature, false);
    least = max(least, threshold(at, least, top, temperature, draw.top_p * kept, false));
  }
  if (draw.min_p > 0.0) { least = max(least, top + temperature * log(draw.min_p)); }
  var best = ABSENT;
  var score = ABSENT;
  var token = NO_ID;
  var total = 0.0;
  for (var v = 0u; v < params.V; v++) {
    let gap = logits[at + v] - top;
    if (logits[at + v] < least || gap < -100.0 * temperature) { continue; }   // e^-100 is never drawn
    let own = gap / temperature;
    total += exp(own);
    let noisy = own + noise(draw, v);
    if (noisy > best) {
      best = noisy;
      score = own;
      token = v;
    }
  }
  for (var g = 0u; g < params.G; g++) { store(r, g, score, token, select(-1.0, total, finite)); }
}
