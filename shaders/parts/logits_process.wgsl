// logits_process: apply the generation rules to the scores of each row, in the order of Transformers; record its token.
//   with LOG_SOFTMAX (beam search) log-softmax, then: repetition penalty, once for each distinct token
//   (s < 0 ? s*p : s/p), and presence penalty (s - p); n-gram blocking; banned sequences; no end id before the minimum;
//   forced first and last token; suppressed tokens; unless no_timestamps is NO_ID, the rule of the part `timestamps`,
//   then nothing but timestamps where these together are more probable than any other token
// Shapes   rows: u32[R,4] (token id, position, sentence, parent)   indirection: u32[2,R,M]   history: u32[M,R], written
//          sentences: u32[B,Y] (as in search_state)   logits: f32[R,V], changed in place
//          leads: u32[Z] = (count, covered, at, first, forced) for each sentence, then ids: the rules see `count` of
//          them, from `at` on, in place of its first `covered` tokens; the ones before `first` equal the one there;
//          `forced` is the id after a single one, or NO_ID
//          rules: u32[X] = counts of (end ids, suppressed, suppressed at the beginning, banned sequences), the ids
//          of the first three, then each banned sequence after its length
struct Params { R: u32, V: u32, M: u32, Y: u32, no_repeat_ngram_size: u32, min_new_tokens: u32,
  forced_eos: u32, begin: u32, repetition_penalty: f32,
  presence_penalty: f32, no_timestamps: u32, max_initial: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<vec4u>;
@group(0) @binding(2) var<storage, read> indirection: array<u32>;
@group(0) @binding(3) var<storage, read> sentences: array<u32>;
@group(0) @binding(4) var<storage, read> rules: array<u32>;
@group(0) @binding(5) var<storage, read> leads: array<u32>;
@group(0) @binding(6) var<storage, read> status: array<u32>;
@group(0) @binding(7) var<storage, read_write> history: array<u32>;
@group(0) @binding(8) var<storage, read_write> logits: array<f32>;

const LOG_SOFTMAX: u32 = 0;
const HAS_LEADS: u32 = 0;
const HAS_STATUS: u32 = 0;

// How many more ids the rules see than the row has tokens.
fn lead(r: u32) -> u32 {
  if (HAS_LEADS == 1u) { return leads[5u * rows[r].z] - leads[5u * rows[r].z + 1u]; }
  return 0u;
}

fn first_distinct(r: u32) -> u32 { // where to begin to look for ids that occur in the row
  if (HAS_LEADS == 1u) { return leads[5u * rows[r].z + 3u]; }
  return 0u;
}

fn forced_bos(r: u32, length: u32) -> u32 { // the id that must follow, or NO_ID
  if (HAS_LEADS == 1u && length == 1u) { return leads[5u * rows[r].z + 4u]; }
  return NO_ID;
}

fn token(r: u32, at: u32) -> u32 { // of row r as the rules see it; earlier ones are its ancestors'
  if (HAS_LEADS == 1u && at < leads[5u * rows[r].z]) { return leads[leads[5u * rows[r].z + 2u] + at]; }
  let t = at - lead(r);
  let position = rows[r].y;
  if (t == position) { return rows[r].x; }
  return history[t * params.R + indirection[indirection_at(position, params.R, params.M) + r * params.M + t]];
}

// Whether any penalty is set, and a token's score after them, which stays finite.
fn has_penalties() -> bool { return params.repetition_penalty != 1.0 || params.presence_penalty != 0.0; }

fn penalised(score: f32) -> f32 {
  let repeated = select(score / params.repetition_penalty, score * params.repetition_penalty, score < 0.0);
  let result = repeated - params.presence_penalty;
  let bits = bitcast<u32>(result);
  let overflows = (bits & 0x7fffffffu) == 0x7f800000u && (bitcast<u32>(score) & 0x7fffffffu) < 0x7f800000u;
  return select(result, select(LOWEST, -LOWEST, bits == 0x7f800000u), overflows);
}

// Whether the `count` ids before `end` of the row equal those before `other`.
fn same_tail(r: u32, end: u32, other: u32, count: u32) -> bool {
  for (var i = 1u; i <= count; i++) { if (token(r, end - i) != token(r, other - i)) { return false; } }
  return true;
}
