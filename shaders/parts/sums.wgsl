// What softmax attention needs of some keys: their highest score, the sum of all exp(score - top), and that of values
// weighted with them.
struct Sums { top: f32, total: f32, sum: Chunk }

fn no_sums() -> Sums { return Sums(LOWEST, 0.0, Chunk()); }

// The sums of the keys of both.
fn merged(a: Sums, b: Sums) -> Sums {
  let top = max(a.top, b.top);
  let u = exp(a.top - top);
  let v = exp(b.top - top);
  return Sums(top, a.total * u + b.total * v, a.sum * u + b.sum * v);
}
