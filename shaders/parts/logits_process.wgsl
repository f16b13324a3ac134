// logits_process: apply the generation rules to the scores of each row, in the order of Transformers; record its token.
//   rows whose sentence has the flag `ruled`: with the flag `log_softmax` (beam search) log-softmax, then: repetition penalty, once for each distinct token
//   (s < 0 ? s*p : s/p), and presence penalty (s - p); n-gram blocking; banned sequences; no end id before the minimum;
//   forced first and last token; suppressed tokens; unless no_timestamps is NO_ID, the rule of the part `timestamps`,
//   then nothing but timestamps where these together are more probable than any other token
// Shapes   rows: u32[R,4] (token id, position, sentence, parent)   sentences: u32[B,Y]   (as in search_state)
//          indirection: u32[R,3,M]   history: u32[Z], the token of each slot, written   logits: f32[R,V], changed in place
//          lists: u32[X]; those of a sentence begin where its settings say: counts of (end ids, suppressed, suppressed at
//          the beginning, banned sequences), the ids of the first three, then each banned sequence after its length;
//          its rules see lead_count ids from lead_at on in place of its first lead_covered tokens; the ones before
//          lead_first equal the one there; forced_bos is the id after a single one, or NO_ID
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

fn has_flag(b: u32, flag: u32) -> bool { return (setting(b, SETTING_FLAGS) & flag) != 0u; }

// Whether row r has rules.
fn is_ruled(r: u32) -> bool {
  let b = rows[r].z;
  return b != NO_ID && has_flag(b, FLAG_RULED);
}

// How many more ids the rules see than the row has tokens.
fn lead(b: u32) -> u32 { return setting(b, SETTING_LEAD_COUNT) - setting(b, SETTING_LEAD_COVERED); }

fn forced_bos(b: u32, length: u32) -> u32 { // the id that must follow, or NO_ID
  return select(NO_ID, setting(b, SETTING_FORCED_BOS), length == 1u);
}

fn token(r: u32, at: u32) -> u32 { // of row r as the rules see it; earlier ones are its ancestors'
  let b = rows[r].z;
  if (at < setting(b, SETTING_LEAD_COUNT)) { return lists[setting(b, SETTING_LEAD_AT) + at]; }
  let t = at - lead(b);
  let position = rows[r].y;
  if (t == position) { return rows[r].x; }
  return history[indirection[indirection_at(r, position, params.M) + t]];
}

// Whether any penalty is set, and a token's score after them, which stays finite.
fn has_penalties(b: u32) -> bool {
  return setting_f32(b, SETTING_REPETITION_PENALTY) != 1.0 || setting_f32(b, SETTING_PRESENCE_PENALTY) != 0.0;
}

fn penalised(b: u32, score: f32) -> f32 {
  let factor = setting_f32(b, SETTING_REPETITION_PENALTY);
  let repeated = select(score / factor, score * factor, score < 0.0);
  let result = repeated - setting_f32(b, SETTING_PRESENCE_PENALTY);
  let bits = bitcast<u32>(result);
  let overflows = (bits & 0x7fffffffu) == 0x7f800000u && (bitcast<u32>(score) & 0x7fffffffu) < 0x7f800000u;
  return select(result, select(LOWEST, -LOWEST, bits == 0x7f800000u), overflows);
}

// Whether the `count` ids before `end` of the row equal those before `other`.
fn same_tail(r: u32, end: u32, other: u32, count: u32) -> bool {
  for (var i = 1u; i <= count; i++) { if (token(r, end - i) != token(r, other - i)) { return false; } }
  return true;
}
