// What the sentence of a row that draws its tokens asks for.
struct Draw { temperature: f32, top_k: u32, top_p: f32, min_p: f32, seed: u32, row: u32, position: u32 }

fn draws(r: u32) -> bool {
  let b = rows[r].z;
  return b != NO_ID && (setting(b, SETTING_FLAGS) & FLAG_SAMPLES) != 0u;
}

fn draw_of(r: u32) -> Draw {
  let b = rows[r].z;
  return Draw(setting_f32(b, SETTING_TEMPERATURE), setting(b, SETTING_TOP_K), setting_f32(b, SETTING_TOP_P),
              setting_f32(b, SETTING_MIN_P), setting(b, SETTING_SEED), setting(b, SETTING_DRAW), rows[r].y);
}

fn noise(draw: Draw, id: u32) -> f32 { return -log(exponential(draw.seed, draw.row, draw.position, id)); }

// How many of its best logits a part of `length` must list for these thresholds: 0 where there are none.
fn entries_of(draw: Draw, length: u32) -> u32 {
  if (draw.top_k > 0u && draw.top_k < params.V) { return min(draw.top_k, length); }
  return select(0u, length, draw.top_p < 1.0 || draw.min_p > 0.0);
}
