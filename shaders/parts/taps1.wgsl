// The weights of four outputs, by tap: three chunks of an output are one input of three taps.
fn by_tap(a: Block, b: Block, c: Block) -> array<Block, 3> { return array<Block, 3>(a, b, c); }
