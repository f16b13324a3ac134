// cells: a square for each attention weight of some heads, coloured by its square root.
// Shapes   weights: f32[X,T,S], X heads; heads first to first + count - 1 are drawn as panels of T rows and S columns
// Launch   6 vertices an instance, count * T * S instances
struct View {
  clip: mat4x4f,            // from cells to clip space; the first panel begins at 0, 0
  stops: array<vec4f, 6>,   // colours of values from 0 to 1
  sizes: vec4u,             // T, S, first, panels side by side
  gap: f32,                 // cells between panels
  inset: f32,               // of a cell, left free on each side
  row: i32,                 // marked row and column; -1 for none: what is not marked fades
  column: i32,
}
@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<storage, read> weights: array<f32>;

struct Corner {
  @builtin(position) position: vec4f,
  @location(0) @interpolate(flat) colour: vec4f,
}

fn colour_of(weight: f32) -> vec4f {
  let place = sqrt(clamp(weight, 0.0, 1.0)) * 5.0;
  let low = u32(min(place, 4.0));
  return mix(view.stops[low], view.stops[low + 1u], place - f32(low));
}

@vertex
fn corner(@builtin(vertex_index) vertex: u32, @builtin(instance_index) instance: u32) -> Corner {
  let T = view.sizes.x;
  let S = view.sizes.y;
  let panel = instance / (T * S);
  let t = instance / S % T;
  let s = instance % S;
  let across = f32(panel % view.sizes.w) * (f32(S) + view.gap);
  let down = f32(panel / view.sizes.w) * (f32(T) + view.gap);
  let right = vertex == 1u || vertex == 2u || vertex == 4u;
  let low = vertex == 2u || vertex == 4u || vertex == 5u;
  let x = across + f32(s) + select(view.inset, 1.0 - view.inset, right);
  let y = down + f32(t) + select(view.inset, 1.0 - view.inset, low);
  let none = view.row < 0 && view.column < 0;
  let marked = none || view.row == i32(t) || view.column == i32(s);
  let full = colour_of(weights[view.sizes.z * T * S + instance]);
  let faded = mix(view.stops[0], full, 0.25);
  return Corner(view.clip * vec4f(x, y, 0.0, 1.0), select(faded, full, marked));
}

@fragment
fn shade(at: Corner) -> @location(0) vec4f {
  return at.colour;
}
