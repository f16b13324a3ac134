// Sums over LANES invocations; ROWS such groups are in a workgroup.

var<workgroup> partial: array<f32, LANES * ROWS>;

// Sum of the values of the LANES invocations of a row.
fn row_sum(value: f32, local: u32) -> f32 {
  let lane = local % LANES;
  workgroupBarrier();                            // until all have read the previous sum
  partial[local] = value;
  for (var stride = LANES / 2; stride > 0; stride /= 2) {
    workgroupBarrier();
    if (lane < stride) { partial[local] += partial[local + stride]; }
  }
  workgroupBarrier();
  return partial[local - lane];
}
