// The layout of the state of a search; src/kernels/search_state.ts packs and reads it on the host.
// rows: u32[R,4] (token id, position, sentence, parent beam)
// sentences: u32[B,SENTENCE_HEAD + FINISHED_FIELDS*A], these fields, then A finished hypotheses, best first
const SENTENCE_LENGTH = 0u;   // how many tokens it has
const SENTENCE_START = 1u;    // how many its prompt has
const SENTENCE_LIMIT = 2u;    // how many it may have
const SENTENCE_DONE = 3u;     // 1 once it is done
const SENTENCE_HEAD = 4u;
const FINISHED_LENGTH = 0u;   // 0 if there is none yet
const FINISHED_PARENT = 1u;   // the beam that the last token continued
const FINISHED_ID = 2u;       // the last token
const FINISHED_FIELDS = 3u;
// scores: f32[5,Q], Q the larger of R and B*A
const PLANE_RUNNING = 0u;     // sum of log-probabilities of each row
const PLANE_FINISHED = 1u;    // score of each finished hypothesis
const PLANE_TOKEN = 2u;       // log-probability of the token of each row
const PLANE_LAST = 3u;        // and of the last token of each finished hypothesis
const PLANE_COVERAGE = 4u;    // how much of its source each row has covered
// status: u32[2]
const STATUS_OPEN = 0u;       // sentences that are not done
const STATUS_FAULTS = 1u;     // 1 + the last row whose logits are not finite; 0 if there is none

// Where sentence b, which keeps A hypotheses, begins in `sentences`.
fn sentence_at(b: u32, A: u32) -> u32 { return b * (SENTENCE_HEAD + FINISHED_FIELDS * A); }

// Where the table for tokens at `position` begins in `indirection`; two tables take turns.
fn indirection_at(position: u32, R: u32, M: u32) -> u32 { return (position & 1u) * R * M; }
