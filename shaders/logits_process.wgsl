// logits_process: directly, for any adapter.
// Parts    logits_process, timestamps, search_state, settings, constants
// Launch   one invocation a row
// Numerics a banned token scores LOWEST, never an infinity
// Source   Transformers 5 generation/logits_process.py


fn ban(at: u32, first: u32, count: u32) {
  for (var i = first; i < first + count; i++) { logits[at + lists[i]] = LOWEST; }
}

fn force(at: u32, id: u32) {
  for (var v = 0u; v < params.V; v++) { logits[at + v] = select(LOWEST, 0.0, v == id); }
}

fn penalise_repetition(s: Rules, at: u32) {
  for (var t = s.lead_first; t < s.length; t++) {
    let id = token(s, t);
    var seen = false;
    for (var u = s.lead_first; u < t; u++) { seen = seen || token(s, u) == id; }
    if (!seen) { logits[at + id] = penalised(s, logits[at + id]); }
  }
}

fn ban_sequences(s: Rules, at: u32) {
  var next = s.lists + 4u + lists[s.lists] + lists[s.lists + 1u] + lists[s.lists + 2u];
  for (var i = 0u; i < lists[s.lists + 3u]; i++) {
    let count = lists[next];
    var hit = count == 1u || count <= s.length;              // not yet, if longer than the row
    for (var j = 1u; hit && j < count; j++) { hit = token(s, s.length - count + j) == lists[next + j]; }
    if (hit) { logits[at + lists[next + count]] = LOWEST; }
    next += count + 1u;
  }
}

fn keep_timestamps(s: Rules, at: u32) {
  let allowed = timestamps_after(s);
  var text = LOWEST;
  var best = LOWEST;
  for (var v = 0u; v < params.V; v++) {
    if (bans(s, allowed, v)) { logits[at + v] = LOWEST; }
    if (is_timestamp(s, v)) { best = max(best, logits[at + v]); } else { text = max(text, logits[at + v]); }
  }
  var total = 0.0;
  for (var v = s.no_timestamps + 1u; v < params.V; v++) { total += exp(logits[at + v] - best); }
  if (best > BANNED && best + log(total) > text) {
    for (var v = 0u; v <= s.no_timestamps; v++) { logits[at + v] = LOWEST; }
  }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  if (HAS_STATUS == 1u && status[0] == status[1]) { return; }
  let r = (group.y * grid.x + group.x) * 64u + lane;
  if (r >= params.R) { return; }
  if (!is_ruled(r)) { return; }
  let s = rules_of(r);
  let at = r * params.V;
  history[indirection[s.table + s.position]] = s.id;
  if ((s.flags & FLAG_LOG_SOFTMAX) != 0u) {
    var top = LOWEST;
    for (var v = 0u; v < params.V; v++) { top = max(top, logits[at + v]); }
    var total = 0.0;
    for (var v = 0u; v < params.V; v++) { total += exp(logits[at + v] - top); }
    let log_total = log(total);
    for (var v = 0u; v < params.V; v++) { logits[at + v] = logits[at + v] - top - log_total; }
  }
  if (has_penalties(s)) { penalise_repetition(s, at); }
  let prefix = s.ngram - 1u;                                 // unused when the size is 0
  if (s.ngram > 0u && s.length >= s.ngram) {
    for (var end = prefix; end < s.length; end++) {
      if (same_tail(s, end, s.length, prefix)) { logits[at + token(s, end)] = LOWEST; }
    }
  }
  ban_sequences(s, at);
  let ids = s.lists + 4u;
  let ends = lists[s.lists];
  let suppressed = lists[s.lists + 1u];
  if (s.length - s.start < s.min_new_tokens) { ban(at, ids, ends); }
  if (s.forced_bos != NO_ID && s.length == 1u) { force(at, s.forced_bos); }
  if (s.forced_eos != NO_ID && s.last) { force(at, s.forced_eos); }
  ban(at, ids + ends, suppressed);
  if (s.length == s.start + select(0u, s.begin, s.start == 1u)) {
    ban(at, ids + ends + suppressed, lists[s.lists + 2u]);
  }
  if (s.no_timestamps != NO_ID) { keep_timestamps(s, at); }
}
