// OpenNMT's search, in which a beam that ends stays among the W, with its end id at log-probability 0 from then on:
// hypothesis w of a sentence is that of its beam w.
fn has_ended(b: u32, w: u32) -> bool { return sentences[hypothesis_at(b, w) + FINISHED_LENGTH] != 0u; }

// How many tokens beam w has generated, its end id among them.
fn generated(b: u32, w: u32) -> u32 {
  let sentence = sentence_at(b, params.A);
  let ended = sentences[hypothesis_at(b, w) + FINISHED_LENGTH];
  return select(sentences[sentence + SENTENCE_LENGTH], ended, ended != 0u) - sentences[sentence + SENTENCE_START];
}

// The hypothesis of the beam that a candidate makes: length (0 if it goes on), parent, id, bits of the log-probability.
fn hypothesis_of(b: u32, candidate: Candidate) -> vec4u {
  let w = candidate.choice / params.V;
  let id = candidate.choice % params.V;
  let at = hypothesis_at(b, w);
  if (has_ended(b, w)) {
    let log_prob = scores[PLANE_LAST * params.Q + b * params.A + w];
    return vec4u(sentences[at], sentences[at + FINISHED_PARENT], id, bitcast<u32>(log_prob));
  }
  let sentence = sentence_at(b, params.A);
  let length = sentences[sentence + SENTENCE_LENGTH] + 1u;
  let ends = length >= sentences[sentence + SENTENCE_LIMIT] || is_end(id);
  return vec4u(select(0u, length, ends), w, id, bitcast<u32>(candidate.log_prob));
}

// Makes it the hypothesis of beam w.
fn keep(b: u32, w: u32, score: f32, hypothesis: vec4u) {
  let at = hypothesis_at(b, w);
  for (var field = 0u; field < FINISHED_FIELDS; field++) { sentences[at + field] = hypothesis[field]; }
  scores[PLANE_FINISHED * params.Q + b * params.A + w] = score;
  scores[PLANE_LAST * params.Q + b * params.A + w] = bitcast<f32>(hypothesis.w);
}

// Whether the first `count` beams have ended: the others are dead.
fn have_ended(b: u32, count: u32) -> bool {
  var w = 0u;
  while (w < count && has_ended(b, w)) { w++; }
  return w == count;
}
