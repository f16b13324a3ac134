// coverage: what each beam has attended to so far, and how much of its source that covers, for OpenNMT's search.
//   attended[r,p%2,t] = attended[parent,(p+1)%2,t] + weights[r,0,t], p the position of row r, parent the row that it
//   continues; a beam that has ended attends no more
//   coverage of row r = sum over t of log(min(attended, 1)), where it attended at all
//   rows that are idle or whose sentence has no coverage penalty are left alone
// Parts    search_state, settings, constants
// Shapes   rows: u32[R,4] (token id, position, sentence, parent)   sentences: u32[B,Y]   weights: f32[R,1,T]
//          attended: f32[R,2,T], zeros before the first step   scores: f32[5,Q], the plane of coverage is written
// Launch   one invocation a row
// Numerics sums in the order of the source
// Source   Wu et al. 2016, arXiv:1609.08144, eq. 14; OpenNMT-tf utils/decoding.py, BeamSearch
struct Params { Q: u32, R: u32, T: u32, Y: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<vec4u>;
@group(0) @binding(2) var<storage, read> sentences: array<u32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>;
@group(0) @binding(4) var<storage, read> status: array<u32>;
@group(0) @binding(5) var<storage, read_write> attended: array<f32>;
@group(0) @binding(6) var<storage, read_write> scores: array<f32>;

const HAS_STATUS: u32 = 0;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  if (HAS_STATUS == 1u && status[0] == status[1]) { return; }
  let r = (group.y * grid.x + group.x) * 64u + lane;
  if (r >= params.R) { return; }
  let row = rows[r];
  if (row.z == NO_ID) { return; }
  if (setting_f32(row.z, SETTING_COVERAGE_PENALTY) == 0.0) { return; }
  let first = setting(row.z, SETTING_FIRST);
  let ended = setting(row.z, SENTENCE_HEAD + FINISHED_FIELDS * (r - first) + FINISHED_LENGTH) != 0u;
  let attends = select(1.0, 0.0, ended);
  let old = (2u * (first + row.w) + ((row.y + 1u) & 1u)) * params.T;
  let fresh = (2u * r + (row.y & 1u)) * params.T;
  var coverage = 0.0;
  for (var t = 0u; t < params.T; t++) {
    let sum = attended[old + t] + attends * weights[r * params.T + t];
    attended[fresh + t] = sum;
    if (sum > 0.0) { coverage += log(min(sum, 1.0)); }
  }
  scores[PLANE_COVERAGE * params.Q + r] = coverage;
}
