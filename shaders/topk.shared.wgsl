// topk: through workgroup memory, for GPUs.
// Parts    topk, search_state, settings, constants
// Launch   a workgroup of LANES invocations a part; each knows the best of its logits; C rounds take the best of these,
//          and the invocation that had it reads its logits again for the next
// Numerics the sums of the invocations are scaled to the maximum of all
// Source   Milakov and Gimelshein 2018, arXiv:1805.02867, algorithm 4; FasterTransformer v2.1
//          online_softmax_beamsearch_kernels


const LANES: u32 = 256;                          // a power of two

struct Peak { logit: f32, id: u32 }

var<workgroup> peaks: array<Peak, LANES>;
var<workgroup> sums: array<f32, LANES>;
var<workgroup> broken: atomic<u32>;

fn better(a: Peak, b: Peak) -> Peak { // of equal ones that with the smaller id
  if (b.logit > a.logit || (b.logit == a.logit && b.id < a.id)) { return b; }
  return a;
}

// Leaves the best peak in the first place.
fn best_first(lane: u32) {
  for (var many = LANES; many > 1u; many = (many + 3u) / 4u) {
    workgroupBarrier();
    let quarter = (many + 3u) / 4u;
    if (lane < quarter) {
      var best = peaks[lane];
      for (var other = lane + quarter; other < many; other += quarter) { best = better(best, peaks[other]); }
      peaks[lane] = best;
    }
  }
  workgroupBarrier();
}

// Four logits that an invocation looks at together, ABSENT after the end of the part.
fn four(row: u32, at: vec4u, end: u32) -> vec4f {
  let v = row + min(at, vec4u(end - 1u));
  let x = vec4f(logits[v.x], logits[v.y], logits[v.z], logits[v.w]);
  return select(vec4f(ABSENT), x, at < vec4u(end));
}

fn best_of(x: vec4f, at: vec4u, best: Peak) -> Peak {
  let low = better(Peak(x.x, at.x), Peak(x.y, at.y));
  let high = better(Peak(x.z, at.z), Peak(x.w, at.w));
  let found = better(low, high);
  if (found.logit > best.logit) { return found; }
  return best;
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  if (HAS_STATUS == 1u && status[0] == status[1]) { return; }
  let index = group.y * grid.x + group.x;
  let r = index / params.G;
  if (r >= params.R) { return; }
  let count = wanted(r);
  if (count == NO_ID) { return; }
  let length = (params.V + params.G - 1u) / params.G;
  let row = r * params.V;
  let begin = min((index - r * params.G) * length, params.V);
  let end = min(begin + length, params.V);
  let places = begin + lane + vec4u(0u, LANES, 2u * LANES, 3u * LANES);
  var top = ABSENT;
  var total = vec4f();
  var best = Peak(ABSENT, NO_ID);
  var bits = vec4u();
  for (var i = 0u; begin + lane + i < end; i += 4u * LANES) {
    let at = places + i;
    let x = four(row, at, end);
    bits = max(bits, bitcast<vec4u>(x) & vec4u(0x7fffffffu));
    let before = best.logit;
    best = best_of(x, at, best);
    total = total * exp(before - best.logit) + select(vec4f(), exp(x - best.logit), at < vec4u(end));
  }
  if (any(bits >= vec4u(0x7f800000u))) { atomicStore(&broken, 1u); }
  let own = best.logit;
  for (var c = 0u; c < max(count, 1u); c++) {
    peaks[lane] = best;
    best_first(lane);
    let peak = peaks[0];
    if (c == 0u) { top = peak.logit; }
    if (lane == 0u && c < count) { store(index, c, peak.logit, peak.id); }
    if (best.id == peak.id && peak.id != NO_ID && c + 1u < count) { // find the next in the order of (logit, id)
      best = Peak(ABSENT, NO_ID);
      for (var i = 0u; begin + lane + i < end; i += 4u * LANES) {
        let at = places + i;
        let x = four(row, at, end);
        let later = (x < vec4f(peak.logit)) | ((x == vec4f(peak.logit)) & (at > vec4u(peak.id)));
        best = best_of(select(vec4f(ABSENT), x, later), at, best);
      }
    }
    workgroupBarrier();                          // until all have read the first place
  }
  sums[lane] = (total.x + total.y + total.z + total.w) * exp(own - top);
  for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
    workgroupBarrier();
    if (lane < stride) { sums[lane] += sums[lane + stride]; }
  }
  if (lane == 0u) {
    values[index * (params.C + 2u) + params.C] = top;
    values[index * (params.C + 2u) + params.C + 1u] = select(sums[0], -1.0, atomicLoad(&broken) == 1u);
  }
}
