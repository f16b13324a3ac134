// A chunk of a row: a single number, where a width is no multiple of 4. No row then has an end of its own.
alias Chunk = f32;
alias Block = vec4f; // a chunk of each of four rows
alias Bits = u32;    // of a chunk
const CHUNK = 1u;

fn element(v: Chunk, i: u32) -> f32 { return total(v); }

fn total(v: Chunk) -> f32 { return v; }

fn inner(a: Chunk, b: Chunk) -> f32 { return a * b; }

fn plus_dots(sum: vec4f, v: Chunk, w: Block) -> vec4f { return sum + v * w; }

fn dots(v: Chunk, w: Block) -> vec4f { return v * w; } // the inner products of v with the chunks of four rows
