// The row of kv that holds the key at a place of a span.
fn row_of(at: u32) -> u32 {
  if (HAS_SLOTS == 0u) { return at; }
  return slots[at];
}
