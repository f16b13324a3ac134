// Numbers of f32 as sums of f16, which matrix units multiply: a row of x, or of the weight, is multiplied by a power of
// two that brings its largest number near the largest of f16, and a number of it is two terms, 21 bits, but for weights
// that are one. The product of second terms is left out. Without HALF numbers stay as they are.
// Source   Markidis et al. 2018, doi:10.1109/IPDPSW.2018.00091; Ootomo and Yokota 2022, doi:10.1177/10943420221090256
var<workgroup> largest: array<atomic<u32>, ROWS + OUTPUTS>; // the bits of the largest number of each

fn bits(v: vec4f) -> vec4u { return bitcast<vec4u>(v) & vec4u(0x7fffffff); }

fn measure(at: u32, most: vec4u) { atomicMax(&largest[at], max(max(most.x, most.y), max(most.z, most.w))); }

fn measureRow(at: u32, n: u32, k: u32) {
  let last = (params.I - 1) / 4;
  var most = vec4u();
  for (var i = k; i <= last; i += 4 * FOURS) { // what is past the end is the last four again
    most = max(max(most, bits(rowAt(n, i))), bits(rowAt(n, min(last, i + FOURS))));
    most = max(max(most, bits(rowAt(n, min(last, i + 2 * FOURS)))), bits(rowAt(n, min(last, i + 3 * FOURS))));
  }
  measure(at, most);
}

fn reach(o: u32, i: u32) -> vec4u { // of i8 and i4: what the scale allows
  if (WEIGHT_FORMAT < I8) { return bits(weightAt(o, i)); }
  return bits(vec4f(128 * scale(min(o, outputs() - 1), 4 / CHUNK * i)));
}

fn measureOutput(at: u32, o: u32, k: u32) {
  let last = (params.I - 1) / 4;
  var most = vec4u();
  for (var i = k; i <= last; i += 4 * FOURS) {
    most = max(max(most, reach(o, i)), reach(o, min(last, i + FOURS)));
    most = max(max(most, reach(o, min(last, i + 2 * FOURS))), reach(o, min(last, i + 3 * FOURS)));
  }
  measure(at, most);
}

// The exponent by which a row is divided: its largest number comes to lie between 2^14 and 2^15.
fn exponent(at: u32) -> i32 {
  if (!HALF || (at >= ROWS && WEIGHT_FORMAT == F16)) { return 0; }
  return i32(max(atomicLoad(&largest[at]) >> 23, 15)) - 141;
}

// What a row is multiplied by, and the bits of a number that are its first term: those of f16, by hand, because
// compilers may take f32(f16(v)) for v; none where an infinity is in the row, which times two terms of a weight would
// be NaN.
struct Split { factor: f32, mask: u32 }

fn splitOf(at: u32) -> Split {
  if (!HALF) { return Split(1, 0xffffffff); }
  let finite = at >= ROWS || atomicLoad(&largest[at]) < 0x7f800000;
  return Split(bitcast<f32>(u32(127 - exponent(at)) << 23), select(0u, 0xffffe000, finite));
}

fn first(v: vec4f, mask: u32) -> vec4f { return bitcast<vec4f>(bitcast<vec4u>(v) & vec4u(mask)); }
