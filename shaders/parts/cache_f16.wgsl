// A chunk of four numbers as a cache in f16 has it: two words of two halves.
alias Stored = vec2u;

fn restored(v: Stored) -> Chunk { return vec4f(unpack2x16float(v.x), unpack2x16float(v.y)); }

fn stored(v: Chunk) -> Stored { return vec2u(halves(v.xy), halves(v.zw)); }
