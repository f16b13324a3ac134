// A chunk of a row: four numbers, where all widths are multiples of 4.
alias Chunk = vec4f;
alias Block = mat4x4f; // a chunk of each of four rows
alias Bits = vec4u;    // of a chunk
const CHUNK = 4u;

fn element(v: Chunk, i: u32) -> f32 { return v[i]; }

fn total(v: Chunk) -> f32 { return v.x + v.y + v.z + v.w; }

fn inner(a: Chunk, b: Chunk) -> f32 { return dot(a, b); }

fn plus_dots(sum: vec4f, v: Chunk, w: Block) -> vec4f { // a multiply-add for each number, one after the other
  let z = transpose(w);
  return sum + v.x * z[0] + v.y * z[1] + v.z * z[2] + v.w * z[3];
}

fn dots(v: Chunk, w: Block) -> vec4f { // the inner products of v with the chunks of four rows
  return vec4f(dot(v, w[0]), dot(v, w[1]), dot(v, w[2]), dot(v, w[3]));
}
