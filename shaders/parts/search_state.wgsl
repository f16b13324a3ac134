// The layout of a search's state; src/kernels/search_state.ts packs and reads it on the host.
// rows: u32[R,4] (token id, position, sentence, parent beam)
// sentences: u32[B,SENTENCE_HEAD + FINISHED_FIELDS*W], a head, then W finished hypotheses, best first
const SENTENCE_LENGTH = 0u;   // tokens so far
const SENTENCE_START = 1u;    // of its prompt
const SENTENCE_LIMIT = 2u;    // at most
const SENTENCE_DONE = 3u;
const SENTENCE_HEAD = 4u;
const FINISHED_LENGTH = 0u;   // 0 where there is none yet
const FINISHED_PARENT = 1u;   // beam of the tokens before the last
const FINISHED_ID = 2u;       // the last token
const FINISHED_FIELDS = 3u;
// scores: f32[4,R]
const PLANE_RUNNING = 0u;     // of each row
const PLANE_FINISHED = 1u;    // of each finished hypothesis
const PLANE_TOKEN = 2u;       // log-probability of each row's token
const PLANE_LAST = 3u;        // and of each finished hypothesis's last token
// status: u32[2]
const STATUS_OPEN = 0u;       // sentences not done
const STATUS_FAULTS = 1u;     // parts of logits that are not finite

// Where sentence b of W beams begins in `sentences`.
fn sentence_at(b: u32, W: u32) -> u32 { return b * (SENTENCE_HEAD + FINISHED_FIELDS * W); }

// Where the table of rows' pasts lies in `indirection` for tokens at `position`: two take turns.
fn indirection_at(position: u32, R: u32, M: u32) -> u32 { return (position & 1u) * R * M; }
