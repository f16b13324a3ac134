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
//   with SEARCH 1, OpenNMT's: candidates rank by score / ((5 + generated) / 6)^length_penalty, and the best W go on; a
//   beam that ends stays, with its end id at log-probability 0 as its only candidate, which counts as one more token,
//   and ranks with coverage_penalty times its coverage more; done: `limit` is reached, or all beams have ended
//   diverse beams: `groups` sentences a prompt, with a launch for each `group` in turn; diversity_penalty is subtracted
//   from a log-probability for each beam of the prompt's earlier groups that chose the same id in this step
// Shapes   values: f32[R,G,C+2]   indices: u32[R,G,C] (from topk)   end_ids: u32[X]   R = B*W
//          rows: u32[R,4] (token id, position, sentence, parent beam)
//          scores: f32[5,Q]   status: u32[2]
//          sentences: u32[B,4+3*A]   (search_state names the fields of all these)
//          indirection: u32[2,R,M]
struct Params { B: u32, W: u32, A: u32, Q: u32, G: u32, C: u32, V: u32, M: u32, X: u32, early_stopping: u32,
  length_penalty: f32, coverage_penalty: f32, groups: u32, group: u32, diversity_penalty: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> values: array<f32>;
@group(0) @binding(2) var<storage, read> indices: array<u32>;
@group(0) @binding(3) var<storage, read> end_ids: array<u32>;
@group(0) @binding(4) var<storage, read_write> rows: array<vec4u>;
@group(0) @binding(5) var<storage, read_write> scores: array<f32>;
@group(0) @binding(6) var<storage, read_write> sentences: array<u32>;
@group(0) @binding(7) var<storage, read_write> indirection: array<u32>;
@group(0) @binding(8) var<storage, read_write> status: array<atomic<u32>>;

const LOG_PROBS: u32 = 0;                        // values already are log-probabilities
const SEARCH: u32 = 0;                           // whose rules hold
const TRANSFORMERS = 0u;
const OPENNMT = 1u;

struct Candidate { score: f32, log_prob: f32, choice: u32, list: u32 }     // choice: w * V + id

fn beats(a: Candidate, b: Candidate) -> bool {
  return a.score > b.score || (a.score == b.score && a.choice < b.choice);
}

// Candidate c of a list of sentence b, one of the G parts of row w, whose log-softmax is value - top - log_sum. Its
// choice is NO_ID if there is none, if it is banned, or if the beam is dead: nothing is added to a score that low,
// which could leave the finite range.
fn candidate_at(b: u32, w: u32, list: u32, c: u32, running: f32, top: f32, log_sum: f32) -> Candidate {
  let at = b * params.W * params.G + list;
  var id = indices[at * params.C + c];
  var own = values[at * (params.C + 2u) + c] - top - log_sum;
  let stays = SEARCH == OPENNMT && has_ended(b, w);
  if (stays) {
    id = select(NO_ID, sentences[hypothesis_at(b, w) + FINISHED_ID], list % params.G == 0u && c == 0u);
    own = 0.0;
  }
  if (id == NO_ID || running <= BANNED) { return Candidate(ABSENT, 0.0, NO_ID, list); }
  if (params.diversity_penalty != 0.0) { own -= params.diversity_penalty * chosen_before(b, id); }
  var score = running + own;
  let choice = select(NO_ID, w * params.V + id, score > BANNED);
  if (SEARCH == OPENNMT) { score = penalised(score, 1u + generated(b, w)); }
  if (stays) { score += params.coverage_penalty * scores[PLANE_COVERAGE * params.Q + b * params.W + w]; }
  return Candidate(score, own, choice, list);
}

fn penalised(score: f32, generated: u32) -> f32 {
  let size = select(f32(generated), (5.0 + f32(generated)) / 6.0, SEARCH == OPENNMT);
  if (params.length_penalty == 1.0) { return score / size; }
  return score / pow(size, params.length_penalty);
}

fn is_end(id: u32) -> bool {
  for (var i = 0u; i < params.X; i++) { if (end_ids[i] == id) { return true; } }
  return false;
}

// Inserts a hypothesis (length, parent, id) into the sentence's finished list, best first, if it is among the best A.
fn finish(b: u32, score: f32, log_prob: f32, hypothesis: vec3u) {
  let list = hypothesis_at(b, 0u);
  let first = PLANE_FINISHED * params.Q + b * params.A;
  let last = PLANE_LAST * params.Q + b * params.A;
  var at = 0u;
  while (at < params.A && sentences[list + FINISHED_FIELDS * at] != 0u && scores[first + at] >= score) { at++; }
  if (at == params.A) { return; }
  for (var i = params.A - 1u; i > at; i--) {
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

// Where hypothesis i of sentence b begins in `sentences`.
fn hypothesis_at(b: u32, i: u32) -> u32 { return sentence_at(b, params.A) + SENTENCE_HEAD + FINISHED_FIELDS * i; }

// Whether a sentence whose best beam has this score needs no more of Transformers' steps.
fn is_settled(b: u32, score: f32, generated: u32, most: u32) -> bool {
  if (sentences[hypothesis_at(b, params.A - 1u) + FINISHED_LENGTH] == 0u) { return false; }
  let horizon = select(generated, most, params.early_stopping == 2u && params.length_penalty > 0.0);
  let worst = scores[PLANE_FINISHED * params.Q + b * params.A + params.A - 1u];
  return params.early_stopping == 1u || penalised(score, horizon) <= worst;
}

// How many beams of the prompt's earlier groups chose this id in this step.
fn chosen_before(b: u32, id: u32) -> f32 {
  var count = 0.0;
  for (var other = b - params.group; other < b; other++) {
    if (sentences[sentence_at(other, params.A) + SENTENCE_DONE] == 1u) { continue; }
    for (var r = other * params.W; r < (other + 1u) * params.W; r++) {
      if (rows[r].x == id && scores[r] > BANNED) { count += 1.0; }     // a dead beam chose nothing
    }
  }
  return count;
}
