// logits_process: the rules of generation on each row's scores, in the order of Transformers; records the row's token.
//   log-softmax first when LOG_SOFTMAX (beam search), then: repetition penalty (once per distinct token:
//   s < 0 ? s*p : s/p); no_repeat_ngram; banned sequences; no end id before the minimum;
//   forced first and last token; suppressed tokens
// Shapes   rows: u32[R,4] (token id, position, sentence, parent)   indirection: u32[2,R,M]   history, written: u32[M,R]
//          sentences: u32[B,Y] (length, prompt length, limit, ...)   leads: u32[B,2] (pads before the prompt, their id)
//          logits: f32[R,V], changed in place
//          rules: u32[X] = counts of (end ids, suppressed, suppressed at the beginning, banned sequences), the ids
//          of the first three, then each banned sequence behind its length
// Launch   direct: one invocation a row
// Numerics a banned token scores -3e38, never an infinity
// Source   Transformers 5 generation/logits_process.py
struct Params { R: u32, V: u32, M: u32, Y: u32, no_repeat_ngram_size: u32, min_new_tokens: u32,
  forced_bos: u32, forced_eos: u32, begin: u32, repetition_penalty: f32,
  presence_penalty: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<vec4u>;
@group(0) @binding(2) var<storage, read> indirection: array<u32>;
@group(0) @binding(3) var<storage, read> sentences: array<u32>;
@group(0) @binding(4) var<storage, read> rules: array<u32>;
@group(0) @binding(5) var<storage, read> leads: array<vec2u>;
@group(0) @binding(6) var<storage, read> status: array<u32>;
@group(0) @binding(7) var<storage, read_write> history: array<u32>;
@group(0) @binding(8) var<storage, read_write> logits: array<f32>;

const LOG_SOFTMAX: u32 = 0;
const HAS_LEADS: u32 = 0;
const HAS_STATUS: u32 = 0;
const BANNED = -3.0e38;

fn lead(r: u32) -> u32 {
  if (HAS_LEADS == 1u) { return leads[rows[r].z].x; }
  return 0u;
}

fn token(r: u32, at: u32) -> u32 { // of row r, its pads counted: its own now, its ancestors' before
  let before = lead(r);
  if (at < before) { return leads[rows[r].z].y; }
  let t = at - before;
  let position = rows[r].y;
  if (t == position) { return rows[r].x; }
  return history[t * params.R + indirection[((position & 1u) * params.R + r) * params.M + t]];
}

fn ban(at: u32, first: u32, count: u32) {
  for (var i = first; i < first + count; i++) { logits[at + rules[i]] = BANNED; }
}

fn force(at: u32, id: u32) {
  for (var v = 0u; v < params.V; v++) { logits[at + v] = select(BANNED, 0.0, v == id); }
}

// Whether the `count` ids before `end` of the row equal those before `other`.
fn same_tail(r: u32, end: u32, other: u32, count: u32) -> bool {
  for (var i = 1u; i <= count; i++) { if (token(r, end - i) != token(r, other - i)) { return false; } }
  return true;
}

fn penalise_repetition(r: u32, at: u32, length: u32) {
  for (var t = max(lead(r), 1u) - 1u; t < length; t++) {     // all pads are one token
    let id = token(r, t);
    var seen = false;
    for (var u = max(lead(r), 1u) - 1u; u < t; u++) { seen = seen || token(r, u) == id; }
    let score = logits[at + id];
    let repeated = select(score / params.repetition_penalty, score * params.repetition_penalty, score < 0.0);
    if (!seen) { logits[at + id] = repeated - params.presence_penalty; }
  }
}

fn ban_sequences(r: u32, at: u32, length: u32) {
  var next = 4u + rules[0] + rules[1] + rules[2];
  for (var i = 0u; i < rules[3]; i++) {
    let count = rules[next];
    var hit = count == 1u || count <= length;                // longer than the row so far: not yet
    for (var j = 1u; hit && j < count; j++) { hit = token(r, length - count + j) == rules[next + j]; }
    if (hit) { logits[at + rules[next + count]] = BANNED; }
    next += count + 1u;
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
  let start = lead(r) + sentences[sentence + 1u];
  history[position * params.R + r] = rows[r].x;
  if (LOG_SOFTMAX == 1u) {
    var top = BANNED;
    for (var v = 0u; v < params.V; v++) { top = max(top, logits[at + v]); }
    var total = 0.0;
    for (var v = 0u; v < params.V; v++) { total += exp(logits[at + v] - top); }
    let log_total = log(total);
    for (var v = 0u; v < params.V; v++) { logits[at + v] = logits[at + v] - top - log_total; }
  }
  if (params.repetition_penalty != 1.0 || params.presence_penalty != 0.0) { penalise_repetition(r, at, length); }
  let prefix = params.no_repeat_ngram_size - 1u;             // unused when the size is 0
  if (params.no_repeat_ngram_size > 0u && length >= params.no_repeat_ngram_size) {
    for (var end = prefix; end < length; end++) {
      if (same_tail(r, end, length, prefix)) { logits[at + token(r, end)] = BANNED; }
    }
  }
  ban_sequences(r, at, length);
  if (length - start < params.min_new_tokens) { ban(at, 4u, rules[0]); }
  if (params.forced_bos != 0xffffffffu && length == 1u) { force(at, params.forced_bos); }
  if (params.forced_eos != 0xffffffffu && position + 2u == sentences[sentence + 2u]) { force(at, params.forced_eos); }
  ban(at, 4u + rules[0], rules[1]);
  if (length == start + params.begin) { ban(at, 4u + rules[0] + rules[1], rules[2]); }
}
