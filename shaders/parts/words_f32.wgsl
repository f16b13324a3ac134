// A word of a cache in f32.
alias Word = f32;
const NUMBERS = 1u; // of a word

// The number at `at`.
fn word_of(at: u32) -> Word { return qkv[at]; }
