// logits_process: through workgroup memory, for GPUs.
// Parts    logits_process, timestamps, search_state, settings, constants
// Launch   a workgroup of LANES invocations a row, which stride over the vocabulary, the past and the lists. A bitmap
//          of 32*WORDS ids says which of them were met in the past, so that each token of the past is loaded only once
//          for that many ids
// Numerics a banned token scores LOWEST, never an infinity; one token may be banned by several invocations at once;
//          sums of two invocations are scaled to the larger maximum
// Source   Transformers 5 generation/logits_process.py; Milakov and Gimelshein 2018, arXiv:1805.02867, algorithm 3


const LANES: u32 = 256;
const WORDS: u32 = 2048;

var<workgroup> tops: array<f32, LANES>;
var<workgroup> sums: array<f32, LANES>;          // of exp(logit - top)
var<workgroup> seen: array<atomic<u32>, WORDS>;  // a bit an id

// The largest of all `tops` to the first one, and the sum of all `sums` as of that.
fn reduce(lane: u32) {
  workgroupBarrier();
  for (var many = min(LANES, params.V); many > 1u; many = (many + 1u) / 2u) {
    let other = lane + (many + 1u) / 2u;
    if (other < many) {
      let top = max(tops[lane], tops[other]);
      sums[lane] = sums[lane] * exp(tops[lane] - top) + sums[other] * exp(tops[other] - top);
      tops[lane] = top;
    }
    workgroupBarrier();
  }
}

// Four logits of the row that an invocation looks at together; LOWEST after its end.
fn four(at: u32, v: vec4u) -> vec4f {
  let place = at + min(v, vec4u(params.V - 1u));
  let x = vec4f(logits[place.x], logits[place.y], logits[place.z], logits[place.w]);
  return select(vec4f(LOWEST), x, v < vec4u(params.V));
}

fn log_softmax(lane: u32, at: u32) {
  let places = lane + vec4u(0u, LANES, 2u * LANES, 3u * LANES);
  var best = LOWEST;
  var total = vec4f();
  for (var i = 0u; i + lane < params.V; i += 4u * LANES) {
    let x = four(at, places + i);
    let before = best;
    best = max(best, max(max(x.x, x.y), max(x.z, x.w)));
    total = total * exp(before - best) + select(vec4f(), exp(x - best), places + i < vec4u(params.V));
  }
  tops[lane] = best;
  sums[lane] = total.x + total.y + total.z + total.w;
  reduce(lane);
  let top = tops[0];
  let log_total = log(sums[0]);
  for (var i = 0u; i + lane < params.V; i += 4u * LANES) {
    let y = four(at, places + i) - top - log_total;
    for (var j = 0u; j < 4u; j++) {
      let v = places[j] + i;
      if (v < params.V) { logits[at + v] = y[j]; }
    }
  }
}

fn keep_timestamps(lane: u32, s: Rules, at: u32) {
  storageBarrier();
  let allowed = timestamps_after(s);
  var text = LOWEST;
  var best = LOWEST;
  for (var v = lane; v < params.V; v += LANES) {
    if (bans(s, allowed, v)) { logits[at + v] = LOWEST; }
    if (is_timestamp(s, v)) { best = max(best, logits[at + v]); } else { text = max(text, logits[at + v]); }
  }
  var total = 0.0;
  for (var v = lane; v < params.V; v += LANES) {
    if (is_timestamp(s, v)) { total += exp(logits[at + v] - best); }
  }
  tops[lane] = best;
  sums[lane] = total;
  reduce(lane);
  let top = tops[0];
  let log_total = log(sums[0]);
  workgroupBarrier();
  tops[lane] = text;
  reduce(lane);
  if (top > BANNED && top + log_total > tops[0]) {
    for (var v = lane; v <= s.no_timestamps; v += LANES) { logits[at + v] = LOWEST; }
  }
}

fn ban(lane: u32, at: u32, first: u32, count: u32) {
  for (var i = first + lane; i < first + count; i += LANES) { logits[at + lists[i]] = LOWEST; }
}

fn force(lane: u32, at: u32, id: u32) {
  storageBarrier();
  for (var v = lane; v < params.V; v += LANES) { logits[at + v] = select(LOWEST, 0.0, v == id); }
  storageBarrier();
}

fn penalise_repetition(lane: u32, s: Rules, at: u32) {
  for (var first = 0u; first < params.V; first += 32u * WORDS) {
    if (first > 0u) {
      workgroupBarrier();
      for (var word = lane; word < WORDS; word += LANES) { atomicStore(&seen[word], 0u); }
      workgroupBarrier();
    }
    for (var t = s.lead_first + lane; t < s.length; t += LANES) {
      let id = token(s, t);
      if (id - first >= 32u * WORDS) { continue; }           // ids below `first` wrap around
      let bit = 1u << (id % 32u);
      if ((atomicOr(&seen[(id - first) / 32u], bit) & bit) != 0u) { continue; }
      logits[at + id] = penalised(s, logits[at + id]);
    }
  }
}

fn ban_sequences(lane: u32, s: Rules, at: u32) {
  var next = s.lists + 4u + lists[s.lists] + lists[s.lists + 1u] + lists[s.lists + 2u];
  for (var i = 0u; i < lists[s.lists + 3u]; i++) {
    let count = lists[next];
    var hit = i % LANES == lane && (count == 1u || count <= s.length); // not yet, if longer than the row
    for (var j = 1u; hit && j < count; j++) { hit = token(s, s.length - count + j) == lists[next + j]; }
    if (hit) { logits[at + lists[next + count]] = LOWEST; }
    next += count + 1u;
  }
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  if (HAS_STATUS == 1u && status[0] == status[1]) { return; }
  let r = group.y * grid.x + group.x;
  if (r >= params.R) { return; }
  if (!is_ruled(r)) { return; }
  let s = rules_of(r);
  let at = r * params.V;
  if (lane == 0u) { history[indirection[s.table + s.position]] = s.id; }
  if ((s.flags & FLAG_LOG_SOFTMAX) != 0u) { log_softmax(lane, at); }
  storageBarrier();
  if (has_penalties(s)) {
    penalise_repetition(lane, s, at);
    storageBarrier();
  }
  let prefix = s.ngram - 1u;                                 // unused when the size is 0
  if (s.ngram > 0u && s.length >= s.ngram) {
    for (var end = prefix + lane; end < s.length; end += LANES) {
      if (same_tail(s, end, s.length, prefix)) { logits[at + token(s, end)] = LOWEST; }
    }
  }
  ban_sequences(lane, s, at);
  let ids = s.lists + 4u;
  let ends = lists[s.lists];
  let suppressed = lists[s.lists + 1u];
  if (s.length - s.start < s.min_new_tokens) { ban(lane, at, ids, ends); }
  if (s.forced_bos != NO_ID && s.length == 1u) { force(lane, at, s.forced_bos); }
  if (s.forced_eos != NO_ID && s.last) { force(lane, at, s.forced_eos); }
  ban(lane, at, ids + ends, suppressed);
  if (s.length == s.start + select(0u, s.begin, s.start == 1u)) {
    ban(lane, at, ids + ends + suppressed, lists[s.lists + 2u]);
  }
  if (s.no_timestamps != NO_ID) { keep_timestamps(lane, s, at); }
}
