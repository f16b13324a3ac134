// beam_step: through workgroup memory, for GPUs.
// Parts    beam_step, opennmt, search_state, settings, constants
// Launch   a workgroup of LANES invocations a sentence, that of the first of a prompt for all its groups; each
//          invocation knows the best candidate of its lists; each rank goes to the best of these, and the invocation
//          that had it finds its next best; all copy the past; the first one writes finished hypotheses
// Numerics early_stopping: 0 false, 1 true, 2 "never"; the same sums and choices as the direct variant
// Source   Transformers 5 generation/utils.py, _beam_search; OpenNMT-tf utils/decoding.py, BeamSearch;
//          FasterTransformer v5 (cache indirection); Vijayakumar et al. 2016, arXiv:1610.02424, eq. 5 with Hamming
//          diversity; Wu et al. 2016, arXiv:1609.08144, eq. 14

const LANES: u32 = 64;
const BEAMS = 32u;                               // most of W, and of W * G: constant, so that one text serves all
const LISTS = 512u;

var<workgroup> search: Search;
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
var<workgroup> broken: atomic<u32>;
var<workgroup> outcome: u32;                     // of the sentence

// The same sentence for all invocations.
fn shared_search(lane: u32, b: u32, group: u32) -> Search {
  if (lane == 0u) { search = search_of(b, group); }
  return workgroupUniformLoad(&search);
}

// Leaves the log-softmax of each beam, and nothing of the sentence before; DONE_BROKEN if a logit is not finite.
fn sum_parts(lane: u32) -> u32 {
  if (lane == 0u) {
    taken = 0u;
    stops = 0u;
    enough = 0u;
    atomicStore(&broken, 0u);
  }
  workgroupBarrier();
  for (var l = lane; l < own.W * params.G; l += LANES) {
    let part = (own.first * params.G + l) * (params.C + 2u) + params.C;
    peaks[l] = values[part];
    sums[l] = values[part + 1u];
    heads[l] = 0u;
    if (sums[l] < 0.0) { atomicStore(&broken, 1u); }
  }
  workgroupBarrier();
  for (var w = lane; w < own.W; w += LANES) {
    var peak = ABSENT;
    var total = 0.0;
    for (var l = w * params.G; l < (w + 1u) * params.G; l++) { peak = max(peak, peaks[l]); }
    for (var l = w * params.G; l < (w + 1u) * params.G; l++) { total += sums[l] * exp(peaks[l] - peak); }
    running[w] = scores[own.first + w];
    top[w] = select(peak, 0.0, own.log_probs != 0u);
    log_sum[w] = select(log(total), 0.0, own.log_probs != 0u);
  }
  if (lane == 0u) { outcome = select(DONE_OPEN, DONE_BROKEN, atomicLoad(&broken) == 1u); }
  return workgroupUniformLoad(&outcome);
}

// The best candidate of the invocation's lists after the choice that was taken last.
fn best_of_lists(lane: u32, last: Candidate) -> Candidate {
  let diverse = own.diversity_penalty != 0.0;
  var found = Candidate(ABSENT, 0.0, NO_ID, 0u);
  for (var l = lane; l < own.W * params.G; l += LANES) {
    // Lists are sorted: only their first candidates compete, unless penalties change the order.
    let w = l / params.G;
    let first = select(heads[l], 0u, diverse);
    let end = select(min(first + 1u, own.C), own.C, diverse);
    for (var c = first; c < end; c++) {
      let candidate = candidate_at(w, l, c, running[w], top[w], log_sum[w]);
      if (candidate.choice == NO_ID) { break; }
      if ((!diverse || beats(last, candidate)) && beats(candidate, found)) { found = candidate; }
    }
  }
  return found;
}

