// topk: through workgroup memory, for GPUs.
// Parts    topk, constants
// Launch   a workgroup of LANES invocations a part; each knows the best of its logits; C rounds take the best of these,
//          and the invocation that had it reads its logits again for the next
// Numerics the sums of the invocations are scaled to the maximum of all
// Source   Milakov and Gimelshein 2018, arXiv:1805.02867, algorithm 4; FasterTransformer v2.1
//          online_softmax_beamsearch_kernels


const LANES: u32 = 256;                          // a power of two

var<workgroup> peaks: array<f32, LANES>;
var<workgroup> owners: array<u32, LANES>;        // ids of the peaks
var<workgroup> sums: array<f32, LANES>;
var<workgroup> broken: atomic<u32>;

// Leaves the largest peak in the first place; of equal ones that with the smallest id.
fn best_first(lane: u32) {
  for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
    workgroupBarrier();
    if (lane < stride) {
      let other = peaks[lane + stride];
      let id = owners[lane + stride];
      if (other > peaks[lane] || (other == peaks[lane] && id < owners[lane])) {
        peaks[lane] = other;
        owners[lane] = id;
      }
    }
  }
  workgroupBarrier();
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  if (HAS_STATUS == 1u && status[0] == 0u) { return; }
  let index = group.y * grid.x + group.x;
  let r = index / params.G;
  if (r >= params.R) { return; }
  let length = (params.V + params.G - 1u) / params.G;
  let row = r * params.V;
  let begin = min((index - r * params.G) * length, params.V);
  let end = min(begin + length, params.V);
  var top = ABSENT;
  var total = 0.0;
  var best = ABSENT;
  var id = NO_ID;
  var bits = 0u;
  for (var v = begin + lane; v < end; v += LANES) {
    let x = logits[row + v];
    bits = max(bits, bitcast<u32>(x) & 0x7fffffffu);
    if (x > best) {
      total *= exp(best - x);
      best = x;
      id = v;
    }
    total += exp(x - best);
  }
  if (bits >= 0x7f800000u) { atomicStore(&broken, 1u); }
  let own = best;
  for (var c = 0u; c < max(params.C, 1u); c++) {
    peaks[lane] = best;
    owners[lane] = id;
    best_first(lane);
    let peak = peaks[0];
    let taken = owners[0];
    if (c == 0u) { top = peak; }
    if (lane == 0u) { store(index, c, peak, taken); }
    if (id == taken && taken != NO_ID) {         // find the next in the order of (logit, id)
      best = ABSENT;
      id = NO_ID;
      for (var v = begin + lane; v < end; v += LANES) {
        let x = logits[row + v];
        if (x > best && (x < peak || (x == peak && v > taken))) {
          best = x;
          id = v;
        }
      }
    }
    workgroupBarrier();                          // until all have read the first place
  }
  sums[lane] = total * exp(own - top);
  for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
    workgroupBarrier();
    if (lane < stride) { sums[lane] += sums[lane + stride]; }
  }
  if (lane == 0u) {
    values[index * (params.C + 2u) + params.C] = top;
    values[index * (params.C + 2u) + params.C + 1u] = select(sums[0], -1.0, atomicLoad(&broken) == 1u);
  }
}
