// logits_process: directly, for any adapter.
// Parts    logits_process, timestamps, search_state, constants
// Launch   one invocation a row
// Numerics a banned token scores LOWEST, never an infinity
// Source   Transformers 5 generation/logits_process.py


fn ban(at: u32, first: u32, count: u32) {
  for (var i = first; i < first + count; i++) { logits[at + rules[i]] = LOWEST; }
}

fn force(at: u32, id: u32) {
  for (var v = 0u; v < params.V; v++) { logits[at + v] = select(LOWEST, 0.0, v == id); }
}

fn penalise_repetition(r: u32, at: u32, length: u32) {
  let first = first_distinct(r);
  for (var t = first; t < length; t++) {
    let id = token(r, t);
    var seen = false;
    for (var u = first; u < t; u++) { seen = seen || token(r, u) == id; }
    if (!seen) { logits[at + id] = penalised(logits[at + id]); }
  }
}

fn ban_sequences(r: u32, at: u32, length: u32) {
  var next = 4u + rules[0] + rules[1] + rules[2];
  for (var i = 0u; i < rules[3]; i++) {
    let count = rules[next];
    var hit = count == 1u || count <= length;                // not yet, if longer than the row
    for (var j = 1u; hit && j < count; j++) { hit = token(r, length - count + j) == rules[next + j]; }
    if (hit) { logits[at + rules[next + count]] = LOWEST; }
    next += count + 1u;
  }
}

fn keep_timestamps(r: u32, at: u32, length: u32, start: u32) {
  let allowed = timestamps_after(r, length, start);
  var text = LOWEST;
  var best = LOWEST;
  for (var v = 0u; v < params.V; v++) {
    if (bans(allowed, v)) { logits[at + v] = LOWEST; }
    if (is_timestamp(v)) { best = max(best, logits[at + v]); } else { text = max(text, logits[at + v]); }
  }
  var total = 0.0;
  for (var v = params.no_timestamps + 1u; v < params.V; v++) { total += exp(logits[at + v] - best); }
  if (best > BANNED && best + log(total) > text) {
    for (var v = 0u; v <= params.no_timestamps; v++) { logits[at + v] = LOWEST; }
  }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  if (HAS_STATUS == 1u && status[0] == 0u) { return; }
  let r = (group.y * grid.x + group.x) * 64u + lane;
  if (r >= params.R) { return; }
  let at = r * params.V;
  let position = rows[r].y;
  let length = lead(r) + position + 1u;
  let sentence = rows[r].z * params.Y;
  let start = lead(r) + sentences[sentence + SENTENCE_START];
  history[position * params.R + r] = rows[r].x;
  if (LOG_SOFTMAX == 1u) {
    var top = LOWEST;
    for (var v = 0u; v < params.V; v++) { top = max(top, logits[at + v]); }
    var total = 0.0;
    for (var v = 0u; v < params.V; v++) { total += exp(logits[at + v] - top); }
    let log_total = log(total);
    for (var v = 0u; v < params.V; v++) { logits[at + v] = logits[at + v] - top - log_total; }
  }
  if (has_penalties()) { penalise_repetition(r, at, length); }
  let prefix = params.no_repeat_ngram_size - 1u;             // unused when the size is 0
  if (params.no_repeat_ngram_size > 0u && length >= params.no_repeat_ngram_size) {
    for (var end = prefix; end < length; end++) {
      if (same_tail(r, end, length, prefix)) { logits[at + token(r, end)] = LOWEST; }
    }
  }
  ban_sequences(r, at, length);
  if (length - start < params.min_new_tokens) { ban(at, 4u, rules[0]); }
  let first = forced_bos(r, length);
  if (first != NO_ID) { force(at, first); }
  let limit = sentences[sentence + SENTENCE_LIMIT];
  if (params.forced_eos != NO_ID && position + 2u == limit) { force(at, params.forced_eos); }
  ban(at, 4u + rules[0], rules[1]);
  if (length == start + select(0u, params.begin, start == 1u)) { ban(at, 4u + rules[0] + rules[1], rules[2]); }
  if (params.no_timestamps != NO_ID) { keep_timestamps(r, at, length, start); }
}
