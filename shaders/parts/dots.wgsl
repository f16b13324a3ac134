// The dot products of v with the weights of four outputs.
fn dots(v: vec4f, w: mat4x4f) -> vec4f {
  return vec4f(dot(v, w[0]), dot(v, w[1]), dot(v, w[2]), dot(v, w[3]));
}
