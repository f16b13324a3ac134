// beam_step: directly, for any adapter.
// Parts    beam_step, opennmt, search_state, settings, constants
// Launch   one invocation a sentence, the first of a prompt for all its groups
// Numerics early_stopping: 0 false, 1 true, 2 "never"
// Source   Transformers 5 generation/utils.py, _beam_search; OpenNMT-tf utils/decoding.py, BeamSearch;
//          FasterTransformer v5 (cache indirection); Vijayakumar et al. 2016, arXiv:1610.02424, eq. 5 with Hamming
//          diversity; Wu et al. 2016, arXiv:1609.08144, eq. 14

const BEAMS: u32 = 32;                           // W, for arrays; loops to own.W are not unrolled
const LISTS: u32 = 256;                          // W * G, likewise

var<private> top: array<f32, BEAMS>;             // log-softmax of a row: logit - top - log_sum
var<private> log_sum: array<f32, BEAMS>;
var<private> next: array<Candidate, BEAMS>;

// Leaves the log-softmax of each beam; false if a logit is not finite.
fn sum_parts() -> bool {
  var finite = true;
  for (var w = 0u; w < own.W; w++) {
    let row = (own.first + w) * params.G;
    var peak = ABSENT;
    for (var g = 0u; g < params.G; g++) { peak = max(peak, values[(row + g) * (params.C + 2u) + params.C]); }
    var total = 0.0;
    for (var g = 0u; g < params.G; g++) {
      let part = (row + g) * (params.C + 2u) + params.C;
      finite = finite && !(values[part + 1u] < 0.0);
      total += values[part + 1u] * exp(values[part] - peak);
    }
    top[w] = select(peak, 0.0, own.log_probs != 0u);
    log_sum[w] = select(log(total), 0.0, own.log_probs != 0u);
  }
  return finite;
}

// Leaves the beams that go on, returns their number, and keeps hypotheses that end in Transformers' search.
fn choose() -> u32 {
  var heads: array<u32, LISTS>;
  var taken = 0u;
  let diverse = own.diversity_penalty != 0.0;
  let length = own.length + 1u;
  var last = Candidate(3.4e38, 0.0, 0u, 0u);
  for (var rank = 0u; rank < own.W || (taken < own.W && length < own.limit); rank++) {
    var best = Candidate(ABSENT, 0.0, NO_ID, 0u);
    for (var l = 0u; l < own.W * params.G; l++) {
      // Lists are sorted: only their first candidates compete, unless penalties change the order.
      let w = l / params.G;
      let first = select(heads[l], 0u, diverse);
      let end = select(min(first + 1u, own.C), own.C, diverse);
      for (var c = first; c < end; c++) {
        let candidate = candidate_at(w, l, c, scores[own.first + w], top[w], log_sum[w]);
        if (candidate.choice == NO_ID) { break; }
        if ((!diverse || beats(last, candidate)) && beats(candidate, best)) { best = candidate; }
      }
    }
    if (best.choice == NO_ID) { break; }
    heads[best.list]++;
    last = best;
    let id = best.choice % params.V;
    if (own.opennmt == 0u && (length >= own.limit || is_end(id))) {
      if (rank < own.W) {
        finish(penalised(best.score, length - own.start), best.log_prob, vec3u(length, best.choice / params.V, id));
      }
    } else if (taken < own.W) {
      next[taken] = best;
      taken++;
    }
  }
  return taken;
}

// Whether no further step is needed after the best `taken` beams were chosen.
fn is_done(taken: u32) -> bool {
  let length = own.length + 1u;
  let over = length >= own.limit || taken == 0u;
  if (own.opennmt == 0u) { return over || is_settled(next[0].score, length - own.start); }
  var kept: array<vec4u, BEAMS>;
  for (var w = 0u; w < taken; w++) { kept[w] = hypothesis_of(next[w]); }
  for (var w = 0u; w < own.W; w++) {
    let live = w < taken;
    keep(w, select(0.0, next[w].score, live), select(vec4u(), kept[w], live));
  }
  return have_ended(taken) || over;
}

// Makes the best `taken` candidates the beams; each copies the slots of its parent.
fn go_on(taken: u32) {
  let length = own.length;
  var total: array<f32, BEAMS>;
  for (var w = 0u; w < taken; w++) { total[w] = scores[own.first + next[w].choice / params.V] + next[w].log_prob; }
  for (var w = 0u; w < own.W; w++) {
    let r = own.first + w;
    let live = next[select(0u, w, w < taken)];
    let parent = live.choice / params.V;
    let table = indirection_at(own.first + parent, length - 1u, params.M);
    let to = indirection_at(r, length, params.M);
    for (var t = 0u; t < length; t++) { indirection[to + t] = indirection[table + t]; }
    indirection[to + length] = indirection[homes_at(r, params.M) + length];
    scores[r] = select(LOWEST, total[w], w < taken);
    scores[PLANE_TOKEN * params.Q + r] = live.log_prob;
    rows[r] = vec4u(live.choice % params.V, length, own.b, parent);
  }
}

@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let b = group.y * grid.x + group.x;
  if (b >= params.B) { return; }
  let groups = setting(b, SETTING_GROUPS);
  for (var i = 0u; i < groups; i++) {
    own = search_of(b + i, i);
    if (own.open == 0u) { continue; }
    var done = DONE_BROKEN;
    var taken = 0u;
    if (sum_parts()) {
      taken = choose();
      done = select(DONE_OPEN, DONE_DONE, is_done(taken));
      sentences[own.b * params.Y + SENTENCE_LENGTH] = own.length + 1u;
    }
    if (done == DONE_OPEN) { go_on(taken); } else { end_sentence(done); }
  }
}