// Leaves the beams that go on, and the candidates that end in Transformers' search.
fn choose(lane: u32, W: u32, length: u32, limit: u32) {
  var mine = Candidate(3.4e38, 0.0, 0u, 0u);
  var lost = true;
  for (var rank = 0u; rank < W || length < limit; rank++) {
    if (lost) { mine = best_of_lists(lane, mine); }
    best[lane] = mine;
    workgroupBarrier();
    for (var many = min(LANES, W * params.G); many > 1u; many = (many + 1u) / 2u) {
      let other = lane + (many + 1u) / 2u;
      if (other < many && beats(best[other], best[lane])) { best[lane] = best[other]; }
      workgroupBarrier();
    }
    lost = mine.choice == best[0].choice && mine.choice != NO_ID;
    if (lost) {
      if (own.opennmt == 0u && (length >= limit || is_end(mine.choice % params.V))) {
        if (rank < W) {
          stopped[stops] = mine;
          stops++;
        }
      } else if (taken < W) {
        next[taken] = mine;
        taken++;
        if (taken == W) { enough = 1u; }                         // later ranks cannot finish
      }
      heads[mine.list]++;
    }
    if (lane == 0u && best[0].choice == NO_ID) { enough = 1u; }
    if (workgroupUniformLoad(&enough) == 1u) { break; }
  }
}

// Keeps the hypotheses that end, and tells all invocations whether no further step is needed.
fn finish_all(lane: u32, opennmt: bool) -> u32 {
  let length = own.length + 1u;
  if (opennmt) {
    var kept = vec4u();
    if (lane < taken) { kept = hypothesis_of(next[lane]); }
    storageBarrier();
    if (lane < own.W) { keep(lane, select(0.0, next[lane].score, lane < taken), kept); }
    storageBarrier();
  }
  if (lane == 0u) {
    for (var i = 0u; i < stops; i++) {
      let hypothesis = vec3u(length, stopped[i].choice / params.V, stopped[i].choice % params.V);
      finish(penalised(stopped[i].score, length - own.start), stopped[i].log_prob, hypothesis);
    }
    var done = length >= own.limit || taken == 0u;
    if (opennmt) {
      done = done || have_ended(taken);
    } else {
      done = done || is_settled(next[0].score, length - own.start);
    }
    sentences[own.b * params.Y + SENTENCE_LENGTH] = length;
    outcome = select(DONE_OPEN, DONE_DONE, done);
  }
  return workgroupUniformLoad(&outcome);
}

// Makes the best candidates the beams; each copies the slots of its parent.
fn go_on(lane: u32) {
  let length = own.length;
  for (var w = 0u; w < own.W; w++) {
    let r = own.first + w;
    let live = next[select(0u, w, w < taken)];
    let parent = live.choice / params.V;
    let table = indirection_at(own.first + parent, length - 1u, params.M);
    let to = indirection_at(r, length, params.M);
    for (var t = lane; t < length; t += LANES) { indirection[to + t] = indirection[table + t]; }
    if (w % LANES == lane) {
      indirection[to + length] = indirection[homes_at(r, params.M) + length];
      scores[r] = select(LOWEST, running[parent] + live.log_prob, w < taken);
      scores[PLANE_TOKEN * params.Q + r] = live.log_prob;
      rows[r] = vec4u(live.choice % params.V, length, own.b, parent);
    }
  }
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let b = group.y * grid.x + group.x;
  if (b >= params.B) { return; }
  let groups = shared_search(lane, b, 0u).groups;
  for (var i = 0u; i < groups; i++) {
    let s = shared_search(lane, b + i, i);
    if (s.open == 0u) { continue; }
    own = s;
    var done = sum_parts(lane);
    if (done == DONE_OPEN) {
      choose(lane, s.W, s.length + 1u, s.limit);
      done = finish_all(lane, s.opennmt != 0u);
    }
    if (done == DONE_OPEN) {
      go_on(lane);
    } else if (lane == 0u) {
      end_sentence(done);
    }
    storageBarrier();                            // later groups see the tokens of this one
  }
}
