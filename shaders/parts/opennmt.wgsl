// OpenNMT's search, in which a beam that ends stays among the W, with its end id at log-probability 0 from then on:
// hypothesis w of a sentence is that of its beam w.
fn has_ended(w: u32) -> bool { return sentences[hypothesis_at(w) + FINISHED_LENGTH] != 0u; }

// How many tokens beam w has generated, its end id among them.
fn generated(w: u32) -> u32 {
  let ended = sentences[hypothesis_at(w) + FINISHED_LENGTH];
  return select(own.length, ended, ended != 0u) - own.start;
}

// The hypothesis of the beam that a candidate makes: length (0 if it goes on), parent, id, bits of the log-probability.
fn hypothesis_of(candidate: Candidate) -> vec4u {
  let w = candidate.choice / params.V;
  let id = candidate.choice % params.V;
  let at = hypothesis_at(w);
  if (has_ended(w)) {
    let log_prob = scores[finished_at(PLANE_LAST) + w];
    return vec4u(sentences[at], sentences[at + FINISHED_PARENT], id, bitcast<u32>(log_prob));
  }
  let length = own.length + 1u;
  let ends = length >= own.limit || is_end(id);
  return vec4u(select(0u, length, ends), w, id, bitcast<u32>(candidate.log_prob));
}

// Makes it the hypothesis of beam w.
fn keep(w: u32, score: f32, hypothesis: vec4u) {
  let at = hypothesis_at(w);
  for (var field = 0u; field < FINISHED_FIELDS; field++) { sentences[at + field] = hypothesis[field]; }
  scores[finished_at(PLANE_FINISHED) + w] = score;
  scores[finished_at(PLANE_LAST) + w] = bitcast<f32>(hypothesis.w);
}

// Whether the first `count` beams have ended: the others are dead.
fn have_ended(count: u32) -> bool {
  var w = 0u;
  while (w < count && has_ended(w)) { w++; }
  return w == count;
}
