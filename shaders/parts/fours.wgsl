// Inputs 4*i to 4*i+3 of a row and of an output, zeros past the end.
fn row4(n: u32, i: u32) -> vec4f {
  if (CHUNK == 4) { return vec4f(x[n * (params.I / 4) + i]); }
  var four = vec4f();
  for (var j = 0u; j < min(4, params.I - 4 * i); j++) { four[j] = total(x[n * params.I + 4 * i + j]); }
  return four;
}

fn weight4(o: u32, i: u32) -> vec4f {
  let first = 4 / CHUNK * i;
  let at = o * stride() + first;
  if (CHUNK == 4) { return vec4f(scale(o, first) * load(at)); }
  var four = vec4f();
  for (var j = 0u; j < min(4, params.I - 4 * i); j++) { four[j] = total(scale(o, first + j) * load(at + j)); }
  return four;
}
