// A chunk as a cache in f32 has it.
alias Stored = Chunk;

fn restored(v: Stored) -> Chunk { return Chunk(v); }

fn stored(v: Chunk) -> Stored { return Stored(v); }
