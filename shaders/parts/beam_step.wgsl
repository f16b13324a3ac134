// beam_step: choose the next W beams of a sentence from the candidates of all its beams, and keep finished hypotheses.
//   candidates (w, id): score = running[w] + log_softmax(logits[w])[id] above BANNED, best first, or of equals the
//   smaller w*V + id
//   a candidate ends if id is an end id, or if the sentence then has `limit` tokens
//   next beams: the best W that do not end; the others, where there are fewer, are dead: copies of the first with score
//   LOWEST
//   finished: those that end and are among the best W, sorted by score / generated^length_penalty; the best A stay
//   done: `limit` is reached; or no candidate goes on; or early_stopping = 1 and A finished; or no beam can beat the
//   worst of A finished
//   greedy search is W = 1, early_stopping = 1
//   in OpenNMT's search candidates rank by score / ((5 + generated) / 6)^length_penalty, and the best W go on; a
//   beam that ends stays, with its end id at log-probability 0 as its only candidate, which counts as one more token,
//   and ranks with coverage_penalty times its coverage more; done: `limit` is reached, or all beams have ended
//   diverse beams: the sentences of a prompt are stepped one after the other; diversity_penalty is subtracted from a
//   log-probability for each beam of the prompt's earlier groups that chose the same id in this step
//   a sentence with logits that are not finite ends as it is; rows of a sentence that ends become idle
// Shapes   values: f32[R,G,C+2]   indices: u32[R,G,C] (from topk or sample)
//          lists: u32[X] (each sentence's as packRules packs them)   rows: u32[R,4] (token id, position, sentence,
//          parent beam)   scores: f32[5,Q]   sentences: u32[B,Y], A = (Y-35)/3   indirection: u32[R,3,M]
//          status: u32[2]   (search_state names the fields of all these)
struct Params { B: u32, Q: u32, G: u32, C: u32, M: u32, Y: u32, W: u32, V: u32 } // W is the most of any sentence
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> values: array<f32>;
@group(0) @binding(2) var<storage, read> indices: array<u32>;
@group(0) @binding(3) var<storage, read> lists: array<u32>;
@group(0) @binding(4) var<storage, read_write> rows: array<vec4u>;
@group(0) @binding(5) var<storage, read_write> scores: array<f32>;
@group(0) @binding(6) var<storage, read_write> sentences: array<u32>;
@group(0) @binding(7) var<storage, read_write> indirection: array<u32>;
@group(0) @binding(8) var<storage, read_write> status: array<atomic<u32>>;

// A sentence and what its settings ask for.
struct Search {
  b: u32, open: u32, length: u32, start: u32, limit: u32,
  first: u32, W: u32, A: u32, C: u32, ends: u32,
  groups: u32, group: u32, early_stopping: u32, opennmt: u32, log_probs: u32,
  length_penalty: f32, coverage_penalty: f32, diversity_penalty: f32,
}
var<private> own: Search;

// Sentence b, which is open if it is not done and the one with this number of its prompt.
fn search_of(b: u32, group: u32) -> Search {
  let flags = setting(b, SETTING_FLAGS);
  var s: Search;
  s.b = b;
  s.group = setting(b, SETTING_GROUP);
  s.groups = setting(b, SETTING_GROUPS);
  s.open = u32(setting(b, SENTENCE_DONE) == DONE_OPEN && s.group == group);
  s.length = setting(b, SENTENCE_LENGTH);
  s.start = setting(b, SENTENCE_START);
  s.limit = setting(b, SENTENCE_LIMIT);
  s.first = setting(b, SETTING_FIRST);
  s.W = min(setting(b, SETTING_W), params.W);
  s.A = setting(b, SETTING_A);
  s.C = setting(b, SETTING_C);
  s.ends = setting(b, SETTING_LISTS);
  s.early_stopping = setting(b, SETTING_EARLY_STOPPING);
  s.opennmt = flags & FLAG_OPENNMT;
  s.log_probs = flags & FLAG_LOG_PROBS;
  s.length_penalty = setting_f32(b, SETTING_LENGTH_PENALTY);
  s.coverage_penalty = setting_f32(b, SETTING_COVERAGE_PENALTY);
  s.diversity_penalty = setting_f32(b, SETTING_DIVERSITY_PENALTY);
  return s;
}

struct Candidate { score: f32, log_prob: f32, choice: u32, list: u32 }     // choice: w * V + id

fn beats(a: Candidate, b: Candidate) -> bool {
  return a.score > b.score || (a.score == b.score && a.choice < b.choice);
}

