// topk: the C best of each part of each row, and what the row's log-softmax needs.
//   values[r,g,0..C) , indices[r,g,0..C) = the C largest logits of part g, best first, ties to the smaller id
//   values[r,g,C] = max, values[r,g,C+1] = sum exp(logit - max) over the part;  sum = -1 if a logit there is not finite
// Shapes   logits: f32[R,V]   values: f32[R,G,C+2]   indices: u32[R,G,C]      (part g: ids g*ceil(V/G) up to the next)
// Launch   direct: one invocation a part
// Numerics absent candidates (a part shorter than C) have value -3.4e38 and id 0xffffffff
// Source   Milakov and Gimelshein 2018, arXiv:1805.02867, algorithm 4;
//          FasterTransformer v2.1 online_softmax_beamsearch_kernels
struct Params { R: u32, V: u32, G: u32, C: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> status: array<u32>;
@group(0) @binding(3) var<storage, read_write> values: array<f32>;
@group(0) @binding(4) var<storage, read_write> indices: array<u32>;

const LIST: u32 = 64;                            // C, for arrays; loops run to params.C, or a CPU adapter unrolls them
const HAS_STATUS: u32 = 0;
const ABSENT = -3.4e38;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  if (HAS_STATUS == 1u && status[0] == 0u) { return; }
  let index = (group.y * grid.x + group.x) * 64u + lane;
  let r = index / params.G;
  if (r >= params.R) { return; }
  let length = (params.V + params.G - 1u) / params.G;
  let begin = min((index - r * params.G) * length, params.V);
  let end = min(begin + length, params.V);
  let row = r * params.V;
  var best: array<f32, LIST>;
  var ids: array<u32, LIST>;
  for (var c = 0u; c < params.C; c++) {
    best[c] = ABSENT;
    ids[c] = 0xffffffffu;
  }
  var top = ABSENT;
  var finite = true;
  for (var v = begin; v < end; v++) {
    let x = logits[row + v];
    finite = finite && (bitcast<u32>(x) & 0x7fffffffu) < 0x7f800000u;
    top = max(top, x);
    if (x > best[LIST - 1u]) {
      var c = LIST - 1u;
      for (; c > 0u && best[c - 1u] < x; c--) {
        best[c] = best[c - 1u];
        ids[c] = ids[c - 1u];
      }
      best[c] = x;
      ids[c] = v;
    }
  }
  var total = 0.0;
  for (var v = begin; v < end; v++) { total += exp(logits[row + v] - top); }
  for (var c = 0u; c < params.C; c++) {
    values[index * (LIST + 2u) + c] = best[c];
    indices[index * LIST + c] = ids[c];
  }
  values[index * (LIST + 2u) + LIST] = top;
  values[index * (LIST + 2u) + LIST + 1u] = select(-1.0, total, finite);
}
