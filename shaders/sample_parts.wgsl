// sample_parts: what each part of a row has for a draw of `sample`, for any thresholds on its logits.
//   a part is sorted, best first, or of equals the smaller id first; its entry x < X has the x-th logit as an ordered
//   number, the sum of the weights exp((logit - top) / temperature) of the first x + 1, and the one of these with the
//   highest logit / temperature + g; entry X-1 has in its sum and choice all that equal its logit
//   then the same of the whole part, without order. Banned logits weigh nothing and are not chosen
//   X is the most that a row needs: one whose thresholds need fewer has only these; rows that are idle or whose
//   sentence does not draw are left alone
// Parts    draw, noise, search_state, settings, constants
// Shapes   rows: u32[R,4] (token id, position, sentence, parent)   sentences: u32[B,Y] (as in search_state)
//          logits: f32[R,V]
//          sums: f32[R,P,X+2] (of X entries; top = the largest logit; of all, or -1 if a logit is not finite)
//          picks: u32[R,P,2*X+1] (ordered logits of X entries, 0 where there is none; chosen ids of these; of all)
// Launch   a workgroup of LANES invocations a part of at most 2*LANES logits: a bitonic sort, then a scan; no sort
//          for a draw without thresholds
// Numerics sums in the order of a tree of the sorted part, whatever the device
// Source   Batcher 1968 (bitonic sort); Hillis and Steele 1986 (scan); Gumbel 1954 (argmax of perturbed logits);
//          pcg4d of Jarzynski and Olano 2020, JCGT 9(3)
struct Params { R: u32, V: u32, Y: u32, P: u32, X: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<vec4u>;
@group(0) @binding(2) var<storage, read> sentences: array<u32>;
@group(0) @binding(3) var<storage, read> logits: array<f32>;
@group(0) @binding(4) var<storage, read> status: array<u32>;
@group(0) @binding(5) var<storage, read_write> sums: array<f32>;
@group(0) @binding(6) var<storage, read_write> picks: array<u32>;

const HAS_STATUS: u32 = 0;
const LANES: u32 = 256;                          // a power of two
const SIZE = 2u * LANES;

struct Among { weight: f32, noisy: f32, id: u32 } // the sum of some entries, and which of them a draw takes

var<workgroup> sorted: array<vec2u, SIZE>;       // ordered logit, id
var<workgroup> amongs: array<Among, LANES>;
var<workgroup> peaks: array<f32, LANES>;
var<workgroup> broken: atomic<u32>;

fn joined(a: Among, b: Among) -> Among {
  let second = b.noisy > a.noisy || (b.noisy == a.noisy && b.id < a.id);
  return Among(a.weight + b.weight, select(a.noisy, b.noisy, second), select(a.id, b.id, second));
}

fn among_one(entry: vec2u, draw: Draw, top: f32) -> Among {
  let gap = from_ordered(entry.x) - top;
  if (entry.x <= ordered(BANNED) || gap < -100.0 * draw.temperature) { return Among(0.0, ABSENT, NO_ID); }
  let own = gap / draw.temperature;
  return Among(exp(own), own + noise(draw, entry.y), entry.y);
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

// What is among the entries of all invocations before this one; leaves what is among all in the last place.
fn among_before(lane: u32, own: Among) -> Among {
  amongs[lane] = own;
  for (var stride = 1u; stride < LANES; stride *= 2u) {
    workgroupBarrier();
    var before = Among(0.0, ABSENT, NO_ID);
    if (lane >= stride) { before = amongs[lane - stride]; }
    workgroupBarrier();
    amongs[lane] = joined(before, amongs[lane]);
  }
  workgroupBarrier();
  if (lane == 0u) { return Among(0.0, ABSENT, NO_ID); }
  return amongs[lane - 1u];
}

// Stores the entry at a place of the sorted part, and what is among it and those before; `last` is the place of the
// last one that equals the last of so many entries.
fn store(part: u32, place: u32, entries: u32, last: u32, key: u32, among: Among) {
  let pick = part * (2u * params.X + 1u);
  if (place < entries) { picks[pick + place] = key; }
  if (place + 1u >= entries && place != last) { return; }
  let x = min(place, entries - 1u);
  sums[part * (params.X + 2u) + x] = among.weight;
  picks[pick + params.X + x] = among.id;
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  if (HAS_STATUS == 1u && status[0] == status[1]) { return; }
  let index = group.y * grid.x + group.x;
  let r = index / params.P;
  if (r >= params.R) { return; }
  if (!draws(r)) { return; }
  let draw = draw_of(r);
  let length = (params.V + params.P - 1u) / params.P;
  let entries = entries_of(draw, length);
  let begin = min((index - r * params.P) * length, params.V);
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
  if (entries > 0u) { sort(lane, length); }
  let first = sorted[2u * lane];
  let second = sorted[2u * lane + 1u];
  let own = among_one(first, draw, top);
  let both = joined(own, among_one(second, draw, top));
  let before = among_before(lane, both);
  if (entries > 0u) {
    let last = count_from(sorted[entries - 1u].x) - 1u;
    store(index, 2u * lane, entries, last, first.x, joined(before, own));
    store(index, 2u * lane + 1u, entries, last, second.x, joined(before, both));
  }
  if (lane == 0u) {
    let sum = index * (params.X + 2u) + params.X;
    sums[sum] = top;
    sums[sum + 1u] = select(amongs[LANES - 1u].weight, -1.0, atomicLoad(&broken) == 1u);
    picks[index * (2u * params.X + 1u) + 2u * params.X] = amongs[LANES - 1u].id;
  }
}
