// The layout of the state of a search; src/kernels/search_state.ts packs and reads it on the host.
// rows: u32[R,4] (token id, position, sentence, parent beam); a row whose sentence is NO_ID is idle
// sentences: u32[B,Y]: these fields, the settings, then A finished hypotheses, best first
const SENTENCE_LENGTH = 0u;   // how many tokens it has
const SENTENCE_START = 1u;    // how many its prompt has
const SENTENCE_LIMIT = 2u;    // how many it may have
const SENTENCE_DONE = 3u;     // one of these:
const DONE_OPEN = 0u;
const DONE_DONE = 1u;
const DONE_BROKEN = 2u;       // its logits were not finite
const SETTING_FIRST = 4u;     // its rows are first to first + W - 1
const SETTING_W = 5u;
const SETTING_A = 6u;         // hypotheses that it keeps
const SETTING_C = 7u;         // candidates of each of its rows
const SETTING_LISTS = 8u;     // where its lists begin in `lists`
const SETTING_FLAGS = 9u;     // bits of FLAG
const SETTING_EARLY_STOPPING = 10u;
const SETTING_LENGTH_PENALTY = 11u;          // f32, as all penalties are
const SETTING_COVERAGE_PENALTY = 12u;
const SETTING_DIVERSITY_PENALTY = 13u;
const SETTING_GROUPS = 14u;   // sentences of its prompt, which are neighbours
const SETTING_GROUP = 15u;    // its number among them
const SETTING_NO_REPEAT_NGRAM_SIZE = 16u;
const SETTING_MIN_NEW_TOKENS = 17u;
const SETTING_FORCED_EOS = 18u;
const SETTING_BEGIN = 19u;
const SETTING_REPETITION_PENALTY = 20u;
const SETTING_PRESENCE_PENALTY = 21u;
const SETTING_NO_TIMESTAMPS = 22u;
const SETTING_MAX_INITIAL = 23u;
const SETTING_LEAD_COUNT = 24u;              // the rules see so many ids
const SETTING_LEAD_COVERED = 25u;            // in place of so many of its first tokens,
const SETTING_LEAD_AT = 26u;                 // from there on in `lists`;
const SETTING_LEAD_FIRST = 27u;              // those before this one equal it
const SETTING_FORCED_BOS = 28u;
const SETTING_TEMPERATURE = 29u;             // f32
const SETTING_TOP_K = 30u;
const SETTING_TOP_P = 31u;                   // f32
const SETTING_MIN_P = 32u;                   // f32
const SETTING_SEED = 33u;
const SETTING_DRAW = 34u;     // the number of its row in its call
const SENTENCE_HEAD = 35u;
const FLAG_SAMPLES = 1u;
const FLAG_RULED = 2u;
const FLAG_LOG_SOFTMAX = 4u;
const FLAG_LOG_PROBS = 8u;
const FLAG_OPENNMT = 16u;
const FINISHED_LENGTH = 0u;   // 0 if there is none yet
const FINISHED_PARENT = 1u;   // the beam that the last token continued
const FINISHED_ID = 2u;       // the last token
const FINISHED_FIELDS = 3u;
// scores: f32[5,Q]
const PLANE_RUNNING = 0u;     // sum of log-probabilities of each row
const PLANE_FINISHED = 1u;    // score of each finished hypothesis, sentence by sentence
const PLANE_TOKEN = 2u;       // log-probability of the token of each row
const PLANE_LAST = 3u;        // and of the last token of each finished hypothesis
const PLANE_COVERAGE = 4u;    // how much of its source each row has covered
// status: u32[2]
const STATUS_ADMITTED = 0u;   // sentences that there ever were
const STATUS_ENDED = 1u;      // those of them that have ended
// indirection: u32[R,3,M]: two tables of slots that take turns by the parity of the position, and the homes of the row
const TABLES = 3u;
const HOMES = 2u;

// Where the table of row r for the token at `position` and those before begins in `indirection`.
fn indirection_at(r: u32, position: u32, M: u32) -> u32 { return (TABLES * r + (position & 1u)) * M; }

// Where the table begins that has the slot of each position that row r may write.
fn homes_at(r: u32, M: u32) -> u32 { return (TABLES * r + HOMES) * M; }
