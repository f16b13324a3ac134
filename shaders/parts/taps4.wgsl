// The weights of four outputs, by tap: three chunks of an output are four inputs of three taps.
fn by_tap(a: Block, b: Block, c: Block) -> array<Block, 3> {
  return array<Block, 3>(
    Block(tap0(a[0], b[0], c[0]), tap0(a[1], b[1], c[1]), tap0(a[2], b[2], c[2]), tap0(a[3], b[3], c[3])),
    Block(tap1(a[0], b[0], c[0]), tap1(a[1], b[1], c[1]), tap1(a[2], b[2], c[2]), tap1(a[3], b[3], c[3])),
    Block(tap2(a[0], b[0], c[0]), tap2(a[1], b[1], c[1]), tap2(a[2], b[2], c[2]), tap2(a[3], b[3], c[3])));
}

fn tap0(a: vec4f, b: vec4f, c: vec4f) -> vec4f { return vec4f(a.x, a.w, b.z, c.y); }
fn tap1(a: vec4f, b: vec4f, c: vec4f) -> vec4f { return vec4f(a.y, b.x, b.w, c.z); }
fn tap2(a: vec4f, b: vec4f, c: vec4f) -> vec4f { return vec4f(a.z, b.y, c.x, c.w); }
