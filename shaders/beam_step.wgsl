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
// Launch   direct: one invocation a sentence of the group
// Numerics LOG_PROBS = 1: values are log-probabilities already; early_stopping: 0 false, 1 true, 2 "never"
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

const BEAMS: u32 = 32;                           // W, for arrays; loops run to params.W, or a CPU adapter unrolls them
const LISTS: u32 = 256;                          // W * G, likewise
const LOG_PROBS: u32 = 0;
const NONE = -3.4e38;

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
  let base = b * (4u + 3u * BEAMS) + 4u;
  let best = (params.B + b) * BEAMS;
  let last = (3u * params.B + b) * BEAMS;
  var at = 0u;
  while (at < params.W && sentences[base + 3u * at] != 0u && scores[best + at] >= score) { at++; }
  if (at == params.W) { return; }
  for (var i = params.W - 1u; i > at; i--) {
    scores[best + i] = scores[best + i - 1u];
    scores[last + i] = scores[last + i - 1u];
    for (var field = 3u * i; field < 3u * i + 3u; field++) { sentences[base + field] = sentences[base + field - 3u]; }
  }
  scores[best + at] = score;
  scores[last + at] = log_prob;
  for (var field = 0u; field < 3u; field++) { sentences[base + 3u * at + field] = hypothesis[field]; }
}

// Beams of the prompt's earlier groups that have just chosen this id.
fn chosen_before(b: u32, id: u32) -> f32 {
  var count = 0.0;
  for (var other = b - params.group; other < b; other++) {
    if (sentences[other * (4u + 3u * BEAMS) + 3u] == 1u) { continue; }
    for (var w = 0u; w < params.W; w++) { if (rows[other * BEAMS + w].x == id) { count += 1.0; } }
  }
  return count;
}

@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let b = (group.y * grid.x + group.x) * params.groups + params.group;
  if (b >= params.B) { return; }
  let sentence = b * (4u + 3u * BEAMS);
  if (sentences[sentence + 3u] == 1u) { return; }
  let length = sentences[sentence];
  let start = sentences[sentence + 1u];
  let limit = sentences[sentence + 2u];
  var top: array<f32, BEAMS>;                    // log-softmax of a row: logit - top - log_sum
  var log_sum: array<f32, BEAMS>;
  for (var w = 0u; w < params.W; w++) {
    let row = (b * BEAMS + w) * params.G;
    var peak = NONE;
    for (var g = 0u; g < params.G; g++) { peak = max(peak, values[(row + g) * (params.C + 2u) + params.C]); }
    var total = 0.0;
    for (var g = 0u; g < params.G; g++) {
      let part = (row + g) * (params.C + 2u) + params.C;
      if (values[part + 1u] < 0.0) { atomicAdd(&status[1], 1u); }
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
  for (var rank = 0u; rank < params.C && (taken < BEAMS || rank < BEAMS); rank++) {
    var score = NONE;
    var log_prob = 0.0;
    var choice = 0xffffffffu;                    // w * V + id
    var list = 0u;
    for (var l = 0u; l < params.W * params.G; l++) {
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
    if (choice == 0xffffffffu) { break; }
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
  let full = sentences[sentence + 1u + 3u * BEAMS] != 0u;   // the last of the finished is there
  var done = length + 1u >= limit || (full && params.early_stopping == 1u);
  let horizon = select(length + 1u, limit, params.early_stopping == 2u && params.length_penalty > 0.0) - start;
  let worst = scores[(params.B + b) * BEAMS + BEAMS - 1u];
  done = done || (full && (taken == 0u || penalised(next_score[0], horizon) <= worst));
  sentences[sentence] = length + 1u;
  if (done) {
    sentences[sentence + 3u] = 1u;
    atomicSub(&status[0], 1u);
    return;
  }
  let table = ((length - 1u) & 1u) * params.B * BEAMS;      // the new table is written beside the old
  let next_table = (length & 1u) * params.B * BEAMS;
  for (var w = 0u; w < params.W; w++) {
    let r = b * BEAMS + w;
    let parent = b * BEAMS + next_parent[w];
    let to = (next_table + r) * params.M;
    for (var t = 0u; t + 1u < length; t++) { indirection[to + t] = indirection[(table + parent) * params.M + t]; }
    indirection[to + length - 1u] = parent;
    scores[r] = next_score[w];
    scores[2u * params.B * BEAMS + r] = next_log_prob[w];
    rows[r] = vec4u(next_id[w], length, b, next_parent[w]);
  }
}
