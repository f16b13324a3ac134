// beam_step: directly, for any adapter.
// Parts    beam_step, search_state, constants
// Launch   one invocation a sentence of the group
// Numerics early_stopping: 0 false, 1 true, 2 "never"
// Source   Transformers 5 generation/utils.py, _beam_search; FasterTransformer v5 (cache indirection); Vijayakumar et
//          al. 2016, arXiv:1610.02424, eq. 5 with Hamming diversity


const BEAMS: u32 = 32;                           // W, for arrays; loops to params.W are not unrolled
const LISTS: u32 = 256;                          // W * G, likewise

@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let b = (group.y * grid.x + group.x) * params.groups + params.group;
  if (b >= params.B) { return; }
  let sentence = sentence_at(b, params.W);
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
  var next_score: array<f32, BEAMS>;
  var next_log_prob: array<f32, BEAMS>;
  var next_id: array<u32, BEAMS>;
  var next_parent: array<u32, BEAMS>;
  var taken = 0u;
  let diverse = params.diversity_penalty != 0.0;
  var last_score = 3.4e38;
  var last_choice = 0u;
  for (var rank = 0u; rank < BEAMS || (taken < BEAMS && length + 1u < limit); rank++) {
    var score = BANNED;
    var log_prob = 0.0;
    var choice = NO_ID;                    // w * V + id
    var list = 0u;
    for (var l = 0u; l < params.W * params.G; l++) {
      // Lists are sorted: only their first candidates compete, unless penalties change the order.
      let first = select(heads[l], 0u, diverse);
      let end = select(min(first + 1u, params.C), params.C, diverse);
      for (var c = first; c < end; c++) {
        let at = b * params.W * params.G + l;
        let id = indices[at * params.C + c];
        if (id == NO_ID) { break; }
        let w = l / params.G;
        var own = values[at * (params.C + 2u) + c] - top[w] - log_sum[w];
        if (diverse) { own -= params.diversity_penalty * chosen_before(b, id); }
        let candidate = scores[b * BEAMS + w] + own;
        let flat = w * params.V + id;
        let fresh = !diverse || candidate < last_score || (candidate == last_score && flat > last_choice);
        if (fresh && (candidate > score || (candidate == score && flat < choice))) {
          score = candidate;
          log_prob = own;
          choice = flat;
          list = l;
        }
      }
    }
    if (choice == NO_ID) { break; }
    heads[list]++;
    last_score = score;
    last_choice = choice;
    let parent = list / params.G;
    let id = choice - parent * params.V;
    if (length + 1u >= limit || is_end(id)) {
      if (rank < BEAMS) {
        finish(b, penalised(score, length + 1u - start), log_prob, vec3u(length + 1u, parent, id));
      }
    } else if (taken < BEAMS) {
      next_score[taken] = score;
      next_log_prob[taken] = log_prob;
      next_id[taken] = id;
      next_parent[taken] = parent;
      taken++;
    }
  }
  let full = is_full(b);
  var done = length + 1u >= limit || (full && params.early_stopping == 1u);
  let horizon = select(length + 1u, limit, params.early_stopping == 2u && params.length_penalty > 0.0) - start;
  let worst = scores[(PLANE_FINISHED * params.B + b) * BEAMS + BEAMS - 1u];
  done = done || taken == 0u || (full && penalised(next_score[0], horizon) <= worst);
  sentences[sentence + SENTENCE_LENGTH] = length + 1u;
  if (done) {
    sentences[sentence + SENTENCE_DONE] = 1u;
    atomicSub(&status[STATUS_OPEN], 1u);
    return;
  }
  let R = params.B * BEAMS;
  let table = indirection_at(length - 1u, R, params.M);      // the new table is next to the old one
  let next_table = indirection_at(length, R, params.M);
  for (var w = 0u; w < params.W; w++) {
    let r = b * BEAMS + w;
    let live = select(0u, w, w < taken);
    let parent = b * BEAMS + next_parent[live];
    let to = next_table + r * params.M;
    for (var t = 0u; t + 1u < length; t++) { indirection[to + t] = indirection[table + parent * params.M + t]; }
    indirection[to + length - 1u] = parent;
    scores[r] = select(LOWEST, next_score[w], w < taken);
    scores[PLANE_TOKEN * R + r] = next_log_prob[live];
    rows[r] = vec4u(next_id[live], length, b, next_parent[live]);
  }
}
