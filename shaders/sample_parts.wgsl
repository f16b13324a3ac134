// sample_parts: what each part of a row has for a draw of `sample`, for any thresholds on its logits.
//   a part is sorted, best first, or of equals the smaller id first; its entry c < C has the c-th logit as an ordered
//   number, the sum of the weights exp((logit - top) / temperature) of the first c + 1, and the one of these with the
//   highest logit / temperature + g; entry C-1 has in its sum and choice all that equal its logit
//   then the same of the whole part, without order. Banned logits weigh nothing and are not chosen
// Parts    noise, constants
// Shapes   rows: u32[R,4] (token id, position, sentence, parent)   logits: f32[R,V]
//          sums: f32[R,G,C+2] (of C entries; top = the largest logit; of all, or -1 if a logit is not finite)
//          picks: u32[R,G,2*C+1] (ordered logits of C entries, 0 where there is none; chosen ids of these; of all)
// Launch   a workgroup of LANES invocations a part of at most 2*LANES logits: a bitonic sort, then a scan; no sort
//          where C is 0, as a draw without thresholds needs none
// Numerics sums in the order of a tree of the sorted part, whatever the device
// Source   Batcher 1968 (bitonic sort); Hillis and Steele 1986 (scan); Gumbel 1954 (argmax of perturbed logits);
//          pcg4d of Jarzynski and Olano 2020, JCGT 9(3)
struct Params { R: u32, V: u32, G: u32, C: u32, seed: u32, temperature: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<vec4u>;
@group(0) @binding(2) var<storage, read> logits: array<f32>;
@group(0) @binding(3) var<storage, read> status: array<u32>;
@group(0) @binding(4) var<storage, read_write> sums: array<f32>;
@group(0) @binding(5) var<storage, read_write> picks: array<u32>;

const HAS_STATUS: u32 = 0;
const LANES: u32 = 256;                          // a power of two
const SIZE = 2u * LANES;

struct Draw { weight: f32, noisy: f32, id: u32 }

var<workgroup> sorted: array<vec2u, SIZE>;       // ordered logit, id
var<workgroup> draws: array<Draw, LANES>;
var<workgroup> peaks: array<f32, LANES>;
var<workgroup> broken: atomic<u32>;

fn joined(a: Draw, b: Draw) -> Draw {
  let second = b.noisy > a.noisy || (b.noisy == a.noisy && b.id < a.id);
  return Draw(a.weight + b.weight, select(a.noisy, b.noisy, second), select(a.id, b.id, second));
}

// The draw among a single entry.
fn draw_of(entry: vec2u, r: u32, top: f32) -> Draw {
  let gap = from_ordered(entry.x) - top;
  if (entry.x <= ordered(BANNED) || gap < -100.0 * params.temperature) { return Draw(0.0, ABSENT, NO_ID); }
  let own = gap / params.temperature;
  return Draw(exp(own), own - log(exponential(r, rows[r].y, entry.y)), entry.y);
}

// Sorts the first `count` entries or some more, the largest first, or of equals the smaller id first.
fn sort(lane: u32, count: u32) {
  for (var run = 2u; run < 2u * count; run *= 2u) {
    for (var stride = run / 2u; stride > 0u; stride /= 2u) {
      workgroupBarrier();
      let i = 2u * lane - (lane & (stride - 1u));
      let a = sorted[i];
      let b = sorted[i + stride];
      let ahead = a.x > b.x || (a.x == b.x && a.y < b.y);
      if (ahead != ((i & run) == 0u)) {
        sorted[i] = b;
        sorted[i + stride] = a;
      }
    }
  }
  workgroupBarrier();
}

// How many entries are at least as large as `key`.
fn count_from(key: u32) -> u32 {
  var count = 0u;
  for (var step = SIZE / 2u; step > 0u; step /= 2u) {
    if (sorted[count + step - 1u].x >= key) { count += step; }
  }
  return count + u32(sorted[count].x >= key);
}

// The largest logit of the part, from that of each invocation.
fn largest(lane: u32, own: f32) -> f32 {
  peaks[lane] = own;
  for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
    workgroupBarrier();
    if (lane < stride) { peaks[lane] = max(peaks[lane], peaks[lane + stride]); }
  }
  return workgroupUniformLoad(&peaks[0]);
}

// The draw among the entries of all invocations before this one; leaves that among all in the last place.
fn draw_before(lane: u32, own: Draw) -> Draw {
  draws[lane] = own;
  for (var stride = 1u; stride < LANES; stride *= 2u) {
    workgroupBarrier();
    var before = Draw(0.0, ABSENT, NO_ID);
    if (lane >= stride) { before = draws[lane - stride]; }
    workgroupBarrier();
    draws[lane] = joined(before, draws[lane]);
  }
  workgroupBarrier();
  if (lane == 0u) { return Draw(0.0, ABSENT, NO_ID); }
  return draws[lane - 1u];
}

// Stores the entry at a place of the sorted part, and what is among it and those before; `last` is the place of the
// last one that equals entry C-1.
fn store(part: u32, place: u32, last: u32, key: u32, among: Draw) {
  let pick = part * (2u * params.C + 1u);
  if (place < params.C) { picks[pick + place] = key; }
  if (place + 1u >= params.C && place != last) { return; }
  let c = min(place, params.C - 1u);
  sums[part * (params.C + 2u) + c] = among.weight;
  picks[pick + params.C + c] = among.id;
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  if (HAS_STATUS == 1u && status[0] == 0u) { return; }
  let index = group.y * grid.x + group.x;
  let r = index / params.G;
  if (r >= params.R) { return; }
  let length = (params.V + params.G - 1u) / params.G;
  let begin = min((index - r * params.G) * length, params.V);
  let end = min(begin + length, params.V);
  var highest = ABSENT;
  for (var i = 0u; i < 2u; i++) {
    var entry = vec2u(0u, begin + i * LANES + lane);
    if (entry.y < end) {
      let logit = logits[r * params.V + entry.y];
      let bits = bitcast<u32>(logit);
      if ((bits & 0x7fffffffu) >= 0x7f800000u) { atomicStore(&broken, 1u); }
      highest = max(highest, logit);
      entry.x = select(ordered(logit), 0x80000000u, bits == 0x80000000u);      // -0 equals 0
    }
    sorted[i * LANES + lane] = entry;
  }
  let top = largest(lane, highest);
  if (params.C > 0u) { sort(lane, length); }
  let first = sorted[2u * lane];
  let second = sorted[2u * lane + 1u];
  let own = draw_of(first, r, top);
  let both = joined(own, draw_of(second, r, top));
  let before = draw_before(lane, both);
  let C = params.C;
  if (C > 0u) {
    let last = count_from(sorted[C - 1u].x) - 1u;
    store(index, 2u * lane, last, first.x, joined(before, own));
    store(index, 2u * lane + 1u, last, second.x, joined(before, both));
  }
  if (lane == 0u) {
    let sum = index * (C + 2u) + C;
    sums[sum] = top;
    sums[sum + 1u] = select(draws[LANES - 1u].weight, -1.0, atomicLoad(&broken) == 1u);
    picks[index * (2u * C + 1u) + 2u * C] = draws[LANES - 1u].id;
  }
}
