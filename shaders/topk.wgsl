// topk: directly, for any adapter.
// Parts    topk, search_state, settings, constants
// Launch   one invocation a part, read once, eight logits a turn; 8 invocations a workgroup, one vector of a CPU
//          adapter; a shorter list is one whose first places are taken
// Numerics the sum is rescaled whenever the maximum grows, and its order does not depend on the place of the row
// Source   Milakov and Gimelshein 2018, arXiv:1805.02867, algorithm 4; FasterTransformer v2.1
//          online_softmax_beamsearch_kernels


const LIST: u32 = 64;                            // C, for arrays

const MOST = 3.4028234e38;                       // no logit is larger

var<private> best: array<f32, LIST>;
var<private> ids: array<u32, LIST>;

// Loops over a short list run to a constant, which keeps it in registers; CPU adapters would unroll longer ones.
fn count() -> u32 { return select(params.C, LIST, LIST <= 16u); }

fn insert(x: f32, v: u32) {
  if (LIST <= 16u) { // all of it at once
    var value = x;
    var id = v;
    var moved = false;
    for (var c = 0u; c < LIST; c++) {
      let other = best[c];
      let other_id = ids[c];
      moved = moved || value > other;
      best[c] = select(other, value, moved);
      ids[c] = select(other_id, id, moved);
      value = select(value, other, moved);
      id = select(id, other_id, moved);
    }
    return;
  }
  var c = params.C - 1u;
  for (; c > 0u && best[c - 1u] < x; c--) {
    best[c] = best[c - 1u];
    ids[c] = ids[c - 1u];
  }
  best[c] = x;
  ids[c] = v;
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  if (HAS_STATUS == 1u && status[0] == status[1]) { return; }
  let index = (group.y * grid.x + group.x) * 8u + lane;
  let r = index / params.G;
  if (r >= params.R) { return; }
  let own = wanted(r);
  if (own == NO_ID) { return; }
  let length = (params.V + params.G - 1u) / params.G;
  let row = r * params.V;
  let begin = row + min((index - r * params.G) * length, params.V);
  let end = min(begin + length, row + params.V);
  let skip = params.C - own;
  for (var c = 0u; c < count(); c++) {
    best[c] = select(ABSENT, MOST, c < skip);
    ids[c] = NO_ID;
  }
  var least = ABSENT;                            // the last of the list
  var top = ABSENT;
  var total = vec4f(0.0);
  var bits = vec4u(0u);
  for (var i = begin; i < end; i += 8u) {
    var x = vec4f(logits[i], logits[i + 1u], logits[i + 2u], logits[i + 3u]);
    var y = vec4f(logits[i + 4u], logits[i + 5u], logits[i + 6u], logits[i + 7u]);
    if (i + 8u > end) {
      let at = i + vec4u(0u, 1u, 2u, 3u);
      x = select(vec4f(ABSENT), x, at < vec4u(end));
      y = select(vec4f(ABSENT), y, at + 4u < vec4u(end));
    }
    bits = max(bits, max(bitcast<vec4u>(x) & vec4u(0x7fffffffu), bitcast<vec4u>(y) & vec4u(0x7fffffffu)));
    let most = max(x, y);
    let highest = max(max(most.x, most.y), max(most.z, most.w));
    if (highest > top) {
      total *= exp(top - highest);
      top = highest;
    }
    total += exp(x - top) + exp(y - top);
    if (highest > least) {
      for (var j = 0u; j < 8u; j++) {
        let value = select(x[j & 3u], y[j & 3u], j > 3u);
        if (value > least) {
          insert(value, i + j - row);
          least = best[count() - 1u];
        }
      }
    }
  }
  for (var c = 0u; c < count(); c++) {
    if (c >= skip) { store(index, c - skip, best[c], ids[c]); }
  }
  let finite = all(bits < vec4u(0x7f800000u));
  values[index * (LIST + 2u) + LIST] = select(top, ABSENT, begin >= end);
  values[index * (LIST + 2u) + LIST + 1u] =
    select(-1.0, select(total.x + total.y + total.z + total.w, 0.0, begin >= end), finite);
}
