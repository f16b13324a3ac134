// beam_step: through workgroup memory, for GPUs.
// Parts    beam_step, opennmt, search_state, constants
// Launch   a workgroup of LANES invocations a sentence of the group; each knows the best candidate of its lists; each
//          rank goes to the best of these, and the invocation that had it finds its next best; all copy the past; the
//          first one writes finished hypotheses
// Numerics early_stopping: 0 false, 1 true, 2 "never"; the same sums and choices as the direct variant
// Source   Transformers 5 generation/utils.py, _beam_search; OpenNMT-tf utils/decoding.py, BeamSearch;
//          FasterTransformer v5 (cache indirection); Vijayakumar et al. 2016, arXiv:1610.02424, eq. 5 with Hamming
//          diversity; Wu et al. 2016, arXiv:1609.08144, eq. 14


const LANES: u32 = 64;
const BEAMS = 32u;                               // most of W, and of W * G: constant, so that one text serves all
const LISTS = 512u;

var<workgroup> state: vec4u;                     // length, prompt length, limit, done
var<workgroup> running: array<f32, BEAMS>;
var<workgroup> top: array<f32, BEAMS>;           // log-softmax of a row: logit - top - log_sum
var<workgroup> log_sum: array<f32, BEAMS>;
var<workgroup> peaks: array<f32, LISTS>;
var<workgroup> sums: array<f32, LISTS>;
var<workgroup> heads: array<u32, LISTS>;
var<workgroup> best: array<Candidate, LANES>;
var<workgroup> next: array<Candidate, BEAMS>;
var<workgroup> taken: u32;                       // of next
var<workgroup> stopped: array<Candidate, BEAMS>;
var<workgroup> stops: u32;                       // of stopped
var<workgroup> enough: u32;                      // 1 once no further candidate matters

// The best candidate of the invocation's lists after the choice that was taken last.
fn best_of_lists(b: u32, lane: u32, last: Candidate) -> Candidate {
  let diverse = params.diversity_penalty != 0.0;
  var found = Candidate(ABSENT, 0.0, NO_ID, 0u);
  for (var l = lane; l < params.W * params.G; l += LANES) {
    // Lists are sorted: only their first candidates compete, unless penalties change the order.
    let w = l / params.G;
    let first = select(heads[l], 0u, diverse);
    let end = select(min(first + 1u, params.C), params.C, diverse);
    for (var c = first; c < end; c++) {
      let candidate = candidate_at(b, w, l, c, running[w], top[w], log_sum[w]);
      if (candidate.choice == NO_ID) { break; }
      if ((!diverse || beats(last, candidate)) && beats(candidate, found)) { found = candidate; }
    }
  }
  return found;
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let b = (group.y * grid.x + group.x) * params.groups + params.group;
  if (b >= params.B) { return; }
  let sentence = sentence_at(b, params.A);
  if (lane == 0u) {
    state = vec4u(sentences[sentence + SENTENCE_LENGTH], sentences[sentence + SENTENCE_START],
                  sentences[sentence + SENTENCE_LIMIT], sentences[sentence + SENTENCE_DONE]);
  }
  let before = workgroupUniformLoad(&state);
  if (before.w == 1u) { return; }
  let length = before.x;
  let start = before.y;
  let limit = before.z;
  for (var l = lane; l < params.W * params.G; l += LANES) {
    let part = (b * params.W * params.G + l) * (params.C + 2u) + params.C;
    peaks[l] = values[part];
    sums[l] = values[part + 1u];
    if (sums[l] < 0.0) { atomicMax(&status[STATUS_FAULTS], b * params.W + l / params.G + 1u); }
  }
  workgroupBarrier();
  for (var w = lane; w < params.W; w += LANES) {
    var peak = ABSENT;
    var total = 0.0;
    for (var l = w * params.G; l < (w + 1u) * params.G; l++) { peak = max(peak, peaks[l]); }
    for (var l = w * params.G; l < (w + 1u) * params.G; l++) { total += sums[l] * exp(peaks[l] - peak); }
    running[w] = scores[b * params.W + w];
    top[w] = select(peak, 0.0, LOG_PROBS == 1u);
    log_sum[w] = select(log(total), 0.0, LOG_PROBS == 1u);
  }
  workgroupBarrier();
  var own = Candidate(3.4e38, 0.0, 0u, 0u);
  var lost = true;
  for (var rank = 0u; rank < params.W || length + 1u < limit; rank++) {
    if (lost) { own = best_of_lists(b, lane, own); }
    best[lane] = own;
    workgroupBarrier();
    for (var many = min(LANES, params.W * params.G); many > 1u; many = (many + 1u) / 2u) {
      let other = lane + (many + 1u) / 2u;
      if (other < many && beats(best[other], best[lane])) { best[lane] = best[other]; }
      workgroupBarrier();
    }
    lost = own.choice == best[0].choice && own.choice != NO_ID;
    if (lost) {
      if (SEARCH == TRANSFORMERS && (length + 1u >= limit || is_end(own.choice % params.V))) {
        if (rank < params.W) {
          stopped[stops] = own;
          stops++;
        }
      } else if (taken < params.W) {
        next[taken] = own;
        taken++;
        if (taken == params.W) { enough = 1u; }                  // later ranks cannot finish
      }
      heads[own.list]++;
    }
    if (lane == 0u && best[0].choice == NO_ID) { enough = 1u; }
    if (workgroupUniformLoad(&enough) == 1u) { break; }
  }
  if (SEARCH == OPENNMT) {
    var kept = vec4u();
    if (lane < taken) { kept = hypothesis_of(b, next[lane]); }
    storageBarrier();
    if (lane < params.W) { keep(b, lane, next[lane].score, kept); }
    storageBarrier();
  }
  if (lane == 0u) {
    for (var i = 0u; i < stops; i++) {
      let hypothesis = vec3u(length + 1u, stopped[i].choice / params.V, stopped[i].choice % params.V);
      finish(b, penalised(stopped[i].score, length + 1u - start), stopped[i].log_prob, hypothesis);
    }
    var done = length + 1u >= limit || taken == 0u;
    if (SEARCH == OPENNMT) {
      done = done || have_ended(b, taken);
    } else {
      done = done || is_settled(b, next[0].score, length + 1u - start, limit - start);
    }
    sentences[sentence + SENTENCE_LENGTH] = length + 1u;
    state.w = u32(done);
    if (done) {
      sentences[sentence + SENTENCE_DONE] = 1u;
      atomicSub(&status[STATUS_OPEN], 1u);
    }
  }
  workgroupBarrier();
  if (state.w == 1u) { return; }
  let R = params.B * params.W;
  let table = indirection_at(length - 1u, R, params.M);    // the new table is next to the old one
  let next_table = indirection_at(length, R, params.M);
  for (var w = 0u; w < params.W; w++) {
    let r = b * params.W + w;
    let live = next[select(0u, w, w < taken)];
    let parent = b * params.W + live.choice / params.V;
    let to = next_table + r * params.M;
    for (var t = lane; t + 1u < length; t += LANES) {
      indirection[to + t] = indirection[table + parent * params.M + t];
    }
    if (w % LANES == lane) {
      indirection[to + length - 1u] = parent;
      scores[r] = select(LOWEST, running[live.choice / params.V] + live.log_prob, w < taken);
      scores[PLANE_TOKEN * params.Q + r] = live.log_prob;
      rows[r] = vec4u(live.choice % params.V, length, b, live.choice / params.V);
    }
  }
}