// Candidate c of a list, one of the G parts of beam w, whose log-softmax is value - top - log_sum. Its choice is NO_ID
// if there is none, if it is banned, or if the beam is dead: nothing is added to a score that low, which could leave
// the finite range.
fn candidate_at(w: u32, list: u32, c: u32, running: f32, top: f32, log_sum: f32) -> Candidate {
  let at = own.first * params.G + list;
  var id = indices[at * params.C + c];
  var log_prob = values[at * (params.C + 2u) + c] - top - log_sum;
  let stays = own.opennmt != 0u && has_ended(w);
  if (stays) {
    id = select(NO_ID, sentences[hypothesis_at(w) + FINISHED_ID], list % params.G == 0u && c == 0u);
    log_prob = 0.0;
  }
  if (id == NO_ID || running <= BANNED) { return Candidate(ABSENT, 0.0, NO_ID, list); }
  if (own.diversity_penalty != 0.0) { log_prob -= own.diversity_penalty * chosen_before(id); }
  var score = running + log_prob;
  let choice = select(NO_ID, w * params.V + id, score > BANNED);
  if (own.opennmt != 0u) { score = penalised(score, 1u + generated(w)); }
  if (stays) { score += own.coverage_penalty * scores[PLANE_COVERAGE * params.Q + own.first + w]; }
  return Candidate(score, log_prob, choice, list);
}

fn penalised(score: f32, generated: u32) -> f32 {
  let size = select(f32(generated), (5.0 + f32(generated)) / 6.0, own.opennmt != 0u);
  if (own.length_penalty == 1.0) { return score / size; }
  return score / pow(size, own.length_penalty);
}

fn is_end(id: u32) -> bool {
  for (var i = 0u; i < lists[own.ends]; i++) { if (lists[own.ends + 4u + i] == id) { return true; } }
  return false;
}

// Inserts a hypothesis (length, parent, id) into the sentence's finished list, best first, if it is among the best A.
fn finish(score: f32, log_prob: f32, hypothesis: vec3u) {
  let list = hypothesis_at(0u);
  let first = finished_at(PLANE_FINISHED);
  let last = finished_at(PLANE_LAST);
  var at = 0u;
  while (at < own.A && sentences[list + FINISHED_FIELDS * at] != 0u && scores[first + at] >= score) { at++; }
  if (at == own.A) { return; }
  for (var i = own.A - 1u; i > at; i--) {
    scores[first + i] = scores[first + i - 1u];
    scores[last + i] = scores[last + i - 1u];
    let to = list + FINISHED_FIELDS * i;
    for (var k = to; k < to + FINISHED_FIELDS; k++) { sentences[k] = sentences[k - FINISHED_FIELDS]; }
  }
  scores[first + at] = score;
  scores[last + at] = log_prob;
  let to = list + FINISHED_FIELDS * at;
  for (var field = 0u; field < FINISHED_FIELDS; field++) { sentences[to + field] = hypothesis[field]; }
}

// Where hypothesis i begins in `sentences`, and the first one in a plane of `scores`.
fn hypothesis_at(i: u32) -> u32 { return own.b * params.Y + SENTENCE_HEAD + FINISHED_FIELDS * i; }

fn finished_at(plane: u32) -> u32 {
  return plane * params.Q + own.b * ((params.Y - SENTENCE_HEAD) / FINISHED_FIELDS);
}

// Whether a sentence whose best beam has this score needs no more of Transformers' steps.
fn is_settled(score: f32, generated: u32) -> bool {
  if (sentences[hypothesis_at(own.A - 1u) + FINISHED_LENGTH] == 0u) { return false; }
  let horizon = select(generated, own.limit - own.start, own.early_stopping == 2u && own.length_penalty > 0.0);
  let worst = scores[finished_at(PLANE_FINISHED) + own.A - 1u];
  return own.early_stopping == 1u || penalised(score, horizon) <= worst;
}

// How many beams of the prompt's earlier groups chose this id in this step.
fn chosen_before(id: u32) -> f32 {
  var count = 0.0;
  for (var other = own.b - own.group; other < own.b; other++) {
    if (setting(other, SENTENCE_DONE) != DONE_OPEN) { continue; }
    let first = setting(other, SETTING_FIRST);
    for (var r = first; r < first + setting(other, SETTING_W); r++) {
      if (rows[r].x == id && scores[r] > BANNED) { count += 1.0; }     // a dead beam chose nothing
    }
  }
  return count;
}

fn end_sentence(done: u32) {
  sentences[own.b * params.Y + SENTENCE_DONE] = done;
  for (var r = own.first; r < own.first + own.W; r++) { rows[r].z = NO_ID; }
  atomicAdd(&status[STATUS_ENDED], 1u);
}
