// pooling: directly, for any adapter.
// Parts    pooling, chunk4|chunk1
// Launch   SLICES invocations a sentence, 1 with NORMALIZE
// Numerics f32 sums in the order of rows
// Source   Reimers and Gurevych 2019, arXiv:1908.10084, section 3; Pooling.py and Normalize.py of sentence-transformers


const SLICES: u32 = 1;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let index = (group.y * grid.x + group.x) * 64u + lane;
  let b = index / SLICES;
  if (b >= params.B) { return; }
  let width = params.D / CHUNK;
  var squares = 0.0;
  for (var d = index - b * SLICES; d < width; d += SLICES) {
    let value = pooled(spans[b], d);
    squares += inner(value, value);
    out[b * width + d] = value;
  }
  if (NORMALIZE == 0u) { return; }
  let inverse = 1.0 / max(sqrt(squares), 1e-12);
  for (var d = 0u; d < width; d++) { out[b * width + d] *= inverse; }
}
