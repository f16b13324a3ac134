// logits_process: directly, for any adapter.
// Parts    logits_process, timestamps, settings, search_state, constants
// Launch   one invocation a row
// Numerics a banned token scores LOWEST, never an infinity
// Source   Transformers 5 generation/logits_process.py


fn ban(at: u32, first: u32, count: u32) {
  for (var i = first; i < first + count; i++) { logits[at + lists[i]] = LOWEST; }
}

fn force(at: u32, id: u32) {
  for (var v = 0u; v < params.V; v++) { logits[at + v] = select(LOWEST, 0.0, v == id); }
}

fn penalise_repetition(r: u32, at: u32, length: u32) {
  let first = setting(rows[r].z, SETTING_LEAD_FIRST);
  for (var t = first; t < length; t++) {
    let id = token(r, t);
    var seen = false;
    for (var u = first; u < t; u++) { seen = seen || token(r, u) == id; }
    if (!seen) { logits[at + id] = penalised(rows[r].z, logits[at + id]); }
  }
}

fn ban_sequences(r: u32, at: u32, length: u32) {
  let own = setting(rows[r].z, SETTING_LISTS);
  let sequences = lists[own + 3u];
  var next = own + 4u + lists[own] + lists[own + 1u] + lists[own + 2u];
  for (var i = 0u; i < sequences; i++) {
    let count = lists[next];
    var hit = count == 1u || count <= length;                // not yet, if longer than the row
    for (var j = 1u; hit && j < count; j++) { hit = token(r, length - count + j) == lists[next + j]; }
    if (hit) { logits[at + lists[next + count]] = LOWEST; }
    next += count + 1u;
  }
}

fn keep_timestamps(r: u32, at: u32, length: u32, start: u32) {
  let allowed = timestamps_after(r, length, start);
  var text = LOWEST;
  var best = LOWEST;
  for (var v = 0u; v < params.V; v++) {
    if (bans(allowed, v)) { logits[at + v] = LOWEST; }
    if (is_timestamp(allowed, v)) { best = max(best, logits[at + v]); } else { text = max(text, logits[at + v]); }
  }
  var total = 0.0;
  for (var v = allowed.none + 1u; v < params.V; v++) { total += exp(logits[at + v] - best); }
  if (best > BANNED && best + log(total) > text) {
    for (var v = 0u; v <= allowed.none; v++) { logits[at + v] = LOWEST; }
  }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  if (HAS_STATUS == 1u && status[0] == status[1]) { return; }
  let r = (group.y * grid.x + group.x) * 64u + lane;
  if (r >= params.R || !is_ruled(r)) { return; }
  let at = r * params.V;
  let b = rows[r].z;
  let position = rows[r].y;
  let length = lead(b) + position + 1u;
  let start = lead(b) + setting(b, SENTENCE_START);
  history[indirection[indirection_at(r, position, params.M) + position]] = rows[r].x;
  if (has_flag(b, FLAG_LOG_SOFTMAX)) {
    var top = LOWEST;
    for (var v = 0u; v < params.V; v++) { top = max(top, logits[at + v]); }
    var total = 0.0;
    for (var v = 0u; v < params.V; v++) { total += exp(logits[at + v] - top); }
    let log_total = log(total);
    for (var v = 0u; v < params.V; v++) { logits[at + v] = logits[at + v] - top - log_total; }
  }
  if (has_penalties(b)) { penalise_repetition(r, at, length); }
  let size = setting(b, SETTING_NO_REPEAT_NGRAM_SIZE);
  let prefix = size - 1u;                                    // unused when the size is 0
  if (size > 0u && length >= size) {
    for (var end = prefix; end < length; end++) {
      if (same_tail(r, end, length, prefix)) { logits[at + token(r, end)] = LOWEST; }
    }
  }
  ban_sequences(r, at, length);
  let own = setting(b, SETTING_LISTS);
  let suppressed = own + 4u + lists[own];
  if (length - start < setting(b, SETTING_MIN_NEW_TOKENS)) { ban(at, own + 4u, lists[own]); }
  let first = forced_bos(b, length);
  if (first != NO_ID) { force(at, first); }
  let last = setting(b, SETTING_FORCED_EOS);
  if (last != NO_ID && position + 2u == setting(b, SENTENCE_LIMIT)) { force(at, last); }
  ban(at, suppressed, lists[own + 1u]);
  let begins = length == start + select(0u, setting(b, SETTING_BEGIN), start == 1u);
  if (begins) { ban(at, suppressed + lists[own + 1u], lists[own + 2u]); }
  if (setting(b, SETTING_NO_TIMESTAMPS) != NO_ID) { keep_timestamps(r, at, length, start); }
}
