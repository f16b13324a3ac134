// The bias of the key at t for the query at `position`, by their distance.
fn bias_of(t: u32, position: u32, h: u32) -> f32 {
  if (HAS_BIAS == 0u) { return 0.0; }
  let reach = i32(DISTANCE);
  return bias[u32(clamp(i32(t) - i32(position), -reach, reach) + reach) * params.H + h];
}
