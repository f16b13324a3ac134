// pooling: through workgroup memory, for GPUs.
// Parts    pooling, chunk4|chunk1
// Launch   a workgroup a sentence, its lanes side by side along D
// Numerics f32 sums in the order of rows; each lane sums its squares first
// Source   Reimers and Gurevych 2019, arXiv:1908.10084, section 3; Pooling.py and Normalize.py of sentence-transformers


var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let b = group.y * grid.x + group.x;
  if (b >= params.B) { return; }
  let width = params.D / CHUNK;
  var squares = 0.0;
  for (var d = lane; d < width; d += 64u) {
    let value = pooled(spans[b], d);
    squares += inner(value, value);
    out[b * width + d] = value;
  }
  if (NORMALIZE == 0u) { return; }
  partial[lane] = squares;
  workgroupBarrier();
  var total = 0.0;
  for (var other = 0u; other < 64u; other++) { total += partial[other]; }
  let inverse = 1.0 / max(sqrt(total), 1e-12);
  for (var d = lane; d < width; d += 64u) { out[b * width + d] *= inverse; }
}
