// beam_step: choose the next W beams of a sentence from the candidates of all its beams; keep its finished hypotheses.
//   candidates (w, id): score = running[w] + log_softmax(logits[w])[id];  the best C, ties to the smaller w*V + id
//   a candidate stops if id is an end id, or if the sentence is then `limit` long
//   next beams: the best W that do not stop; finished: those that stop and rank below W,
//   by score / generated^length_penalty
//   done: `limit` reached; or early_stopping = 1 and W finished; or no running beam can beat the worst of W finished
//   greedy search is W = 1, early_stopping = 1
//   diverse beams: `groups` sentences a prompt, a launch for each `group` in turn; a candidate's log-probability loses
//   diversity_penalty for every beam of the prompt's earlier groups that chose its id at this step
// Shapes   values: f32[R,G,C+2]   indices: u32[R,G,C] (from topk)   end_ids: u32[X]   R = B*W
//          rows: u32[R,4] (token id, position, sentence, parent beam)
//          scores: f32[4,R] (running, finished, log-probability of each row's token, of each finished one's last token)
//          sentences: u32[B,4+3*W] (length, prompt length, limit, done; then per finished: length, parent beam,
//          last id)
//          indirection: u32[2,R,M]   status: u32[2] (sentences not done, rows with logits that are not finite)
// Launch   shared: a workgroup of LANES invocations a sentence of the group; each keeps the best of its lists, then
//          each rank goes to the best of these, and the invocation that loses it looks for its next; they stride the
//          copies of the past; the first one keeps the finished
// Numerics LOG_PROBS = 1: values are log-probabilities already; early_stopping: 0 false, 1 true, 2 "never";
//          the sums and choices of the direct form
// Source   Transformers 5 generation/utils.py, _beam_search; FasterTransformer v5 (cache indirection);
//          Vijayakumar et al. 2016, arXiv:1610.02424, eq. 5 with Hamming diversity
struct Params { B: u32, W: u32, G: u32, C: u32, V: u32, M: u32, X: u32, early_stopping: u32, length_penalty: f32,
  groups: u32, group: u32, diversity_penalty: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> values: array<f32>;
@group(0) @binding(2) var<storage, read> indices: array<u32>;
@group(0) @binding(3) var<storage, read> end_ids: array<u32>;
@group(0) @binding(4) var<storage, read_write> rows: array<vec4u>;
@group(0) @binding(5) var<storage, read_write> scores: array<f32>;
@group(0) @binding(6) var<storage, read_write> sentences: array<u32>;
@group(0) @binding(7) var<storage, read_write> indirection: array<u32>;
@group(0) @binding(8) var<storage, read_write> status: array<atomic<u32>>;

const LANES: u32 = 64;
const LOG_PROBS: u32 = 0;
const BEAMS = 32u;                               // most of W, and of W * G: no variants, so that one text serves all
const LISTS = 512u;
const NONE = -3.4e38;
const NO_CHOICE = 0xffffffffu;

struct Candidate { score: f32, log_prob: f32, choice: u32, list: u32 }     // choice: w * V + id

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

fn penalised(score: f32, generated: u32) -> f32 {
  if (params.length_penalty == 1.0) { return score / f32(generated); }
  return score / pow(f32(generated), params.length_penalty);
}

fn is_end(id: u32) -> bool {
  for (var i = 0u; i < params.X; i++) { if (end_ids[i] == id) { return true; } }
  return false;
}

// Inserts a hypothesis into the sentence's finished list, best first, if it is among the best W.
fn finish(b: u32, score: f32, log_prob: f32, hypothesis: vec3u) {
  let base = b * (4u + 3u * params.W) + 4u;
  let first = (params.B + b) * params.W;
  let last = (3u * params.B + b) * params.W;
  var at = 0u;
  while (at < params.W && sentences[base + 3u * at] != 0u && scores[first + at] >= score) { at++; }
  if (at == params.W) { return; }
  for (var i = params.W - 1u; i > at; i--) {
    scores[first + i] = scores[first + i - 1u];
    scores[last + i] = scores[last + i - 1u];
    for (var field = 3u * i; field < 3u * i + 3u; field++) { sentences[base + field] = sentences[base + field - 3u]; }
  }
  scores[first + at] = score;
  scores[last + at] = log_prob;
  for (var field = 0u; field < 3u; field++) { sentences[base + 3u * at + field] = hypothesis[field]; }
}

// Beams of the prompt's earlier groups that have just chosen this id.
fn chosen_before(b: u32, id: u32) -> f32 {
  var count = 0.0;
  for (var other = b - params.group; other < b; other++) {
    if (sentences[other * (4u + 3u * params.W) + 3u] == 1u) { continue; }
    for (var w = 0u; w < params.W; w++) { if (rows[other * params.W + w].x == id) { count += 1.0; } }
  }
  return count;
}

fn beats(a: Candidate, b: Candidate) -> bool {
  return a.score > b.score || (a.score == b.score && a.choice < b.choice);
}

// The best of the invocation's lists that comes after the choice taken last.
fn best_of_lists(b: u32, lane: u32, last: Candidate) -> Candidate {
  let diverse = params.diversity_penalty != 0.0;
  var found = Candidate(NONE, 0.0, NO_CHOICE, 0u);
  for (var l = lane; l < params.W * params.G; l += LANES) {
    // Lists are sorted: only their heads compete, unless penalties change the order.
    let first = select(heads[l], 0u, diverse);
    let end = select(min(first + 1u, params.C), params.C, diverse);
    for (var c = first; c < end; c++) {
      let at = b * params.W * params.G + l;
      let id = indices[at * params.C + c];
      if (id == 0xffffffffu) { break; }
      let w = l / params.G;
      var own = values[at * (params.C + 2u) + c] - top[w] - log_sum[w];
      if (diverse) { own -= params.diversity_penalty * chosen_before(b, id); }
      let candidate = Candidate(running[w] + own, own, w * params.V + id, l);
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
  let sentence = b * (4u + 3u * params.W);
  if (lane == 0u) {
    state = vec4u(sentences[sentence], sentences[sentence + 1u], sentences[sentence + 2u], sentences[sentence + 3u]);
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
    if (sums[l] < 0.0) { atomicAdd(&status[1], 1u); }
  }
  workgroupBarrier();
  for (var w = lane; w < params.W; w += LANES) {
    var peak = NONE;
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
  for (var rank = 0u; rank < params.C; rank++) {
    if (lost) { own = best_of_lists(b, lane, own); }
    best[lane] = own;
    workgroupBarrier();
    for (var many = min(LANES, params.W * params.G); many > 1u; many = (many + 1u) / 2u) {
      let other = lane + (many + 1u) / 2u;
      if (other < many && beats(best[other], best[lane])) { best[lane] = best[other]; }
      workgroupBarrier();
    }
    lost = own.choice == best[0].choice && own.choice != NO_CHOICE;
    if (lost) {
      if (length + 1u >= limit || is_end(own.choice % params.V)) {
        if (rank < params.W) {
          stopped[stops] = own;
          stops++;
        }
      } else if (taken < params.W) {
        next[taken] = own;
        taken++;
      }
      heads[own.list]++;
    }
    if (workgroupUniformLoad(&taken) == params.W) { break; }     // later ranks cannot finish
  }
  if (lane == 0u) {
    for (var i = 0u; i < stops; i++) {
      let hypothesis = vec3u(length + 1u, stopped[i].choice / params.V, stopped[i].choice % params.V);
      finish(b, penalised(stopped[i].score, length + 1u - start), stopped[i].log_prob, hypothesis);
    }
    let full = sentences[sentence + 1u + 3u * params.W] != 0u;   // the last of the finished is there
    var done = length + 1u >= limit || (full && params.early_stopping == 1u);
    let horizon = select(length + 1u, limit, params.early_stopping == 2u && params.length_penalty > 0.0) - start;
    let worst = scores[(params.B + b) * params.W + params.W - 1u];
    done = done || (full && (taken == 0u || penalised(next[0].score, horizon) <= worst));
    sentences[sentence] = length + 1u;
    state.w = u32(done);
    if (done) {
      sentences[sentence + 3u] = 1u;
      atomicSub(&status[0], 1u);
    }
  }
  workgroupBarrier();
  if (state.w == 1u) { return; }
  let table = ((length - 1u) & 1u) * params.B * params.W;    // the new table is written beside the old
  let next_table = (length & 1u) * params.B * params.W;
  for (var w = 0u; w < params.W; w++) {
    let r = b * params.W + w;
    let parent = b * params.W + next[w].choice / params.V;
    let to = (next_table + r) * params.M;
    for (var t = lane; t + 1u < length; t += LANES) {
      indirection[to + t] = indirection[(table + parent) * params.M + t];
    }
    if (w % LANES == lane) {
      indirection[to + length - 1u] = parent;
      scores[r] = next[w].score;
      scores[2u * params.B * params.W + r] = next[w].log_prob;
      rows[r] = vec4u(next[w].choice % params.V, length, b, next[w].choice / params.V);
    }
  }
}
