// A setting of sentence b, for shaders with `sentences` u32[B,Y].
fn setting(b: u32, field: u32) -> u32 { return sentences[b * params.Y + field]; }

fn setting_f32(b: u32, field: u32) -> f32 { return bitcast<f32>(setting(b, field)); }
