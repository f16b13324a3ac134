// attention_merge: the attention of all keys from the sums that attention_step has left of each 64 of them.
//   out[r,h,:] = sum_i w_i sum_i / sum_i w_i total_i   w_i = exp(top_i - max top), i over parts up to the position
//   an idle row, without a sentence, gives zeros
// Parts    sums, constants, chunk4|chunk1
// Shapes   rows: u32[R,4] (token id, position, sentence, parent)   out: f32[R,H*E]
//          parts: f32[R,H*Y], of each head G parts, Y = G*(E+8): sum[E], highest score, and 4 numbers later the total
// Launch   one invocation a chunk of a head of a row, with the loads of 8 parts in flight
// Numerics parts are merged in their order, as attention_step does it
// Source   Dao et al. 2023, Flash-Decoding for long-context inference
struct Params { R: u32, H: u32, Y: u32, E: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<vec4u>;
@group(0) @binding(2) var<storage, read> parts: array<Chunk>;
@group(0) @binding(3) var<storage, read> status: array<u32>;
@group(0) @binding(4) var<storage, read_write> out: array<Chunk>;

const HAS_STATUS: u32 = 0;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  if (HAS_STATUS == 1u && status[0] == status[1]) { return; }
  let width = params.E / CHUNK;
  let i = (group.y * grid.x + group.x) * 64u + lane;
  let index = i / width;
  let r = index / params.H;
  if (r >= params.R) { return; }
  if (rows[r].z == NO_ID) { out[i] = Chunk(); return; }
  let count = rows[r].y / 64u + 1u;
  let stride = width + 8u / CHUNK;
  let at = index * (params.Y / CHUNK);
  var result = no_sums();
  for (var first = 0u; first < count; first += 8u) {
    for (var k = 0u; k < 8u; k++) {                // parts past the end repeat the last one with weight 0
      let part = at + min(first + k, count - 1u) * stride;
      let top = element(parts[part + width], 0u);
      let sums = Sums(select(LOWEST, top, first + k < count), element(parts[part + width + 4u / CHUNK], 0u),
                      parts[part + i % width]);
      result = merged(result, sums);
    }
  }
  out[i] = result.sum / result.total;
}
