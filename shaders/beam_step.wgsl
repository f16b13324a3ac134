// beam_step: directly, for any adapter.
// Parts    beam_step, opennmt, search_state, constants
// Launch   one invocation a sentence of the group
// Numerics early_stopping: 0 false, 1 true, 2 "never"
// Source   Transformers 5 generation/utils.py, _beam_search; OpenNMT-tf utils/decoding.py, BeamSearch;
//          FasterTransformer v5 (cache indirection); Vijayakumar et al. 2016, arXiv:1610.02424, eq. 5 with Hamming
//          diversity; Wu et al. 2016, arXiv:1609.08144, eq. 14


const BEAMS: u32 = 32;                           // W, for arrays; loops to params.W are not unrolled
const LISTS: u32 = 256;                          // W * G, likewise

@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let b = (group.y * grid.x + group.x) * params.groups + params.group;
  if (b >= params.B) { return; }
  let sentence = sentence_at(b, params.A);
  if (sentences[sentence + SENTENCE_DONE] == 1u) { return; }
  let length = sentences[sentence + SENTENCE_LENGTH];
  let start = sentences[sentence + SENTENCE_START];
  let limit = sentences[sentence + SENTENCE_LIMIT];
  var top: array<f32, BEAMS>;                    // log-softmax of a row: logit - top - log_sum
  var log_sum: array<f32, BEAMS>;
  for (var w = 0u; w < params.W; w++) {
    let row = (b * BEAMS + w) * params.G;
    var peak = ABSENT;
    for (var g = 0u; g < params.G; g++) { peak = max(peak, values[(row + g) * (params.C + 2u) + params.C]); }
    var total = 0.0;
    for (var g = 0u; g < params.G; g++) {
      let part = (row + g) * (params.C + 2u) + params.C;
      if (values[part + 1u] < 0.0) { atomicMax(&status[STATUS_FAULTS], b * BEAMS + w + 1u); }
      total += values[part + 1u] * exp(values[part] - peak);
    }
    top[w] = select(peak, 0.0, LOG_PROBS == 1u);
    log_sum[w] = select(log(total), 0.0, LOG_PROBS == 1u);
  }
  var heads: array<u32, LISTS>;
  var next: array<Candidate, BEAMS>;
  var taken = 0u;
  let diverse = params.diversity_penalty != 0.0;
  var last = Candidate(3.4e38, 0.0, 0u, 0u);
  for (var rank = 0u; rank < BEAMS || (taken < BEAMS && length + 1u < limit); rank++) {
    var best = Candidate(ABSENT, 0.0, NO_ID, 0u);
    for (var l = 0u; l < params.W * params.G; l++) {
      // Lists are sorted: only their first candidates compete, unless penalties change the order.
      let w = l / params.G;
      let first = select(heads[l], 0u, diverse);
      let end = select(min(first + 1u, params.C), params.C, diverse);
      for (var c = first; c < end; c++) {
        let candidate = candidate_at(b, w, l, c, scores[b * BEAMS + w], top[w], log_sum[w]);
        if (candidate.choice == NO_ID) { break; }
        if ((!diverse || beats(last, candidate)) && beats(candidate, best)) { best = candidate; }
      }
    }
    if (best.choice == NO_ID) { break; }
    heads[best.list]++;
    last = best;
    let id = best.choice % params.V;
    if (SEARCH == TRANSFORMERS && (length + 1u >= limit || is_end(id))) {
      if (rank < BEAMS) {
        let hypothesis = vec3u(length + 1u, best.choice / params.V, id);
        finish(b, penalised(best.score, length + 1u - start), best.log_prob, hypothesis);
      }
    } else if (taken < BEAMS) {
      next[taken] = best;
      taken++;
    }
  }
  var done = length + 1u >= limit || taken == 0u;
  if (SEARCH == OPENNMT) {
    var kept: array<vec4u, BEAMS>;
    for (var w = 0u; w < taken; w++) { kept[w] = hypothesis_of(b, next[w]); }
    for (var w = 0u; w < params.W; w++) { keep(b, w, next[w].score, select(vec4u(), kept[w], w < taken)); }
    done = done || have_ended(b, taken);
  } else {
    done = done || is_settled(b, next[0].score, length + 1u - start, limit - start);
  }
  sentences[sentence + SENTENCE_LENGTH] = length + 1u;
  if (done) {
    sentences[sentence + SENTENCE_DONE] = 1u;
    atomicSub(&status[STATUS_OPEN], 1u);
    return;
  }
  var total: array<f32, BEAMS>;
  for (var w = 0u; w < taken; w++) { total[w] = scores[b * BEAMS + next[w].choice / params.V] + next[w].log_prob; }
  let R = params.B * BEAMS;
  let table = indirection_at(length - 1u, R, params.M);      // the new table is next to the old one
  let next_table = indirection_at(length, R, params.M);
  for (var w = 0u; w < params.W; w++) {
    let r = b * BEAMS + w;
    let live = next[select(0u, w, w < taken)];
    let parent = b * BEAMS + live.choice / params.V;
    let to = next_table + r * params.M;
    for (var t = 0u; t + 1u < length; t++) { indirection[to + t] = indirection[table + parent * params.M + t]; }
    indirection[to + length - 1u] = parent;
    scores[r] = select(LOWEST, total[w], w < taken);
    scores[PLANE_TOKEN * params.Q + r] = live.log_prob;
    rows[r] = vec4u(live.choice % params.V, length, b, live.choice / params.V);
  }
}
