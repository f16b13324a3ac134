// logits_process: apply the generation rules to the scores of each row, in the order of Transformers; record its token.
//   with the flag LOG_SOFTMAX (beam search) log-softmax, then: repetition penalty, once for each distinct token
//   (s < 0 ? s*p : s/p), and presence penalty (s - p); n-gram blocking; banned sequences; no end id before the minimum;
//   forced first and last token; suppressed tokens; unless no_timestamps is NO_ID, the rule of the part `timestamps`,
//   then nothing but timestamps where these together are more probable than any other token
//   rows that are idle or whose sentence does not have the flag RULED are left alone
// Shapes   rows: u32[R,4] (token id, position, sentence, parent)   indirection: u32[R,3,M]
//          sentences: u32[B,Y] (as in search_state)
//          lists: u32[X], for each sentence from its setting `lists` on counts of (end ids, suppressed, suppressed at
//          the beginning, banned sequences), the ids of the first three, then each banned sequence after its length;
//          from lead_at on the ids that the rules see in place of its first tokens
//          history: u32[Z], the token of each slot, written   logits: f32[R,V], changed in place
struct Params { R: u32, V: u32, M: u32, Y: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<vec4u>;
@group(0) @binding(2) var<storage, read> indirection: array<u32>;
@group(0) @binding(3) var<storage, read> sentences: array<u32>;
@group(0) @binding(4) var<storage, read> lists: array<u32>;
@group(0) @binding(5) var<storage, read> status: array<u32>;
@group(0) @binding(6) var<storage, read_write> history: array<u32>;
@group(0) @binding(7) var<storage, read_write> logits: array<f32>;

const HAS_STATUS: u32 = 0;

// A row, and what the rules of its sentence are.
struct Rules {
  flags: u32,
  id: u32,          // its last token, at `position`
  position: u32,
  length: u32,      // of what the rules see, of which `start` were given
  start: u32,
  last: bool,       // whether the next token is the last that it may have
  lists: u32,
  table: u32,       // where its slots begin in `indirection`
  lead_count: u32,
  lead_at: u32,
  lead: u32,        // how many more ids the rules see than the row has tokens
  lead_first: u32,  // where to begin to look for ids that occur
  forced_bos: u32,
  ngram: u32,
  min_new_tokens: u32,
  forced_eos: u32,
  begin: u32,
  repetition_penalty: f32,
  presence_penalty: f32,
  no_timestamps: u32,
  max_initial: u32,
}

fn is_ruled(r: u32) -> bool {
  let b = rows[r].z;
  return b != NO_ID && (setting(b, SETTING_FLAGS) & FLAG_RULED) != 0u;
}

fn rules_of(r: u32) -> Rules {
  let b = rows[r].z;
  var s: Rules;
  s.flags = setting(b, SETTING_FLAGS);
  s.id = rows[r].x;
  s.position = rows[r].y;
  s.lead_count = setting(b, SETTING_LEAD_COUNT);
  s.lead_at = setting(b, SETTING_LEAD_AT);
  s.lead = s.lead_count - setting(b, SETTING_LEAD_COVERED);
  s.lead_first = setting(b, SETTING_LEAD_FIRST);
  s.length = s.lead + s.position + 1u;
  s.start = s.lead + setting(b, SENTENCE_START);
  s.last = s.position + 2u == setting(b, SENTENCE_LIMIT);
  s.lists = setting(b, SETTING_LISTS);
  s.table = indirection_at(r, s.position, params.M);
  s.forced_bos = setting(b, SETTING_FORCED_BOS);
  s.ngram = setting(b, SETTING_NO_REPEAT_NGRAM_SIZE);
  s.min_new_tokens = setting(b, SETTING_MIN_NEW_TOKENS);
  s.forced_eos = setting(b, SETTING_FORCED_EOS);
  s.begin = setting(b, SETTING_BEGIN);
  s.repetition_penalty = setting_f32(b, SETTING_REPETITION_PENALTY);
  s.presence_penalty = setting_f32(b, SETTING_PRESENCE_PENALTY);
  s.no_timestamps = setting(b, SETTING_NO_TIMESTAMPS);
  s.max_initial = setting(b, SETTING_MAX_INITIAL);
  return s;
}

fn token(s: Rules, at: u32) -> u32 { // of the row as the rules see it; earlier ones are its ancestors'
  if (at < s.lead_count) { return lists[s.lead_at + at]; }
  let t = at - s.lead;
  if (t == s.position) { return s.id; }
  return history[indirection[s.table + t]];
}

// Whether any penalty is set, and a token's score after them, which stays finite.
fn has_penalties(s: Rules) -> bool { return s.repetition_penalty != 1.0 || s.presence_penalty != 0.0; }

fn penalised(s: Rules, score: f32) -> f32 {
  let repeated = select(score / s.repetition_penalty, score * s.repetition_penalty, score < 0.0);
  let result = repeated - s.presence_penalty;
  let bits = bitcast<u32>(result);
  let overflows = (bits & 0x7fffffffu) == 0x7f800000u && (bitcast<u32>(score) & 0x7fffffffu) < 0x7f800000u;
  return select(result, select(LOWEST, -LOWEST, bits == 0x7f800000u), overflows);
}

// Whether the `count` ids before `end` of the row equal those before `other`.
fn same_tail(s: Rules, end: u32, other: u32, count: u32) -> bool {
  for (var i = 1u; i <= count; i++) { if (token(s, end - i) != token(s, other - i)) { return false; } }
  return true;
}
