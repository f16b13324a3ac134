// A word of a cache in f16.
alias Word = u32;
const NUMBERS = 2u; // of a word

// The numbers from `at` on.
fn word_of(at: u32) -> Word { return halves(vec2f(qkv[at], qkv[at + 1u])); }
