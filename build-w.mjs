// shaders/attention.wgsl
var attention_default = "// attention: many queries over the keys of their own sentence, in packed rows.\n//   out[n,h,:] = sum_t softmax_t(scale * q[n,h,:] . k[t,h,:]) v[t,h,:]          t over the rows of sentence rows[n].z\n//   CAUSAL: only t <= position = rows[n].y\n// Shapes   rows: u32[N,4] (token id, position, sentence, parent)   spans: u32[B,2] (first key row, number of key rows)\n//          q: f32[N,Q]   kv: f32[S,Z]   out: f32[N,H*E]\n//          head h of q starts at h*E of its row; of k at k_at + h*K/H*E, of v at v_at + h*K/H*E of theirs\n//          (grouped heads)\n// Launch   direct: one invocation a head of a row, query and sum in registers; all widths multiples of 4\n// Numerics online softmax; a row that sees no key gives zeros; masks by length, never by an added infinity\n// Source   Vaswani et al. 2017, eq. 1; Milakov and Gimelshein 2018, arXiv:1805.02867, algorithm 3\nstruct Params { N: u32, Q: u32, Z: u32, H: u32, K: u32, E: u32, k_at: u32, v_at: u32, scale: f32 }\n@group(0) @binding(0) var<uniform> params: Params;\n@group(0) @binding(1) var<storage, read> rows: array<vec4u>;\n@group(0) @binding(2) var<storage, read> spans: array<vec2u>;\n@group(0) @binding(3) var<storage, read> q: array<vec4f>;\n@group(0) @binding(4) var<storage, read> kv: array<vec4f>;\n@group(0) @binding(5) var<storage, read> status: array<u32>;\n@group(0) @binding(6) var<storage, read_write> out: array<vec4f>;\n\nconst WIDTH: u32 = 16; // E / 4, for arrays; loops run to params.E / 4, or a CPU adapter unrolls them for seconds\nconst CAUSAL: u32 = 0;\nconst HAS_STATUS: u32 = 0;\n\n@compute @workgroup_size(8)\nfn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,\n        @builtin(local_invocation_index) lane: u32) {\n  if (HAS_STATUS == 1u && status[0] == 0u) { return; }\n  let width = params.E / 4u;\n  let index = (group.y * grid.x + group.x) * 8u + lane;\n  let n = index / params.H;\n  if (n >= params.N) { return; }\n  let h = index - n * params.H;\n  let row = rows[n];\n  let span = spans[row.z];\n  let visible = select(span.y, min(span.y, row.y + 1u), CAUSAL == 1u);\n  let stride = params.Z / 4u;\n  let head = (h * params.K / params.H) * WIDTH;\n  var k_at = span.x * stride + params.k_at / 4u + head;\n  var v_at = span.x * stride + params.v_at / 4u + head;\n  var query: array<vec4f, WIDTH>;\n  var sum: array<vec4f, WIDTH>;\n  for (var e = 0u; e < width; e++) { query[e] = q[n * (params.Q / 4u) + h * WIDTH + e] * params.scale; }\n  var top = -3.0e38;\n  var total = 0.0;\n  for (var t = 0u; t < visible; t++) {\n    var score = 0.0;\n    for (var e = 0u; e < width; e++) { score += dot(query[e], kv[k_at + e]); }\n    let next = max(top, score);\n    let decay = exp(top - next);\n    let p = exp(score - next);\n    top = next;\n    total = total * decay + p;\n    for (var e = 0u; e < width; e++) { sum[e] = sum[e] * decay + p * kv[v_at + e]; }\n    k_at += stride;\n    v_at += stride;\n  }\n  let inverse = select(0.0, 1.0 / total, total > 0.0);\n  for (var e = 0u; e < width; e++) { out[index * WIDTH + e] = sum[e] * inverse; }\n}\n";

// src/runtime/errors.ts
var WgformerError = class extends Error {
  name = "WgformerError";
};
var ShapeError = class extends WgformerError {
  name = "ShapeError";
};
var CheckpointError = class extends WgformerError {
  name = "CheckpointError";
};
var DeviceError = class extends WgformerError {
  name = "DeviceError";
};
var InputError = class extends WgformerError {
  name = "InputError";
};
var OptionError = class extends WgformerError {
  name = "OptionError";
};
function show(value) {
  if (value === void 0) return "nothing";
  if (typeof value === "number") return String(value);
  const text = JSON.stringify(value, (_, item) => typeof item === "bigint" ? `${item}n` : item);
  return (typeof value === "bigint" ? `${value}n` : text ?? String(value)).slice(0, 60);
}

// src/runtime/tensor.ts
function tensor(name, dtype, shape, role = "state") {
  return { name, dtype, shape, role };
}
function prefix(base, shape) {
  if (elements({ shape }) > elements(base)) {
    throw new RangeError(`prefix: a view of ${describe(base)} must not be larger, got [${shape}]`);
  }
  return { name: base.name, dtype: base.dtype, shape, role: base.role, base: owner(base) };
}
function owner(t) {
  return t.base ?? t;
}
function elements({ shape }) {
  return shape.reduce((product, size) => product * size, 1);
}
function byteLength(t) {
  return t.dtype === "f16" ? Math.ceil(elements(t) / 2) * 4 : elements(t) * 4;
}
function describe(t) {
  return `${t.name} ${t.dtype}[${t.shape.join(",")}]`;
}
function typedArray(dtype, buffer, length) {
  if (dtype === "f32") return new Float32Array(buffer, 0, length);
  return dtype === "u32" ? new Uint32Array(buffer, 0, length) : new Uint16Array(buffer, 0, length);
}

// src/runtime/kernel.ts
function defineKernel(kernel) {
  return kernel;
}
function parsePattern(text) {
  const [, dtypes, dims, optional] = text.match(/^([a-z0-9|]+)\[([^\]]*)\](\??)$/) ?? [];
  if (dtypes === void 0) throw new Error(`pattern must look like f32[N,D], got ${text}`);
  return { dtypes: dtypes.split("|"), dims: dims.split(","), optional: optional === "?" };
}
function evaluate(expression, dims) {
  let sum = 0;
  for (const term of expression.split("+")) {
    const factors = term.split("*").map((factor) => /^\d+$/.test(factor) ? Number(factor) : dims[factor]);
    if (factors.includes(void 0)) return void 0;
    sum += factors.reduce((product, factor) => product * factor, 1);
  }
  return sum;
}
var isLetter = (dim) => /^[A-Z]$/.test(dim);
function mismatch(kernel, argument, text, dims, given) {
  const letters = [...new Set(text.match(/\b[A-Z]\b/g) ?? [])].filter((letter) => letter in dims);
  const known = letters.map((letter) => `${letter}=${dims[letter]}`).join(", ");
  return new ShapeError(
    `${kernel.name}: ${argument} must be ${text}${known && ` with ${known}`}, got ${describe(given)}`
  );
}
function solve(kernel, given, values) {
  const patterns = { ...kernel.reads, ...kernel.writes };
  const dims = { ...values };
  const later = [];
  for (const unknown of Object.keys(given)) {
    if (!(unknown in patterns)) throw new ShapeError(`${kernel.name}: has no argument ${unknown}`);
  }
  for (const [argument, text] of Object.entries(patterns)) {
    const pattern = parsePattern(text);
    const value = given[argument];
    if (pattern.optional) dims[`HAS_${argument.toUpperCase()}`] = value ? 1 : 0;
    if (!value) {
      if (!pattern.optional && argument in kernel.reads)
        throw new ShapeError(`${kernel.name}: ${argument} must be ${text}, got nothing`);
      continue;
    }
    const format = pattern.dtypes.indexOf(value.dtype);
    if (format < 0 || value.shape.length !== pattern.dims.length) throw mismatch(kernel, argument, text, dims, value);
    if (pattern.dtypes.length > 1) dims[`${argument.toUpperCase()}_FORMAT`] = format;
    pattern.dims.forEach((dim, axis) => {
      if (isLetter(dim) && dims[dim] === void 0) dims[dim] = value.shape[axis];
      later.push(() => {
        if (evaluate(dim, dims) !== value.shape[axis]) throw mismatch(kernel, argument, text, dims, value);
      });
    });
  }
  for (const verify of later) verify();
  const fault = kernel.check?.(dims);
  if (fault) throw new ShapeError(`${kernel.name}: ${fault}`);
  return dims;
}
function outputShape(kernel, argument, dims) {
  return parsePattern(kernel.writes[argument]).dims.map((dim) => {
    const size = evaluate(dim, dims);
    if (size === void 0)
      throw new ShapeError(
        `${kernel.name}: the arguments do not give ${dim} of ${argument} ${kernel.writes[argument]}`
      );
    return size;
  });
}

// src/kernels/attention.ts
function attend(q, qAt, kv, key, value, visible, E, scale, out, outAt) {
  const scores = Array.from({ length: visible }, (_, t) => {
    let dot = 0;
    for (let e = 0; e < E; e++) dot += q[qAt + e] * kv[key(t) + e];
    return dot * scale;
  });
  const top = scores.reduce((a, b) => Math.max(a, b), -Infinity);
  const weights = scores.map((score2) => Math.exp(score2 - top));
  const total3 = weights.reduce((a, b) => a + b, 0);
  for (let e = 0; e < E; e++) {
    out[outAt + e] = weights.reduce((sum, weight, t) => sum + weight / total3 * kv[value(t) + e], 0);
  }
}
var attention = defineKernel({
  name: "attention",
  reads: { rows: "u32[N,4]", spans: "u32[B,2]", q: "f32[N,Q]", kv: "f32[S,Z]", status: "u32[2]?" },
  writes: { out: "f32[N,H*E]" },
  params: ["H", "K", "E", "k_at", "v_at", "scale"],
  constants: ["CAUSAL"],
  forms: { direct: { wgsl: attention_default, groups: ({ N, H }) => Math.ceil(N * H / 8), constants: ({ E }) => ({ WIDTH: E / 4 }) } },
  check({ Q, Z, H, K, E, k_at, v_at }) {
    if (E % 4 || Q % 4 || Z % 4 || k_at % 4 || v_at % 4)
      return `E, Q, Z, k_at and v_at must be multiples of 4, got ${[E, Q, Z, k_at, v_at]}`;
    if (H % K) return `K must divide H, got K=${K} and H=${H}`;
    if (Q < H * E || Z < Math.max(k_at, v_at) + K * E)
      return `rows of q and kv must hold their heads, got Q=${Q} and Z=${Z}`;
    return void 0;
  },
  bytes: ({ N, S, H, K, E }) => 4 * (2 * N * H * E + 2 * S * K * E) + 16 * N,
  flops: ({ N, S, B, H, E }) => 4 * N * (S / B) * H * E,
  reference({ N, Q, Z, H, K, E, k_at, v_at, scale, CAUSAL = 0 }, { rows: rows3, spans, q, kv, out }) {
    for (let n = 0; n < N; n++) {
      const [position, sentence] = [rows3[4 * n + 1], rows3[4 * n + 2]];
      const [first, length] = [spans[2 * sentence], spans[2 * sentence + 1]];
      const visible = CAUSAL ? Math.min(length, position + 1) : length;
      for (let h = 0; h < H; h++) {
        const head = Math.floor(h * K / H) * E;
        const at = (t, column) => (first + t) * Z + column + head;
        attend(
          q,
          n * Q + h * E,
          kv,
          (t) => at(t, k_at),
          (t) => at(t, v_at),
          visible,
          E,
          scale,
          out,
          (n * H + h) * E
        );
      }
    }
  }
});

// shaders/attention_step.wgsl
var attention_step_default = "// attention_step: one new query a row over the row's own past, through the beam indirection; appends its key and value.\n//   q and k are normalised and rotated as in rope when qk_norm and rotary are given\n//   cache[r,position,:] = (k_r, v_r)\n//   out[r,h,:] = sum_{t <= position} softmax_t(scale * q[r,h,:] . k[t,h,:]) v[t,h,:]\n//   key and value of step t < position lie in cache row indirection[position % 2, r, t]: beams change rows, values\n//   never move\n// Shapes   rows: u32[R,4] (token id, position, sentence, parent)   qkv: f32[R,H*E+2*K*E] (queries, keys, values)\n//          indirection: u32[2,R,M]   rotary: f32[M,E] (cosines, then sines)   qk_norm: f32[2,E] (gamma of q, of k)\n//          cache: f32[R,M,2*K*E] (key, value)   out: f32[R,H*E]\n// Launch   direct: one invocation a head of a row, query and sum in registers; E a multiple of 4, of 8 with rotary\n// Numerics online softmax\n// Source   FasterTransformer v5, decoder_masked_multihead_attention_template.hpp (cache indirection);\n//          Shazeer 2019 (K < H)\nstruct Params { R: u32, M: u32, H: u32, K: u32, E: u32, scale: f32, eps: f32 }\n@group(0) @binding(0) var<uniform> params: Params;\n@group(0) @binding(1) var<storage, read> rows: array<vec4u>;\n@group(0) @binding(2) var<storage, read> qkv: array<vec4f>;\n@group(0) @binding(3) var<storage, read> indirection: array<u32>;\n@group(0) @binding(4) var<storage, read> rotary: array<vec4f>;\n@group(0) @binding(5) var<storage, read> qk_norm: array<vec4f>;\n@group(0) @binding(6) var<storage, read> status: array<u32>;\n@group(0) @binding(7) var<storage, read_write> cache: array<vec4f>;\n@group(0) @binding(8) var<storage, read_write> out: array<vec4f>;\n\nconst WIDTH: u32 = 16; // E / 4, for arrays; loops run to params.E / 4, or a CPU adapter unrolls them for seconds\nconst INTERLEAVED: u32 = 0;\nconst HAS_ROTARY: u32 = 0;\nconst HAS_QK_NORM: u32 = 0;\nconst HAS_STATUS: u32 = 0;\n\n// Root mean square of the head at `at`, inverted; 1 without norms.\nfn norm_of(at: u32) -> f32 {\n  if (HAS_QK_NORM == 0u) { return 1.0; }\n  var squares = 0.0;\n  for (var e = 0u; e < params.E / 4u; e++) { squares += dot(qkv[at + e], qkv[at + e]); }\n  return inverseSqrt(squares / f32(4u * WIDTH) + params.eps);\n}\n\nfn normed(at: u32, e: u32, scale: f32, gamma: u32) -> vec4f {\n  if (HAS_QK_NORM == 0u) { return qkv[at + e]; }\n  return qkv[at + e] * scale * qk_norm[gamma + e];\n}\n\n// Four elements of the head at `at`, normalised and rotated.\nfn prepared(at: u32, e: u32, scale: f32, gamma: u32, position: u32) -> vec4f {\n  let own = normed(at, e, scale, gamma);\n  if (HAS_ROTARY == 0u) { return own; }\n  let half = WIDTH / 2u;\n  if (INTERLEAVED == 1u) {\n    let pair = position * WIDTH + e / 2u;       // two of the four angles there belong to these four elements\n    let cosines = select(rotary[pair].xy, rotary[pair].zw, (e & 1u) == 1u);\n    let sines = select(rotary[pair + half].xy, rotary[pair + half].zw, (e & 1u) == 1u);\n    return own * cosines.xxyy + vec4f(-own.y, own.x, -own.w, own.z) * sines.xxyy;\n  }\n  let lower = e < half;\n  let other = normed(at, select(e - half, e + half, lower), scale, gamma);\n  let angle = position * WIDTH + select(e - half, e, lower);\n  return own * rotary[angle] + select(other, -other, lower) * rotary[angle + half];\n}\n\n@compute @workgroup_size(8)\nfn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,\n        @builtin(local_invocation_index) lane: u32) {\n  if (HAS_STATUS == 1u && status[0] == 0u) { return; }\n  let index = (group.y * grid.x + group.x) * 8u + lane;\n  let r = index / params.H;\n  if (r >= params.R) { return; }\n  let h = index - r * params.H;\n  let position = rows[r].y;\n  let keys = params.K * WIDTH;                   // values follow the keys\n  let head = (h * params.K / params.H) * WIDTH;\n  let q_at = r * (params.H * WIDTH + 2u * keys) + h * WIDTH;\n  let k_at = q_at + (params.H - h) * WIDTH + head;\n  let slot = (r * params.M + position) * 2u * keys + head;\n  let stores = h * params.K % params.H == 0u;    // the first query head of its group stores their key and value\n  let q_scale = norm_of(q_at);\n  let k_scale = norm_of(k_at);\n  var q: array<vec4f, WIDTH>;\n  var sum: array<vec4f, WIDTH>;\n  var top = 0.0;\n  for (var e = 0u; e < params.E / 4u; e++) {\n    q[e] = prepared(q_at, e, q_scale, 0u, position) * params.scale;\n    let k = prepared(k_at, e, k_scale, WIDTH, position);\n    top += dot(q[e], k);\n    sum[e] = qkv[k_at + keys + e];\n    if (stores) {\n      cache[slot + e] = k;\n      cache[slot + keys + e] = sum[e];\n    }\n  }\n  var total = 1.0;\n  let table = ((position & 1u) * params.R + r) * params.M;\n  for (var t = 0u; t < position; t++) {\n    let past = (indirection[table + t] * params.M + t) * 2u * keys + head;\n    var score = 0.0;\n    for (var e = 0u; e < params.E / 4u; e++) { score += dot(q[e], cache[past + e]); }\n    let next = max(top, score);\n    let decay = exp(top - next);\n    let p = exp(score - next);\n    top = next;\n    total = total * decay + p;\n    for (var e = 0u; e < params.E / 4u; e++) { sum[e] = sum[e] * decay + p * cache[past + keys + e]; }\n  }\n  for (var e = 0u; e < params.E / 4u; e++) { out[index * WIDTH + e] = sum[e] / total; }\n}\n";

// shaders/rope.wgsl
var rope_default = "// rope: prepare the heads of packed new rows for attention, in place, and append their keys and values to the cache.\n//   q and k heads: x * rsqrt(mean(x^2) + eps) * gamma when qk_norm is given, then rotated by the row's position when\n//   rotary is:\n//   (a, b) -> (a cos - b sin, b cos + a sin) for the pairs a = x[i], b = x[i+E/2]\n//   INTERLEAVED: for the pairs a = x[2i], b = x[2i+1]\n//   cache[sentence*W, position, :] = (k, v)\n// Shapes   rows: u32[N,4] (token id, position, sentence, parent)\n//          rotary: f32[M,E] (cosines, then sines, of a position)   qk_norm: f32[2,E] (gamma of q, of k)\n//          qkv: f32[N,H*E+2*K*E]   cache: f32[R,M,2*K*E] (key, value)\n// Launch   direct: one invocation a head of a row, value heads too\n// Numerics f32; cosines and sines come from f64\n// Source   Su et al. 2021, arXiv:2104.09864, eq. 34; Transformers modeling_llama (halves), modeling_qwen3 (norms)\nstruct Params { N: u32, M: u32, H: u32, K: u32, E: u32, W: u32, eps: f32 }\n@group(0) @binding(0) var<uniform> params: Params;\n@group(0) @binding(1) var<storage, read> rows: array<vec4u>;\n@group(0) @binding(2) var<storage, read> rotary: array<f32>;\n@group(0) @binding(3) var<storage, read> qk_norm: array<f32>;\n@group(0) @binding(4) var<storage, read> status: array<u32>;\n@group(0) @binding(5) var<storage, read_write> qkv: array<f32>;\n@group(0) @binding(6) var<storage, read_write> cache: array<f32>;\n\nconst INTERLEAVED: u32 = 0;\nconst HAS_ROTARY: u32 = 0;\nconst HAS_QK_NORM: u32 = 0;\nconst HAS_STATUS: u32 = 0;\n\nfn normalise(at: u32, gamma: u32) {\n  var squares = 0.0;\n  for (var e = 0u; e < params.E; e++) { squares += qkv[at + e] * qkv[at + e]; }\n  let scale = inverseSqrt(squares / f32(params.E) + params.eps);\n  for (var e = 0u; e < params.E; e++) { qkv[at + e] = qkv[at + e] * scale * qk_norm[gamma + e]; }\n}\n\nfn rotate(at: u32, position: u32) {\n  let half = params.E / 2u;\n  for (var i = 0u; i < half; i++) {\n    let first = at + select(i, 2u * i, INTERLEAVED == 1u);\n    let second = select(first + half, first + 1u, INTERLEAVED == 1u);\n    let cosine = rotary[position * params.E + i];\n    let sine = rotary[position * params.E + half + i];\n    let a = qkv[first];\n    let b = qkv[second];\n    qkv[first] = a * cosine - b * sine;\n    qkv[second] = b * cosine + a * sine;\n  }\n}\n\n@compute @workgroup_size(64)\nfn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,\n        @builtin(local_invocation_index) lane: u32) {\n  if (HAS_STATUS == 1u && status[0] == 0u) { return; }\n  let index = (group.y * grid.x + group.x) * 64u + lane;\n  let heads = params.H + 2u * params.K;\n  let n = index / heads;\n  if (n >= params.N) { return; }\n  let head = index - n * heads;\n  let at = index * params.E;\n  let position = rows[n].y;\n  if (head < params.H + params.K) {\n    if (HAS_QK_NORM == 1u) { normalise(at, select(params.E, 0u, head < params.H)); }\n    if (HAS_ROTARY == 1u) { rotate(at, position); }\n  }\n  if (head >= params.H) {\n    let slot = ((rows[n].z * params.W * params.M + position) * 2u * params.K + head - params.H) * params.E;\n    for (var e = 0u; e < params.E; e++) { cache[slot + e] = qkv[at + e]; }\n  }\n}\n";

// src/kernels/rope.ts
function prepareHead({ E, eps, INTERLEAVED = 0 }, head, position, gamma, rotary) {
  const x = Float64Array.from(head);
  if (gamma) {
    const scale = 1 / Math.sqrt(x.reduce((sum, value) => sum + value * value, 0) / E + eps);
    x.forEach((value, e) => x[e] = value * scale * gamma(e));
  }
  if (!rotary) return x;
  const half = E / 2;
  for (let i = 0; i < half; i++) {
    const [first, second] = INTERLEAVED ? [2 * i, 2 * i + 1] : [i, i + half];
    const [cosine, sine] = [rotary[position * E + i], rotary[position * E + half + i]];
    const [a, b] = [x[first], x[second]];
    x[first] = a * cosine - b * sine;
    x[second] = b * cosine + a * sine;
  }
  return x;
}
var rope = defineKernel({
  name: "rope",
  reads: { rows: "u32[N,4]", rotary: "f32[M,E]?", qk_norm: "f32[2,E]?", status: "u32[2]?" },
  writes: { qkv: "f32[N,H*E+2*K*E]", cache: "f32[R,M,2*K*E]" },
  params: ["H", "K", "E", "W", "eps"],
  constants: ["INTERLEAVED"],
  forms: { direct: { wgsl: rope_default, groups: ({ N, H, K }) => Math.ceil(N * (H + 2 * K) / 64) } },
  check: ({ E }) => E % 2 ? `E must be even, got ${E}` : void 0,
  bytes: ({ N, H, K, E, HAS_ROTARY }) => 4 * N * E * (HAS_ROTARY ? 2 * (H + K) + 4 * K : 4 * K),
  flops: ({ N, H, K, E }) => 3 * N * (H + K) * E,
  reference(d, { rows: rows3, rotary, qk_norm, qkv, cache }) {
    const { N, H, K, E, M, W } = d;
    const heads = H + 2 * K;
    for (let n = 0; n < N; n++) {
      const [position, sentence] = [rows3[4 * n + 1], rows3[4 * n + 2]];
      for (let head = 0; head < heads; head++) {
        const at = (n * heads + head) * E;
        if (head < H + K) {
          const gamma = qk_norm && ((e) => qk_norm[(head < H ? 0 : E) + e]);
          const before = Array.from({ length: E }, (_, e) => qkv[at + e]);
          prepareHead(d, before, position, gamma, rotary).forEach((value, e) => qkv[at + e] = value);
        }
        const slot = ((sentence * W * M + position) * 2 * K + head - H) * E;
        for (let e = 0; head >= H && e < E; e++) cache[slot + e] = qkv[at + e];
      }
    }
  }
});

// src/kernels/attention_step.ts
var attentionStep = defineKernel({
  name: "attention_step",
  reads: {
    rows: "u32[R,4]",
    qkv: "f32[R,H*E+2*K*E]",
    indirection: "u32[2,R,M]",
    rotary: "f32[M,E]?",
    qk_norm: "f32[2,E]?",
    status: "u32[2]?"
  },
  writes: { cache: "f32[R,M,2*K*E]", out: "f32[R,H*E]" },
  params: ["H", "K", "E", "scale", "eps"],
  constants: ["INTERLEAVED"],
  forms: { direct: { wgsl: attention_step_default, groups: ({ R, H }) => Math.ceil(R * H / 8), constants: ({ E }) => ({ WIDTH: E / 4 }) } },
  check({ H, K, E, HAS_ROTARY }) {
    const multiple = HAS_ROTARY ? 8 : 4;
    if (E % multiple) return `E must be a multiple of ${multiple}, got ${E}`;
    return H % K ? `K must divide H, got K=${K} and H=${H}` : void 0;
  },
  bytes: ({ R, M, H, K, E }) => 4 * R * (2 * H * E + (M + 2) * K * E),
  // a cache half full on average
  flops: ({ R, M, H, E }) => 2 * R * M * H * E,
  reference(d, { rows: rows3, qkv, indirection, rotary, qk_norm, cache, out }) {
    const { R, M, H, K, E, scale } = d;
    const heads = H + 2 * K;
    const slot = 2 * K * E;
    for (let r = 0; r < R; r++) {
      const position = rows3[4 * r + 1];
      const own = Array.from({ length: heads }, (_, head) => {
        const values = Array.from({ length: E }, (_2, e) => qkv[(r * heads + head) * E + e]);
        const gamma = qk_norm && ((e) => qk_norm[(head < H ? 0 : E) + e]);
        return head < H + K ? prepareHead(d, values, position, gamma, rotary) : values;
      });
      own.slice(H).forEach((values, head) => {
        for (let e = 0; e < E; e++) cache[(r * M + position) * slot + head * E + e] = values[e];
      });
      const past = (t) => t === position ? r : indirection[(position % 2 * R + r) * M + t];
      for (let h = 0; h < H; h++) {
        const key = (t) => (past(t) * M + t) * slot + Math.floor(h * K / H) * E;
        attend(own[h], 0, cache, key, (t) => key(t) + K * E, position + 1, E, scale, out, (r * H + h) * E);
      }
    }
  }
});

// shaders/beam_step.wgsl
var beam_step_default = "// beam_step: choose the next W beams of a sentence from the candidates of all its beams; keep its finished hypotheses.\n//   candidates (w, id): score = running[w] + log_softmax(logits[w])[id];  the best C, ties to the smaller w*V + id\n//   a candidate stops if id is an end id, or if the sentence is then `limit` long\n//   next beams: the best W that do not stop; finished: those that stop and rank below W,\n//   by score / generated^length_penalty\n//   done: `limit` reached; or early_stopping = 1 and W finished; or no running beam can beat the worst of W finished\n//   greedy search is W = 1, early_stopping = 1\n//   diverse beams: `groups` sentences a prompt, a launch for each `group` in turn; a candidate's log-probability loses\n//   diversity_penalty for every beam of the prompt's earlier groups that chose its id at this step\n// Shapes   values: f32[R,G,C+2]   indices: u32[R,G,C] (from topk)   end_ids: u32[X]   R = B*W\n//          rows: u32[R,4] (token id, position, sentence, parent beam)\n//          scores: f32[4,R] (running, finished, log-probability of each row's token, of each finished one's last token)\n//          sentences: u32[B,4+3*W] (length, prompt length, limit, done; then per finished: length, parent beam,\n//          last id)\n//          indirection: u32[2,R,M]   status: u32[2] (sentences not done, rows with logits that are not finite)\n// Launch   direct: one invocation a sentence of the group\n// Numerics LOG_PROBS = 1: values are log-probabilities already; early_stopping: 0 false, 1 true, 2 \"never\"\n// Source   Transformers 5 generation/utils.py, _beam_search; FasterTransformer v5 (cache indirection); Vijayakumar et al.\n//          2016, arXiv:1610.02424, eq. 5 with Hamming diversity\nstruct Params { B: u32, W: u32, G: u32, C: u32, V: u32, M: u32, X: u32, early_stopping: u32, length_penalty: f32,\n  groups: u32, group: u32, diversity_penalty: f32 }\n@group(0) @binding(0) var<uniform> params: Params;\n@group(0) @binding(1) var<storage, read> values: array<f32>;\n@group(0) @binding(2) var<storage, read> indices: array<u32>;\n@group(0) @binding(3) var<storage, read> end_ids: array<u32>;\n@group(0) @binding(4) var<storage, read_write> rows: array<vec4u>;\n@group(0) @binding(5) var<storage, read_write> scores: array<f32>;\n@group(0) @binding(6) var<storage, read_write> sentences: array<u32>;\n@group(0) @binding(7) var<storage, read_write> indirection: array<u32>;\n@group(0) @binding(8) var<storage, read_write> status: array<atomic<u32>>;\n\nconst BEAMS: u32 = 32;                           // W, for arrays; loops run to params.W, or a CPU adapter unrolls them\nconst LISTS: u32 = 256;                          // W * G, likewise\nconst LOG_PROBS: u32 = 0;\nconst NONE = -3.4e38;\n\nfn penalised(score: f32, generated: u32) -> f32 {\n  if (params.length_penalty == 1.0) { return score / f32(generated); }\n  return score / pow(f32(generated), params.length_penalty);\n}\n\nfn is_end(id: u32) -> bool {\n  for (var i = 0u; i < params.X; i++) { if (end_ids[i] == id) { return true; } }\n  return false;\n}\n\n// Inserts a hypothesis into the sentence's finished list, best first, if it is among the best W.\nfn finish(b: u32, score: f32, log_prob: f32, hypothesis: vec3u) {\n  let base = b * (4u + 3u * BEAMS) + 4u;\n  let best = (params.B + b) * BEAMS;\n  let last = (3u * params.B + b) * BEAMS;\n  var at = 0u;\n  while (at < params.W && sentences[base + 3u * at] != 0u && scores[best + at] >= score) { at++; }\n  if (at == params.W) { return; }\n  for (var i = params.W - 1u; i > at; i--) {\n    scores[best + i] = scores[best + i - 1u];\n    scores[last + i] = scores[last + i - 1u];\n    for (var field = 3u * i; field < 3u * i + 3u; field++) { sentences[base + field] = sentences[base + field - 3u]; }\n  }\n  scores[best + at] = score;\n  scores[last + at] = log_prob;\n  for (var field = 0u; field < 3u; field++) { sentences[base + 3u * at + field] = hypothesis[field]; }\n}\n\n// Beams of the prompt's earlier groups that have just chosen this id.\nfn chosen_before(b: u32, id: u32) -> f32 {\n  var count = 0.0;\n  for (var other = b - params.group; other < b; other++) {\n    if (sentences[other * (4u + 3u * BEAMS) + 3u] == 1u) { continue; }\n    for (var w = 0u; w < params.W; w++) { if (rows[other * BEAMS + w].x == id) { count += 1.0; } }\n  }\n  return count;\n}\n\n@compute @workgroup_size(1)\nfn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u) {\n  let b = (group.y * grid.x + group.x) * params.groups + params.group;\n  if (b >= params.B) { return; }\n  let sentence = b * (4u + 3u * BEAMS);\n  if (sentences[sentence + 3u] == 1u) { return; }\n  let length = sentences[sentence];\n  let start = sentences[sentence + 1u];\n  let limit = sentences[sentence + 2u];\n  var top: array<f32, BEAMS>;                    // log-softmax of a row: logit - top - log_sum\n  var log_sum: array<f32, BEAMS>;\n  for (var w = 0u; w < params.W; w++) {\n    let row = (b * BEAMS + w) * params.G;\n    var peak = NONE;\n    for (var g = 0u; g < params.G; g++) { peak = max(peak, values[(row + g) * (params.C + 2u) + params.C]); }\n    var total = 0.0;\n    for (var g = 0u; g < params.G; g++) {\n      let part = (row + g) * (params.C + 2u) + params.C;\n      if (values[part + 1u] < 0.0) { atomicAdd(&status[1], 1u); }\n      total += values[part + 1u] * exp(values[part] - peak);\n    }\n    top[w] = select(peak, 0.0, LOG_PROBS == 1u);\n    log_sum[w] = select(log(total), 0.0, LOG_PROBS == 1u);\n  }\n  var heads: array<u32, LISTS>;\n  var next_score: array<f32, BEAMS>;\n  var next_log_prob: array<f32, BEAMS>;\n  var next_id: array<u32, BEAMS>;\n  var next_parent: array<u32, BEAMS>;\n  var taken = 0u;\n  let diverse = params.diversity_penalty != 0.0;\n  var last_score = 3.4e38;\n  var last_choice = 0u;\n  for (var rank = 0u; rank < params.C && (taken < BEAMS || rank < BEAMS); rank++) {\n    var score = NONE;\n    var log_prob = 0.0;\n    var choice = 0xffffffffu;                    // w * V + id\n    var list = 0u;\n    for (var l = 0u; l < params.W * params.G; l++) {\n      // Lists are sorted: only their heads compete, unless penalties change the order.\n      let first = select(heads[l], 0u, diverse);\n      let end = select(min(first + 1u, params.C), params.C, diverse);\n      for (var c = first; c < end; c++) {\n        let at = b * params.W * params.G + l;\n        let id = indices[at * params.C + c];\n        if (id == 0xffffffffu) { break; }\n        let w = l / params.G;\n        var own = values[at * (params.C + 2u) + c] - top[w] - log_sum[w];\n        if (diverse) { own -= params.diversity_penalty * chosen_before(b, id); }\n        let candidate = scores[b * BEAMS + w] + own;\n        let flat = w * params.V + id;\n        let fresh = !diverse || candidate < last_score || (candidate == last_score && flat > last_choice);\n        if (fresh && (candidate > score || (candidate == score && flat < choice))) {\n          score = candidate;\n          log_prob = own;\n          choice = flat;\n          list = l;\n        }\n      }\n    }\n    if (choice == 0xffffffffu) { break; }\n    heads[list]++;\n    last_score = score;\n    last_choice = choice;\n    let parent = list / params.G;\n    let id = choice - parent * params.V;\n    if (length + 1u >= limit || is_end(id)) {\n      if (rank < BEAMS) {\n        finish(b, penalised(score, length + 1u - start), log_prob, vec3u(length + 1u, parent, id));\n      }\n    } else if (taken < BEAMS) {\n      next_score[taken] = score;\n      next_log_prob[taken] = log_prob;\n      next_id[taken] = id;\n      next_parent[taken] = parent;\n      taken++;\n    }\n  }\n  let full = sentences[sentence + 1u + 3u * BEAMS] != 0u;   // the last of the finished is there\n  var done = length + 1u >= limit || (full && params.early_stopping == 1u);\n  let horizon = select(length + 1u, limit, params.early_stopping == 2u && params.length_penalty > 0.0) - start;\n  let worst = scores[(params.B + b) * BEAMS + BEAMS - 1u];\n  done = done || (full && (taken == 0u || penalised(next_score[0], horizon) <= worst));\n  sentences[sentence] = length + 1u;\n  if (done) {\n    sentences[sentence + 3u] = 1u;\n    atomicSub(&status[0], 1u);\n    return;\n  }\n  let table = ((length - 1u) & 1u) * params.B * BEAMS;      // the new table is written beside the old\n  let next_table = (length & 1u) * params.B * BEAMS;\n  for (var w = 0u; w < params.W; w++) {\n    let r = b * BEAMS + w;\n    let parent = b * BEAMS + next_parent[w];\n    let to = (next_table + r) * params.M;\n    for (var t = 0u; t + 1u < length; t++) { indirection[to + t] = indirection[(table + parent) * params.M + t]; }\n    indirection[to + length - 1u] = parent;\n    scores[r] = next_score[w];\n    scores[2u * params.B * BEAMS + r] = next_log_prob[w];\n    rows[r] = vec4u(next_id[w], length, b, next_parent[w]);\n  }\n}\n";

// shaders/topk.wgsl
var topk_default = "// topk: the C best of each part of each row, and what the row's log-softmax needs.\n//   values[r,g,0..C) , indices[r,g,0..C) = the C largest logits of part g, best first, ties to the smaller id\n//   values[r,g,C] = max, values[r,g,C+1] = sum exp(logit - max) over the part;  sum = -1 if a logit there is not finite\n// Shapes   logits: f32[R,V]   values: f32[R,G,C+2]   indices: u32[R,G,C]      (part g: ids g*ceil(V/G) up to the next)\n// Launch   direct: one invocation a part\n// Numerics absent candidates (a part shorter than C) have value -3.4e38 and id 0xffffffff\n// Source   Milakov and Gimelshein 2018, arXiv:1805.02867, algorithm 4;\n//          FasterTransformer v2.1 online_softmax_beamsearch_kernels\nstruct Params { R: u32, V: u32, G: u32, C: u32 }\n@group(0) @binding(0) var<uniform> params: Params;\n@group(0) @binding(1) var<storage, read> logits: array<f32>;\n@group(0) @binding(2) var<storage, read> status: array<u32>;\n@group(0) @binding(3) var<storage, read_write> values: array<f32>;\n@group(0) @binding(4) var<storage, read_write> indices: array<u32>;\n\nconst LIST: u32 = 64;                            // C, for arrays; loops run to params.C, or a CPU adapter unrolls them\nconst HAS_STATUS: u32 = 0;\nconst ABSENT = -3.4e38;\n\n@compute @workgroup_size(64)\nfn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,\n        @builtin(local_invocation_index) lane: u32) {\n  if (HAS_STATUS == 1u && status[0] == 0u) { return; }\n  let index = (group.y * grid.x + group.x) * 64u + lane;\n  let r = index / params.G;\n  if (r >= params.R) { return; }\n  let length = (params.V + params.G - 1u) / params.G;\n  let begin = min((index - r * params.G) * length, params.V);\n  let end = min(begin + length, params.V);\n  let row = r * params.V;\n  var best: array<f32, LIST>;\n  var ids: array<u32, LIST>;\n  for (var c = 0u; c < params.C; c++) {\n    best[c] = ABSENT;\n    ids[c] = 0xffffffffu;\n  }\n  var top = ABSENT;\n  var finite = true;\n  for (var v = begin; v < end; v++) {\n    let x = logits[row + v];\n    finite = finite && (bitcast<u32>(x) & 0x7fffffffu) < 0x7f800000u;\n    top = max(top, x);\n    if (x > best[LIST - 1u]) {\n      var c = LIST - 1u;\n      for (; c > 0u && best[c - 1u] < x; c--) {\n        best[c] = best[c - 1u];\n        ids[c] = ids[c - 1u];\n      }\n      best[c] = x;\n      ids[c] = v;\n    }\n  }\n  var total = 0.0;\n  for (var v = begin; v < end; v++) { total += exp(logits[row + v] - top); }\n  for (var c = 0u; c < params.C; c++) {\n    values[index * (LIST + 2u) + c] = best[c];\n    indices[index * LIST + c] = ids[c];\n  }\n  values[index * (LIST + 2u) + LIST] = top;\n  values[index * (LIST + 2u) + LIST + 1u] = select(-1.0, total, finite);\n}\n";

// src/kernels/topk.ts
var ABSENT = -34e37;
var NO_ID = 4294967295;
var LARGEST = 34028234663852886e22;
var topk = defineKernel({
  name: "topk",
  reads: { logits: "f32[R,V]", status: "u32[2]?" },
  writes: { values: "f32[R,G,C+2]", indices: "u32[R,G,C]" },
  params: ["G", "C"],
  constants: [],
  forms: { direct: { wgsl: topk_default, groups: ({ R, G }) => Math.ceil(R * G / 64), constants: ({ C }) => ({ LIST: C }) } },
  check: ({ C }) => C > 64 ? `C must be at most 64 (32 beams), got ${C}` : void 0,
  bytes: ({ R, V, G, C }) => 4 * R * (V + G * (2 * C + 2)),
  flops: ({ R, V }) => 4 * R * V,
  reference({ R, V, G, C }, { logits, values, indices }) {
    const length = Math.ceil(V / G);
    for (let part = 0; part < R * G; part++) {
      const [r, g] = [Math.floor(part / G), part % G];
      const ids2 = Array.from({ length: Math.max(0, Math.min(length, V - g * length)) }, (_, i) => g * length + i);
      const logit = (id2) => logits[r * V + id2];
      const sorted = [...ids2].sort((a, b) => logit(b) - logit(a) || a - b);
      for (let c = 0; c < C; c++) {
        values[part * (C + 2) + c] = c < sorted.length ? logit(sorted[c]) : ABSENT;
        indices[part * C + c] = c < sorted.length ? sorted[c] : NO_ID;
      }
      const top = sorted.length ? logit(sorted[0]) : ABSENT;
      const finite = ids2.every((id2) => Math.abs(logit(id2)) <= LARGEST);
      values[part * (C + 2) + C] = top;
      values[part * (C + 2) + C + 1] = finite ? ids2.reduce((sum, id2) => sum + Math.exp(logit(id2) - top), 0) : -1;
    }
  }
});

// src/kernels/beam_step.ts
var EARLY_STOPPING = { false: 0, true: 1, never: 2 };
function candidates(b, { W, G, C, V, diversity_penalty, LOG_PROBS = 0 }, values, indices, running, before) {
  const found = [];
  for (let w = 0; w < W; w++) {
    const parts = Array.from({ length: G }, (_, g) => (b * W + w) * G + g);
    const top = Math.max(...parts.map((part) => values[part * (C + 2) + C]));
    const total3 = parts.reduce(
      (sum, part) => sum + values[part * (C + 2) + C + 1] * Math.exp(values[part * (C + 2) + C] - top),
      0
    );
    for (const part of parts) {
      for (let c = 0; c < C && indices[part * C + c] !== NO_ID; c++) {
        const raw = LOG_PROBS ? values[part * (C + 2) + c] : values[part * (C + 2) + c] - top - Math.log(total3);
        const logProb = raw - diversity_penalty * before.filter((id2) => id2 === indices[part * C + c]).length;
        found.push({ w, id: indices[part * C + c], score: running[b * W + w] + logProb, logProb });
      }
    }
  }
  return found.sort((x, y) => y.score - x.score || x.w * V + x.id - (y.w * V + y.id)).slice(0, C);
}
var beamStep = defineKernel({
  name: "beam_step",
  reads: { values: "f32[R,G,C+2]", indices: "u32[R,G,C]", end_ids: "u32[X]" },
  writes: {
    rows: "u32[R,4]",
    scores: "f32[4,R]",
    sentences: "u32[B,4+3*W]",
    indirection: "u32[2,R,M]",
    status: "u32[2]"
  },
  params: ["W", "V", "early_stopping", "length_penalty", "groups", "group", "diversity_penalty"],
  constants: ["LOG_PROBS"],
  forms: {
    direct: {
      wgsl: beam_step_default,
      groups: ({ B, groups }) => Math.ceil(B / groups),
      constants: ({ W, G }) => ({ BEAMS: W, LISTS: W * G })
    }
  },
  check({ R, B, W, C, X, V }) {
    if (R !== B * W) return `R must be B*W, got R=${R}, B=${B} and W=${W}`;
    if (W > 1 && C < Math.max(2, 1 + X) * W)
      return `C must be at least ${Math.max(2, 1 + X) * W} for W=${W} and ${X} end ids, got ${C}`;
    return W * V < C ? `V must be at least ${Math.ceil(C / W)} for ${C} candidates, got ${V}` : void 0;
  },
  bytes: ({ R, G, C, M }) => 4 * (R * G * (2 * C + 2) + 2 * R * M),
  flops: ({ R, G, C }) => R * G * C * C,
  reference(d, { values, indices, end_ids, rows: rows3, scores, sentences, indirection, status }) {
    const { B, W, R, M, X, early_stopping, length_penalty, groups, group } = d;
    const ends = new Set(Array.from({ length: X }, (_, i) => end_ids[i]));
    for (let b = group; b < B; b += groups) {
      const at = b * (4 + 3 * W);
      const [length, start, limit, done] = [0, 1, 2, 3].map((i) => sentences[at + i]);
      if (done) continue;
      for (let part = b * W * d.G; part < (b + 1) * W * d.G; part++)
        if (values[part * (d.C + 2) + d.C + 1] < 0) status[1]++;
      const next = length + 1;
      const penalised = (score2, generated) => score2 / generated ** length_penalty;
      const finished = Array.from({ length: W }, (_, i) => ({
        score: scores[R + b * W + i],
        logProb: scores[3 * R + b * W + i],
        length: sentences[at + 4 + 3 * i],
        w: sentences[at + 5 + 3 * i],
        id: sentences[at + 6 + 3 * i]
      })).filter((hypothesis) => hypothesis.length > 0);
      const running = [];
      const earlier = Array.from({ length: group }, (_, i) => b - group + i).filter(
        (other) => sentences[other * (4 + 3 * W) + 3] === 0
      );
      const before = earlier.flatMap((other) => Array.from({ length: W }, (_, w) => rows3[4 * (other * W + w)]));
      candidates(b, d, values, indices, scores, before).forEach((candidate, rank) => {
        if (next < limit && !ends.has(candidate.id)) running.push(candidate);
        else if (rank < W)
          finished.push({ ...candidate, length: next, score: penalised(candidate.score, next - start) });
      });
      finished.sort((x, y) => y.score - x.score).splice(W);
      finished.forEach((hypothesis, i) => {
        scores[R + b * W + i] = hypothesis.score;
        scores[3 * R + b * W + i] = hypothesis.logProb;
        [hypothesis.length, hypothesis.w, hypothesis.id].forEach(
          (value, field) => sentences[at + 4 + 3 * i + field] = value
        );
      });
      const full = finished.length === W;
      const horizon = early_stopping === EARLY_STOPPING.never && length_penalty > 0 ? limit - start : next - start;
      const hopeless = full && (!running.length || penalised(running[0].score, horizon) <= finished[W - 1].score);
      sentences[at] = next;
      if (next >= limit || hopeless || full && early_stopping === EARLY_STOPPING.true) {
        sentences[at + 3] = 1;
        status[0]--;
        continue;
      }
      const [old, fresh] = [(length - 1) % 2 * R, length % 2 * R];
      running.slice(0, W).forEach(({ w, id: id2, score: score2, logProb }, beam) => {
        const [r, parent] = [b * W + beam, b * W + w];
        for (let t = 0; t < length; t++)
          indirection[(fresh + r) * M + t] = t === length - 1 ? parent : indirection[(old + parent) * M + t];
        scores[r] = score2;
        scores[2 * R + r] = logProb;
        [id2, length, b, w].forEach((value, i) => rows3[4 * r + i] = value);
      });
    }
  }
});

// shaders/embed.wgsl
var embed_default = "// embed: the row of each token, scaled, plus the row of its position.\n//   out[n,:] = tokens[id,:] * scale + positions[position + shift,:]        (id, position) = rows[n].xy\n// Shapes   rows: u32[N,4] (token id, position, sentence, parent)   tokens: f32|f16[V,D]\n//          positions: f32[P,D]   out: f32[N,D]\n// Launch   one invocation for 4 elements of a row; D a multiple of 4\n// Numerics f32\n// Source   Vaswani et al. 2017, arXiv:1706.03762, sections 3.4 and 3.5\nstruct Params { N: u32, D: u32, shift: u32, scale: f32 }\n@group(0) @binding(0) var<uniform> params: Params;\n@group(0) @binding(1) var<storage, read> rows: array<vec4u>;\n@group(0) @binding(2) var<storage, read> tokens: array<vec2u>;\n@group(0) @binding(3) var<storage, read> positions: array<vec4f>;\n@group(0) @binding(4) var<storage, read> status: array<u32>;\n@group(0) @binding(5) var<storage, read_write> out: array<vec4f>;\n\nconst TOKENS_FORMAT: u32 = 0; // 0 f32, 1 f16\nconst HAS_POSITIONS: u32 = 0;\nconst HAS_STATUS: u32 = 0;\n\nfn token4(at: u32) -> vec4f {\n  if (TOKENS_FORMAT == 1u) {\n    let packed = tokens[at];\n    return vec4f(unpack2x16float(packed.x), unpack2x16float(packed.y));\n  }\n  return bitcast<vec4f>(vec4u(tokens[2u * at], tokens[2u * at + 1u]));\n}\n\n@compute @workgroup_size(64)\nfn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,\n        @builtin(local_invocation_index) lane: u32) {\n  if (HAS_STATUS == 1u && status[0] == 0u) { return; }\n  let index = (group.y * grid.x + group.x) * 64u + lane;\n  let width = params.D / 4u;\n  let n = index / width;\n  if (n >= params.N) { return; }\n  let d = index - n * width;\n  var value = token4(rows[n].x * width + d) * params.scale;\n  if (HAS_POSITIONS == 1u) { value += positions[(rows[n].y + params.shift) * width + d]; }\n  out[index] = value;\n}\n";

// src/kernels/embed.ts
var embed = defineKernel({
  name: "embed",
  reads: { rows: "u32[N,4]", tokens: "f32|f16[V,D]", positions: "f32[P,D]?", status: "u32[2]?" },
  writes: { out: "f32[N,D]" },
  params: ["shift", "scale"],
  constants: [],
  forms: { direct: { wgsl: embed_default, groups: ({ N, D }) => Math.ceil(N * D / 4 / 64) } },
  check: ({ D }) => D % 4 ? `D must be a multiple of 4, got ${D}` : void 0,
  bytes: ({ N, D, TOKENS_FORMAT, HAS_POSITIONS }) => N * D * (4 + (TOKENS_FORMAT ? 2 : 4) + 4 * HAS_POSITIONS) + 16 * N,
  flops: ({ N, D }) => 2 * N * D,
  reference({ N, D, shift, scale }, { rows: rows3, tokens, positions, out }) {
    for (let n = 0; n < N; n++) {
      for (let d = 0; d < D; d++) {
        const place2 = positions ? positions[(rows3[4 * n + 1] + shift) * D + d] : 0;
        out[n * D + d] = tokens[rows3[4 * n] * D + d] * scale + place2;
      }
    }
  }
});

// shaders/layernorm_residual.wgsl
var layernorm_residual_default = "// layernorm_residual: fold a block's output into the residual stream, then normalise it.\n//   sum[n,:] = x[n,:] + residual[n,:]                                  (both optional: without residual, sum is x)\n//   out[n,:] = (sum - mean(sum)) * rsqrt(var(sum) + eps) * gamma + beta          (biased variance)\n// Shapes   x, residual, sum, out: f32[N,D]   gamma, beta: f32[D]\n// Launch   direct: SLICES invocations a row, each of which computes the row's mean and variance and writes its share of\n//          the row; D a multiple of 4\n// Numerics two passes: the one-pass E[s^2] - E[s]^2 cancels in f32\n// Source   Ba et al. 2016, arXiv:1607.06450, eq. 3\nstruct Params { N: u32, D: u32, eps: f32 }\n@group(0) @binding(0) var<uniform> params: Params;\n@group(0) @binding(1) var<storage, read> x: array<vec4f>;\n@group(0) @binding(2) var<storage, read> residual: array<vec4f>;\n@group(0) @binding(3) var<storage, read> gamma: array<vec4f>;\n@group(0) @binding(4) var<storage, read> beta: array<vec4f>;\n@group(0) @binding(5) var<storage, read> status: array<u32>;\n@group(0) @binding(6) var<storage, read_write> sum: array<vec4f>;\n@group(0) @binding(7) var<storage, read_write> out: array<vec4f>;\n\nconst SLICES: u32 = 1;\nconst HAS_RESIDUAL: u32 = 0;\nconst HAS_SUM: u32 = 0;\nconst HAS_STATUS: u32 = 0;\n\nfn stream(at: u32) -> vec4f {\n  if (HAS_RESIDUAL == 1u) { return x[at] + residual[at]; }\n  return x[at];\n}\n\n@compute @workgroup_size(64)\nfn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,\n        @builtin(local_invocation_index) lane: u32) {\n  if (HAS_STATUS == 1u && status[0] == 0u) { return; }\n  let index = (group.y * grid.x + group.x) * 64u + lane;\n  let n = index / SLICES;\n  if (n >= params.N) { return; }\n  let width = params.D / 4u;\n  let row = n * width;\n  var total = vec4f(0.0);\n  for (var d = 0u; d < width; d++) { total += stream(row + d); }\n  let mean = (total.x + total.y + total.z + total.w) / f32(params.D);\n  total = vec4f(0.0);\n  for (var d = 0u; d < width; d++) {\n    let centred = stream(row + d) - mean;\n    total += centred * centred;\n  }\n  let rstd = inverseSqrt((total.x + total.y + total.z + total.w) / f32(params.D) + params.eps);\n  for (var d = index - n * SLICES; d < width; d += SLICES) {\n    let s = stream(row + d);\n    if (HAS_SUM == 1u) { sum[row + d] = s; }\n    out[row + d] = (s - mean) * rstd * gamma[d] + beta[d];\n  }\n}\n";

// src/kernels/layernorm_residual.ts
var slices = ({ N, D }) => N * 8 <= 512 && D >= 128 ? 8 : 1;
var layernormResidual = defineKernel({
  name: "layernorm_residual",
  reads: { x: "f32[N,D]", residual: "f32[N,D]?", gamma: "f32[D]", beta: "f32[D]", status: "u32[2]?" },
  writes: { sum: "f32[N,D]?", out: "f32[N,D]" },
  params: ["eps"],
  constants: [],
  forms: {
    direct: { wgsl: layernorm_residual_default, groups: (d) => Math.ceil(d.N * slices(d) / 64), constants: (d) => ({ SLICES: slices(d) }) }
  },
  check: ({ D }) => D % 4 ? `D must be a multiple of 4, got ${D}` : void 0,
  bytes: ({ N, D, HAS_RESIDUAL, HAS_SUM }) => 4 * (N * D * (2 + HAS_RESIDUAL + HAS_SUM) + 2 * D),
  flops: ({ N, D }) => 8 * N * D,
  reference({ N, D, eps }, { x, residual, gamma, beta, sum, out }) {
    for (let n = 0; n < N; n++) {
      const row = Float64Array.from({ length: D }, (_, d) => x[n * D + d] + (residual?.[n * D + d] ?? 0));
      const mean = row.reduce((total3, value) => total3 + value, 0) / D;
      const variance = row.reduce((total3, value) => total3 + (value - mean) ** 2, 0) / D;
      row.forEach((value, d) => {
        if (sum) sum[n * D + d] = value;
        out[n * D + d] = (value - mean) / Math.sqrt(variance + eps) * gamma[d] + beta[d];
      });
    }
  }
});

// shaders/logits_process.wgsl
var logits_process_default = "// logits_process: the rules of generation on each row's scores, in the order of Transformers; records the row's token.\n//   log-softmax first when LOG_SOFTMAX (beam search), then: repetition penalty (once per distinct token:\n//   s < 0 ? s*p : s/p); no_repeat_ngram; banned sequences; no end id before the minimum;\n//   forced first and last token; suppressed tokens\n// Shapes   rows: u32[R,4] (token id, position, sentence, parent)   indirection: u32[2,R,M]   history, written: u32[M,R]\n//          sentences: u32[B,Y] (length, prompt length, limit, ...)   leads: u32[B,2] (pads before the prompt, their id)\n//          logits: f32[R,V], changed in place\n//          rules: u32[X] = counts of (end ids, suppressed, suppressed at the beginning, banned sequences), the ids\n//          of the first three, then each banned sequence behind its length\n// Launch   direct: one invocation a row\n// Numerics a banned token scores -3e38, never an infinity\n// Source   Transformers 5 generation/logits_process.py\nstruct Params { R: u32, V: u32, M: u32, Y: u32, no_repeat_ngram_size: u32, min_new_tokens: u32,\n  forced_bos: u32, forced_eos: u32, begin: u32, repetition_penalty: f32,\n  presence_penalty: f32 }\n@group(0) @binding(0) var<uniform> params: Params;\n@group(0) @binding(1) var<storage, read> rows: array<vec4u>;\n@group(0) @binding(2) var<storage, read> indirection: array<u32>;\n@group(0) @binding(3) var<storage, read> sentences: array<u32>;\n@group(0) @binding(4) var<storage, read> rules: array<u32>;\n@group(0) @binding(5) var<storage, read> leads: array<vec2u>;\n@group(0) @binding(6) var<storage, read> status: array<u32>;\n@group(0) @binding(7) var<storage, read_write> history: array<u32>;\n@group(0) @binding(8) var<storage, read_write> logits: array<f32>;\n\nconst LOG_SOFTMAX: u32 = 0;\nconst HAS_LEADS: u32 = 0;\nconst HAS_STATUS: u32 = 0;\nconst BANNED = -3.0e38;\n\nfn lead(r: u32) -> u32 {\n  if (HAS_LEADS == 1u) { return leads[rows[r].z].x; }\n  return 0u;\n}\n\nfn token(r: u32, at: u32) -> u32 { // of row r, its pads counted: its own now, its ancestors' before\n  let before = lead(r);\n  if (at < before) { return leads[rows[r].z].y; }\n  let t = at - before;\n  let position = rows[r].y;\n  if (t == position) { return rows[r].x; }\n  return history[t * params.R + indirection[((position & 1u) * params.R + r) * params.M + t]];\n}\n\nfn ban(at: u32, first: u32, count: u32) {\n  for (var i = first; i < first + count; i++) { logits[at + rules[i]] = BANNED; }\n}\n\nfn force(at: u32, id: u32) {\n  for (var v = 0u; v < params.V; v++) { logits[at + v] = select(BANNED, 0.0, v == id); }\n}\n\n// Whether the `count` ids before `end` of the row equal those before `other`.\nfn same_tail(r: u32, end: u32, other: u32, count: u32) -> bool {\n  for (var i = 1u; i <= count; i++) { if (token(r, end - i) != token(r, other - i)) { return false; } }\n  return true;\n}\n\nfn penalise_repetition(r: u32, at: u32, length: u32) {\n  for (var t = max(lead(r), 1u) - 1u; t < length; t++) {     // all pads are one token\n    let id = token(r, t);\n    var seen = false;\n    for (var u = max(lead(r), 1u) - 1u; u < t; u++) { seen = seen || token(r, u) == id; }\n    let score = logits[at + id];\n    let repeated = select(score / params.repetition_penalty, score * params.repetition_penalty, score < 0.0);\n    if (!seen) { logits[at + id] = repeated - params.presence_penalty; }\n  }\n}\n\nfn ban_sequences(r: u32, at: u32, length: u32) {\n  var next = 4u + rules[0] + rules[1] + rules[2];\n  for (var i = 0u; i < rules[3]; i++) {\n    let count = rules[next];\n    var hit = count == 1u || count <= length;                // longer than the row so far: not yet\n    for (var j = 1u; hit && j < count; j++) { hit = token(r, length - count + j) == rules[next + j]; }\n    if (hit) { logits[at + rules[next + count]] = BANNED; }\n    next += count + 1u;\n  }\n}\n\n@compute @workgroup_size(64)\nfn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,\n        @builtin(local_invocation_index) lane: u32) {\n  if (HAS_STATUS == 1u && status[0] == 0u) { return; }\n  let r = (group.y * grid.x + group.x) * 64u + lane;\n  if (r >= params.R) { return; }\n  let at = r * params.V;\n  let position = rows[r].y;\n  let length = lead(r) + position + 1u;\n  let sentence = rows[r].z * params.Y;\n  let start = lead(r) + sentences[sentence + 1u];\n  history[position * params.R + r] = rows[r].x;\n  if (LOG_SOFTMAX == 1u) {\n    var top = BANNED;\n    for (var v = 0u; v < params.V; v++) { top = max(top, logits[at + v]); }\n    var total = 0.0;\n    for (var v = 0u; v < params.V; v++) { total += exp(logits[at + v] - top); }\n    let log_total = log(total);\n    for (var v = 0u; v < params.V; v++) { logits[at + v] = logits[at + v] - top - log_total; }\n  }\n  if (params.repetition_penalty != 1.0 || params.presence_penalty != 0.0) { penalise_repetition(r, at, length); }\n  let prefix = params.no_repeat_ngram_size - 1u;             // unused when the size is 0\n  if (params.no_repeat_ngram_size > 0u && length >= params.no_repeat_ngram_size) {\n    for (var end = prefix; end < length; end++) {\n      if (same_tail(r, end, length, prefix)) { logits[at + token(r, end)] = BANNED; }\n    }\n  }\n  ban_sequences(r, at, length);\n  if (length - start < params.min_new_tokens) { ban(at, 4u, rules[0]); }\n  if (params.forced_bos != 0xffffffffu && length == 1u) { force(at, params.forced_bos); }\n  if (params.forced_eos != 0xffffffffu && position + 2u == sentences[sentence + 2u]) { force(at, params.forced_eos); }\n  ban(at, 4u + rules[0], rules[1]);\n  if (length == start + params.begin) { ban(at, 4u + rules[0] + rules[1], rules[2]); }\n}\n";

// src/kernels/logits_process.ts
var BANNED = -3e38;
function packRules({ end, suppress, begin_suppress, banned }) {
  const sequences = banned.flatMap((ids2) => [ids2.length, ...ids2]);
  return Uint32Array.of(
    end.length,
    suppress.length,
    begin_suppress.length,
    banned.length,
    ...end,
    ...suppress,
    ...begin_suppress,
    ...sequences
  );
}
function unpackRules(rules) {
  let at = 4;
  const take = (count) => Array.from({ length: count }, () => rules[at++]);
  const [end, suppress, begin_suppress] = [take(rules[0]), take(rules[1]), take(rules[2])];
  return { end, suppress, begin_suppress, banned: Array.from({ length: rules[3] }, () => take(rules[at++])) };
}
function applyRules(scores, ids2, start, limit, lists, d) {
  const n = d.no_repeat_ngram_size;
  const ban = (banned) => {
    for (const id2 of banned) scores[id2] = BANNED;
  };
  const force = (id2) => scores.forEach((_, v) => scores[v] = v === id2 ? 0 : BANNED);
  for (const id2 of new Set(ids2)) {
    const repeated = scores[id2] < 0 ? scores[id2] * d.repetition_penalty : scores[id2] / d.repetition_penalty;
    scores[id2] = repeated - d.presence_penalty;
  }
  if (n > 0) {
    const tail = ids2.slice(ids2.length - (n - 1)).join();
    for (let i = 0; i + n <= ids2.length; i++)
      if (n === 1 || ids2.slice(i, i + n - 1).join() === tail) ban([ids2[i + n - 1]]);
  }
  for (const sequence of lists.banned) {
    const before = sequence.slice(0, -1);
    if (!before.length || sequence.length <= ids2.length && ids2.slice(-before.length).join() === before.join())
      ban(sequence.slice(-1));
  }
  if (ids2.length - start < d.min_new_tokens) ban(lists.end);
  if (d.forced_bos !== NO_ID && ids2.length === 1) force(d.forced_bos);
  if (d.forced_eos !== NO_ID && ids2.length === limit - 1) force(d.forced_eos);
  ban(lists.suppress);
  if (ids2.length === start + d.begin) ban(lists.begin_suppress);
  return scores;
}
var logitsProcess = defineKernel({
  name: "logits_process",
  reads: {
    rows: "u32[R,4]",
    indirection: "u32[2,R,M]",
    sentences: "u32[B,Y]",
    rules: "u32[X]",
    leads: "u32[B,2]?",
    status: "u32[2]?"
  },
  writes: { history: "u32[M,R]", logits: "f32[R,V]" },
  params: [
    "no_repeat_ngram_size",
    "min_new_tokens",
    "forced_bos",
    "forced_eos",
    "begin",
    "repetition_penalty",
    "presence_penalty"
  ],
  constants: ["LOG_SOFTMAX"],
  forms: { direct: { wgsl: logits_process_default, groups: ({ R }) => Math.ceil(R / 64) } },
  bytes: ({ R, V, LOG_SOFTMAX = 0 }) => 4 * R * (LOG_SOFTMAX ? 2 * V : 1),
  flops: ({ R, V, LOG_SOFTMAX = 0 }) => R * (LOG_SOFTMAX ? 4 * V : 1),
  reference(d, { rows: rows3, indirection, sentences, rules, leads, history, logits }) {
    const { R, V, M, Y, LOG_SOFTMAX = 0 } = d;
    for (let r = 0; r < R; r++) {
      const [id2, position, sentence] = [rows3[4 * r], rows3[4 * r + 1], rows3[4 * r + 2]];
      history[position * R + r] = id2;
      const past = (t) => t === position ? r : indirection[(position % 2 * R + r) * M + t];
      const [lead, pad] = leads ? [leads[2 * sentence], leads[2 * sentence + 1]] : [0, 0];
      const pads = Array(lead).fill(pad);
      const ids2 = [...pads, ...Array.from({ length: position + 1 }, (_, t) => history[t * R + past(t)])];
      const scores = Array.from({ length: V }, (_, v) => logits[r * V + v]);
      if (LOG_SOFTMAX) {
        const top = scores.reduce((most, score2) => Math.max(most, score2), -Infinity);
        const logTotal = Math.log(scores.reduce((sum, score2) => sum + Math.exp(score2 - top), 0));
        scores.forEach((score2, v) => scores[v] = score2 - top - logTotal);
      }
      const [start, limit] = [1, 2].map((field) => lead + sentences[sentence * Y + field]);
      applyRules(scores, ids2, start, limit, unpackRules(rules), d).forEach((score2, v) => logits[r * V + v] = score2);
    }
  }
});

// shaders/matmul.wgsl
var matmul_default = "// matmul: linear layer for many rows (a prompt, a batch), N > 8; the weights as the checkpoint stores them.\n//   z[n,o] = sum_i x[n,i] * weight[o,i] + bias[o];   y[n,o] = activation(z[n,o]) + residual[n,o]\n//   GATED: y[n,o] = activation(z[n,2*o]) * z[n,2*o+1] + residual[n,o]\n// Shapes   x: f32[N,I]   weight: f32|f16[J*O,I]   bias: f32[J*O]   residual, y: f32[N,O]\n//          I a multiple of 4; J = 1, GATED 2\n// Launch   direct: one invocation computes ROWS rows x 8 outputs; 8 invocations a workgroup (one vector of a\n//          CPU adapter), ceil(N/ROWS) * ceil(J*O/64) workgroups\n// Numerics dot products of four, summed in the order of i, the same in matvec and matmul: a row's bits do not\n//          depend on N; erf by Abramowitz and Stegun 7.1.26 (error 1.5e-7)\n// Source   register tile without workgroup memory: CPU adapters load lane by lane, so loads per fma decide the speed\nstruct Params { N: u32, I: u32, O: u32 }\n@group(0) @binding(0) var<uniform> params: Params;\n@group(0) @binding(1) var<storage, read> x: array<vec4f>;\n@group(0) @binding(2) var<storage, read> weight: array<vec2u>;\n@group(0) @binding(3) var<storage, read> bias: array<f32>;\n@group(0) @binding(4) var<storage, read> residual: array<f32>;\n@group(0) @binding(5) var<storage, read> status: array<u32>;\n@group(0) @binding(6) var<storage, read_write> y: array<f32>;\n\nconst WEIGHT_FORMAT: u32 = 0; // 0 f32, 1 f16\nconst ROWS: u32 = 12;         // rows of a tile, 1 to 12\nconst ACTIVATION: u32 = 0;    // 0 none, 1 relu, 2 gelu (erf), 3 gelu (tanh), 4 silu\nconst GATED: u32 = 0;\nconst HAS_BIAS: u32 = 0;\nconst HAS_RESIDUAL: u32 = 0;\nconst HAS_STATUS: u32 = 0;\n\nfn load4(i: u32) -> vec4f { // four consecutive weights of one output\n  if (WEIGHT_FORMAT == 1) {\n    let h = weight[i];\n    return vec4f(unpack2x16float(h.x), unpack2x16float(h.y));\n  }\n  return vec4f(bitcast<vec2f>(weight[2 * i]), bitcast<vec2f>(weight[2 * i + 1]));\n}\n\n// v . weights of each of four outputs.\nfn dots(v: vec4f, w: mat4x4f) -> vec4f {\n  return vec4f(dot(v, w[0]), dot(v, w[1]), dot(v, w[2]), dot(v, w[3]));\n}\n\nfn activate(v: vec4f) -> vec4f { // arguments of exp and tanh are clamped where the result no longer changes\n  if (ACTIVATION == 1) { return max(v, vec4f()); }\n  if (ACTIVATION == 2) {\n    let z = abs(v) * 0.70710678;\n    let t = 1 / (1 + 0.3275911 * z);\n    let p = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;\n    return 0.5 * v * (1 + sign(v) * (1 - p * exp(-min(z * z, vec4f(80)))));\n  }\n  if (ACTIVATION == 3) {\n    return 0.5 * v * (1 + tanh(clamp(0.79788456 * (v + 0.044715 * v * v * v), vec4f(-10), vec4f(10))));\n  }\n  if (ACTIVATION == 4) { return v / (1 + exp(clamp(-v, vec4f(-80), vec4f(80)))); }\n  return v;\n}\n\nfn put(n: u32, o: u32, value: f32) {\n  let at = n * params.O + o;\n  if (HAS_RESIDUAL == 1) { y[at] = value + residual[at]; } else { y[at] = value; }\n}\n\nfn store(n: u32, o: u32, acc: vec4f) {\n  let last = params.O * (1 + GATED) - 1;\n  var z = acc;\n  if (HAS_BIAS == 1) { z += vec4f(bias[o], bias[min(o + 1, last)], bias[min(o + 2, last)], bias[min(o + 3, last)]); }\n  let v = activate(z);\n  if (GATED == 1) {\n    put(n, o / 2, v.x * z.y);\n    if (o + 2 < last) { put(n, o / 2 + 1, v.z * z.w); }\n    return;\n  }\n  for (var j = 0u; j < 4 && o + j <= last; j++) { put(n, o + j, v[j]); }\n}\n\n@compute @workgroup_size(8)\nfn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,\n        @builtin(local_invocation_index) lane: u32) {\n  if (HAS_STATUS == 1 && status[0] == 0) { return; }\n  let tiles = (params.N + ROWS - 1) / ROWS;\n  let tile = group.y * grid.x + group.x;\n  let n = (tile % tiles) * ROWS;\n  let o = (tile / tiles * 8 + lane) * 8;\n  let outputs = params.O * (1 + GATED);\n  if (o >= outputs) { return; }\n  let width = params.I / 4;\n  // rows and outputs past the end reread the last ones and are not stored\n  let rows_left = params.N - 1 - n;\n  let outputs_left = outputs - 1 - o;\n  let x0 = (n + min(0u, rows_left)) * width; let x1 = (n + min(1u, rows_left)) * width;\n  let x2 = (n + min(2u, rows_left)) * width; let x3 = (n + min(3u, rows_left)) * width;\n  let x4 = (n + min(4u, rows_left)) * width; let x5 = (n + min(5u, rows_left)) * width;\n  let x6 = (n + min(6u, rows_left)) * width; let x7 = (n + min(7u, rows_left)) * width;\n  let x8 = (n + min(8u, rows_left)) * width; let x9 = (n + min(9u, rows_left)) * width;\n  let x10 = (n + min(10u, rows_left)) * width; let x11 = (n + min(11u, rows_left)) * width;\n  let w0 = (o + min(0u, outputs_left)) * width; let w1 = (o + min(1u, outputs_left)) * width;\n  let w2 = (o + min(2u, outputs_left)) * width; let w3 = (o + min(3u, outputs_left)) * width;\n  let w4 = (o + min(4u, outputs_left)) * width; let w5 = (o + min(5u, outputs_left)) * width;\n  let w6 = (o + min(6u, outputs_left)) * width; let w7 = (o + min(7u, outputs_left)) * width;\n  var a0 = vec4f(); var a1 = vec4f(); var a2 = vec4f(); var a3 = vec4f(); var a4 = vec4f(); var a5 = vec4f();\n  var a6 = vec4f(); var a7 = vec4f(); var a8 = vec4f(); var a9 = vec4f(); var a10 = vec4f(); var a11 = vec4f();\n  var b0 = vec4f(); var b1 = vec4f(); var b2 = vec4f(); var b3 = vec4f(); var b4 = vec4f(); var b5 = vec4f();\n  var b6 = vec4f(); var b7 = vec4f(); var b8 = vec4f(); var b9 = vec4f(); var b10 = vec4f(); var b11 = vec4f();\n  for (var i = 0u; i < width; i++) {\n    let p = mat4x4f(load4(w0 + i), load4(w1 + i), load4(w2 + i), load4(w3 + i));\n    let q = mat4x4f(load4(w4 + i), load4(w5 + i), load4(w6 + i), load4(w7 + i));\n    if (ROWS > 0) { let v = x[x0 + i]; a0 += dots(v, p); b0 += dots(v, q); }\n    if (ROWS > 1) { let v = x[x1 + i]; a1 += dots(v, p); b1 += dots(v, q); }\n    if (ROWS > 2) { let v = x[x2 + i]; a2 += dots(v, p); b2 += dots(v, q); }\n    if (ROWS > 3) { let v = x[x3 + i]; a3 += dots(v, p); b3 += dots(v, q); }\n    if (ROWS > 4) { let v = x[x4 + i]; a4 += dots(v, p); b4 += dots(v, q); }\n    if (ROWS > 5) { let v = x[x5 + i]; a5 += dots(v, p); b5 += dots(v, q); }\n    if (ROWS > 6) { let v = x[x6 + i]; a6 += dots(v, p); b6 += dots(v, q); }\n    if (ROWS > 7) { let v = x[x7 + i]; a7 += dots(v, p); b7 += dots(v, q); }\n    if (ROWS > 8) { let v = x[x8 + i]; a8 += dots(v, p); b8 += dots(v, q); }\n    if (ROWS > 9) { let v = x[x9 + i]; a9 += dots(v, p); b9 += dots(v, q); }\n    if (ROWS > 10) { let v = x[x10 + i]; a10 += dots(v, p); b10 += dots(v, q); }\n    if (ROWS > 11) { let v = x[x11 + i]; a11 += dots(v, p); b11 += dots(v, q); }\n  }\n  var acc_a = array<vec4f, 12>(a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11);\n  var acc_b = array<vec4f, 12>(b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, b10, b11);\n  for (var k = 0u; k < min(ROWS, params.N - n); k++) {\n    store(n + k, o, acc_a[k]);\n    if (o + 4 < outputs) { store(n + k, o + 4, acc_b[k]); }\n  }\n}\n";

// src/kernels/activation.ts
var ACTIVATION = { none: 0, relu: 1, gelu: 2, gelu_tanh: 3, silu: 4 };
function activate(activation, x) {
  switch (activation) {
    case ACTIVATION.relu:
      return Math.max(0, x);
    case ACTIVATION.gelu:
      return 0.5 * x * (1 + erf(x / Math.SQRT2));
    case ACTIVATION.gelu_tanh:
      return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
    case ACTIVATION.silu:
      return x / (1 + Math.exp(-x));
    default:
      return x;
  }
}
function erf(x) {
  const z = Math.abs(x);
  if (z > 6) return Math.sign(x);
  if (z < 3) {
    let sum = 0;
    let term = x;
    for (let n = 0; n < 100; n++) {
      sum += term / (2 * n + 1);
      term *= -(x * x) / (n + 1);
    }
    return 2 / Math.sqrt(Math.PI) * sum;
  }
  let fraction2 = 0;
  for (let n = 60; n > 0; n--) fraction2 = n / 2 / (z + fraction2);
  return Math.sign(x) * (1 - Math.exp(-z * z) / Math.sqrt(Math.PI) / (z + fraction2));
}

// src/kernels/linear.ts
var linearPatterns = {
  reads: { x: "f32[N,I]", weight: "f32|f16[J*O,I]", bias: "f32[J*O]?", residual: "f32[N,O]?", status: "u32[2]?" },
  writes: { y: "f32[N,O]" },
  params: ["J"],
  constants: ["ACTIVATION"]
};
var linearBytes = ({ N, I, O, J, WEIGHT_FORMAT, HAS_BIAS, HAS_RESIDUAL }) => J * O * I * (WEIGHT_FORMAT ? 2 : 4) + 4 * (N * I + N * O * (1 + HAS_RESIDUAL) + J * O * HAS_BIAS);
var linearFlops = ({ N, I, O, J }) => 2 * N * I * O * J;
var linearCheck = ({ I }) => I % 4 ? `I must be a multiple of 4, got ${I}` : void 0;
function linearReference({ N, I, O, J, ACTIVATION: ACTIVATION2 = 0 }, { x, weight, bias, residual, y }) {
  const row = (n, o) => {
    let sum = bias ? bias[o] : 0;
    for (let i = 0; i < I; i++) sum += x[n * I + i] * weight[o * I + i];
    return sum;
  };
  for (let n = 0; n < N; n++) {
    for (let o = 0; o < O; o++) {
      const gate = J === 2 ? row(n, 2 * o + 1) : 1;
      y[n * O + o] = activate(ACTIVATION2, row(n, J * o)) * gate + (residual ? residual[n * O + o] : 0);
    }
  }
}

// src/kernels/matmul.ts
var rows = ({ N }) => N >= 96 ? 12 : 8;
var matmul = defineKernel({
  name: "matmul",
  ...linearPatterns,
  forms: {
    direct: {
      wgsl: matmul_default,
      groups: (d) => Math.ceil(d.N / rows(d)) * Math.ceil(d.J * d.O / 64),
      constants: (d) => ({ ROWS: rows(d), GATED: d.J - 1 })
    }
  },
  check: linearCheck,
  bytes: linearBytes,
  flops: linearFlops,
  reference: linearReference
});

// shaders/matvec.wgsl
var matvec_default = "// matvec: linear layer for few rows (a decode step), N <= 8; the weights as the checkpoint stores them.\n//   z[n,o] = sum_i x[n,i] * weight[o,i] + bias[o];   y[n,o] = activation(z[n,o]) + residual[n,o]\n//   GATED: y[n,o] = activation(z[n,2*o]) * z[n,2*o+1] + residual[n,o]\n// Shapes   x: f32[N,I]   weight: f32|f16[J*O,I]   bias: f32[J*O]   residual, y: f32[N,O]\n//          I a multiple of 4; J = 1, GATED 2\n// Launch   direct: one invocation computes ROWS rows x 4 outputs; 8 invocations a workgroup (one vector of a\n//          CPU adapter), ceil(N/ROWS) * ceil(J*O/32) workgroups, so that O = 256 feeds every core\n// Numerics dot products of four, summed in the order of i, the same in matvec and matmul: a row's bits do not\n//          depend on N; erf by Abramowitz and Stegun 7.1.26 (error 1.5e-7)\n// Source   register tile without workgroup memory: CPU adapters load lane by lane, so loads per fma decide the speed\nstruct Params { N: u32, I: u32, O: u32 }\n@group(0) @binding(0) var<uniform> params: Params;\n@group(0) @binding(1) var<storage, read> x: array<vec4f>;\n@group(0) @binding(2) var<storage, read> weight: array<vec2u>;\n@group(0) @binding(3) var<storage, read> bias: array<f32>;\n@group(0) @binding(4) var<storage, read> residual: array<f32>;\n@group(0) @binding(5) var<storage, read> status: array<u32>;\n@group(0) @binding(6) var<storage, read_write> y: array<f32>;\n\nconst WEIGHT_FORMAT: u32 = 0; // 0 f32, 1 f16\nconst ROWS: u32 = 1;         // rows of a tile, at least N, so that the weights are read once\nconst ACTIVATION: u32 = 0;    // 0 none, 1 relu, 2 gelu (erf), 3 gelu (tanh), 4 silu\nconst GATED: u32 = 0;\nconst HAS_BIAS: u32 = 0;\nconst HAS_RESIDUAL: u32 = 0;\nconst HAS_STATUS: u32 = 0;\n\nfn load4(i: u32) -> vec4f { // four consecutive weights of one output\n  if (WEIGHT_FORMAT == 1) {\n    let h = weight[i];\n    return vec4f(unpack2x16float(h.x), unpack2x16float(h.y));\n  }\n  return vec4f(bitcast<vec2f>(weight[2 * i]), bitcast<vec2f>(weight[2 * i + 1]));\n}\n\n// v . weights of each of four outputs.\nfn dots(v: vec4f, w: mat4x4f) -> vec4f {\n  return vec4f(dot(v, w[0]), dot(v, w[1]), dot(v, w[2]), dot(v, w[3]));\n}\n\nfn activate(v: vec4f) -> vec4f { // arguments of exp and tanh are clamped where the result no longer changes\n  if (ACTIVATION == 1) { return max(v, vec4f()); }\n  if (ACTIVATION == 2) {\n    let z = abs(v) * 0.70710678;\n    let t = 1 / (1 + 0.3275911 * z);\n    let p = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;\n    return 0.5 * v * (1 + sign(v) * (1 - p * exp(-min(z * z, vec4f(80)))));\n  }\n  if (ACTIVATION == 3) {\n    return 0.5 * v * (1 + tanh(clamp(0.79788456 * (v + 0.044715 * v * v * v), vec4f(-10), vec4f(10))));\n  }\n  if (ACTIVATION == 4) { return v / (1 + exp(clamp(-v, vec4f(-80), vec4f(80)))); }\n  return v;\n}\n\nfn put(n: u32, o: u32, value: f32) {\n  let at = n * params.O + o;\n  if (HAS_RESIDUAL == 1) { y[at] = value + residual[at]; } else { y[at] = value; }\n}\n\nfn store(n: u32, o: u32, acc: vec4f) {\n  let last = params.O * (1 + GATED) - 1;\n  var z = acc;\n  if (HAS_BIAS == 1) { z += vec4f(bias[o], bias[min(o + 1, last)], bias[min(o + 2, last)], bias[min(o + 3, last)]); }\n  let v = activate(z);\n  if (GATED == 1) {\n    put(n, o / 2, v.x * z.y);\n    if (o + 2 < last) { put(n, o / 2 + 1, v.z * z.w); }\n    return;\n  }\n  for (var j = 0u; j < 4 && o + j <= last; j++) { put(n, o + j, v[j]); }\n}\n\n@compute @workgroup_size(8)\nfn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,\n        @builtin(local_invocation_index) lane: u32) {\n  if (HAS_STATUS == 1 && status[0] == 0) { return; }\n  let tiles = (params.N + ROWS - 1) / ROWS;\n  let tile = group.y * grid.x + group.x;\n  let n = (tile % tiles) * ROWS;\n  let o = (tile / tiles * 8 + lane) * 4;\n  let outputs = params.O * (1 + GATED);\n  if (o >= outputs) { return; }\n  let width = params.I / 4;\n  // rows and outputs past the end reread the last ones and are not stored\n  let rows_left = params.N - 1 - n;\n  let outputs_left = outputs - 1 - o;\n  let x0 = (n + min(0u, rows_left)) * width; let x1 = (n + min(1u, rows_left)) * width;\n  let x2 = (n + min(2u, rows_left)) * width; let x3 = (n + min(3u, rows_left)) * width;\n  let x4 = (n + min(4u, rows_left)) * width; let x5 = (n + min(5u, rows_left)) * width;\n  let x6 = (n + min(6u, rows_left)) * width; let x7 = (n + min(7u, rows_left)) * width;\n  let w0 = (o + min(0u, outputs_left)) * width; let w1 = (o + min(1u, outputs_left)) * width;\n  let w2 = (o + min(2u, outputs_left)) * width; let w3 = (o + min(3u, outputs_left)) * width;\n  var a0 = vec4f(); var a1 = vec4f(); var a2 = vec4f(); var a3 = vec4f(); var a4 = vec4f(); var a5 = vec4f();\n  var a6 = vec4f(); var a7 = vec4f();\n  for (var i = 0u; i < width; i++) {\n    let p = mat4x4f(load4(w0 + i), load4(w1 + i), load4(w2 + i), load4(w3 + i));\n    if (ROWS > 0) { a0 += dots(x[x0 + i], p); }\n    if (ROWS > 1) { a1 += dots(x[x1 + i], p); }\n    if (ROWS > 2) { a2 += dots(x[x2 + i], p); }\n    if (ROWS > 3) { a3 += dots(x[x3 + i], p); }\n    if (ROWS > 4) { a4 += dots(x[x4 + i], p); }\n    if (ROWS > 5) { a5 += dots(x[x5 + i], p); }\n    if (ROWS > 6) { a6 += dots(x[x6 + i], p); }\n    if (ROWS > 7) { a7 += dots(x[x7 + i], p); }\n  }\n  var acc_a = array<vec4f, 8>(a0, a1, a2, a3, a4, a5, a6, a7);\n  for (var k = 0u; k < min(ROWS, params.N - n); k++) {\n    store(n + k, o, acc_a[k]);\n  }\n}\n";

// src/kernels/matvec.ts
var MATVEC_ROWS = 8;
var rows2 = ({ N }) => 2 ** Math.ceil(Math.log2(Math.min(N, MATVEC_ROWS)));
var matvec = defineKernel({
  name: "matvec",
  ...linearPatterns,
  forms: {
    direct: {
      wgsl: matvec_default,
      groups: (d) => Math.ceil(d.N / rows2(d)) * Math.ceil(d.J * d.O / 32),
      constants: (d) => ({ ROWS: rows2(d), GATED: d.J - 1 })
    }
  },
  check: linearCheck,
  bytes: linearBytes,
  flops: linearFlops,
  reference: linearReference
});

// shaders/rmsnorm_residual.wgsl
var rmsnorm_residual_default = "// rmsnorm_residual: fold a block's output into the residual stream, then normalise it by its root mean square.\n//   sum[n,:] = x[n,:] + residual[n,:]                                  (both optional: without residual, sum is x)\n//   out[n,:] = sum * rsqrt(mean(sum^2) + eps) * gamma\n// Shapes   x, residual, sum, out: f32[N,D]   gamma: f32[D]\n// Launch   direct: SLICES invocations a row, each of which computes the row's mean square and writes its share of the\n//          row; D a multiple of 4\n// Numerics f32\n// Source   Zhang and Sennrich 2019, arXiv:1910.07467, eq. 4; LlamaRMSNorm of Transformers\nstruct Params { N: u32, D: u32, eps: f32 }\n@group(0) @binding(0) var<uniform> params: Params;\n@group(0) @binding(1) var<storage, read> x: array<vec4f>;\n@group(0) @binding(2) var<storage, read> residual: array<vec4f>;\n@group(0) @binding(3) var<storage, read> gamma: array<vec4f>;\n@group(0) @binding(4) var<storage, read> status: array<u32>;\n@group(0) @binding(5) var<storage, read_write> sum: array<vec4f>;\n@group(0) @binding(6) var<storage, read_write> out: array<vec4f>;\n\nconst SLICES: u32 = 1;\nconst HAS_RESIDUAL: u32 = 0;\nconst HAS_SUM: u32 = 0;\nconst HAS_STATUS: u32 = 0;\n\nfn stream(at: u32) -> vec4f {\n  if (HAS_RESIDUAL == 1u) { return x[at] + residual[at]; }\n  return x[at];\n}\n\n@compute @workgroup_size(64)\nfn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,\n        @builtin(local_invocation_index) lane: u32) {\n  if (HAS_STATUS == 1u && status[0] == 0u) { return; }\n  let index = (group.y * grid.x + group.x) * 64u + lane;\n  let n = index / SLICES;\n  if (n >= params.N) { return; }\n  let width = params.D / 4u;\n  let row = n * width;\n  var squares = vec4f(0.0);\n  for (var d = 0u; d < width; d++) {\n    let s = stream(row + d);\n    squares += s * s;\n  }\n  let scale = inverseSqrt((squares.x + squares.y + squares.z + squares.w) / f32(params.D) + params.eps);\n  for (var d = index - n * SLICES; d < width; d += SLICES) {\n    let s = stream(row + d);\n    if (HAS_SUM == 1u) { sum[row + d] = s; }\n    out[row + d] = s * scale * gamma[d];\n  }\n}\n";

// src/kernels/rmsnorm_residual.ts
var rmsnormResidual = defineKernel({
  name: "rmsnorm_residual",
  reads: { x: "f32[N,D]", residual: "f32[N,D]?", gamma: "f32[D]", status: "u32[2]?" },
  writes: { sum: "f32[N,D]?", out: "f32[N,D]" },
  params: ["eps"],
  constants: [],
  forms: {
    direct: { wgsl: rmsnorm_residual_default, groups: (d) => Math.ceil(d.N * slices(d) / 64), constants: (d) => ({ SLICES: slices(d) }) }
  },
  check: ({ D }) => D % 4 ? `D must be a multiple of 4, got ${D}` : void 0,
  bytes: ({ N, D, HAS_RESIDUAL, HAS_SUM }) => 4 * (N * D * (2 + HAS_RESIDUAL + HAS_SUM) + D),
  flops: ({ N, D }) => 5 * N * D,
  reference({ N, D, eps }, { x, residual, gamma, sum, out }) {
    for (let n = 0; n < N; n++) {
      const row = Float64Array.from({ length: D }, (_, d) => x[n * D + d] + (residual?.[n * D + d] ?? 0));
      const scale = 1 / Math.sqrt(row.reduce((total3, value) => total3 + value * value, 0) / D + eps);
      row.forEach((value, d) => {
        if (sum) sum[n * D + d] = value;
        out[n * D + d] = value * scale * gamma[d];
      });
    }
  }
});

// shaders/sample.wgsl
var sample_default = "// sample: draw one token a row from softmax(logits / temperature) restricted by top-k, top-p and min-p, in this order.\n//   kept: logit >= the k-th largest; probability of all larger ones < top_p; probability >= min_p * the largest\n//   token = argmax over the kept of logit / temperature + g,   g = -log(exponential(seed, row, position, id))\n// Shapes   rows: u32[R,4] (token id, position, sentence, parent)   logits: f32[R,V]\n//          values: f32[R,1,3] ((logit - top) / temperature of the token, 0, sum exp of that over all ids)\n//          indices: u32[R,1,1]: both as topk gives\n// Launch   direct: one invocation a row\n// Numerics thresholds by bisection on the ordered bits of f32, exact: equal logits are kept or dropped together;\n//          sum = -1 if a logit is not finite. The draw depends on (seed, row, position, id) alone, not on the runtime\n// Source   Gumbel 1954 (argmax of perturbed logits); pcg4d of Jarzynski and Olano 2020, JCGT 9(3);\n//          Holtzman et al. 2019 (top-p); Transformers 5 generation/logits_process.py (TopKLogitsWarper,\n//          TopPLogitsWarper, MinPLogitsWarper)\nstruct Params { R: u32, V: u32, top_k: u32, seed: u32, temperature: f32, top_p: f32, min_p: f32 }\n@group(0) @binding(0) var<uniform> params: Params;\n@group(0) @binding(1) var<storage, read> rows: array<vec4u>;\n@group(0) @binding(2) var<storage, read> logits: array<f32>;\n@group(0) @binding(3) var<storage, read> status: array<u32>;\n@group(0) @binding(4) var<storage, read_write> values: array<f32>;\n@group(0) @binding(5) var<storage, read_write> indices: array<u32>;\n\nconst HAS_STATUS: u32 = 0;\nconst LOWEST = -3.4e38;\n\n// -log(1 - w) for a uniform w of 46 bits; a series where the logarithm would cancel.\nfn exponential(row: u32, position: u32, id: u32) -> f32 {\n  var v = vec4u(params.seed, row, position, id) * 1664525u + 1013904223u;\n  v.x += v.y * v.w; v.y += v.z * v.x; v.z += v.x * v.y; v.w += v.y * v.z;\n  v = v ^ (v >> vec4u(16u));\n  v.x += v.y * v.w; v.y += v.z * v.x; v.z += v.x * v.y; v.w += v.y * v.z;\n  let w = (f32(v.x >> 9u) + (f32(v.y >> 9u) + 0.5) / 8388608.0) / 8388608.0;\n  if (w > 0.1) { return -log(1.0 - min(w, 0.99999994)); }\n  return w * (1.0 + w * (1.0 / 2.0 + w * (1.0 / 3.0 + w * (1.0 / 4.0 + w * (1.0 / 5.0 + w / 6.0)))));\n}\n\n// A number whose order among u32 is the order of x among f32, and back.\nfn ordered(x: f32) -> u32 {\n  let bits = bitcast<u32>(x);\n  return select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);\n}\n\nfn from_ordered(key: u32) -> f32 {\n  return bitcast<f32>(select(~key, key & 0x7fffffffu, key >= 0x80000000u));\n}\n\n// How many logits of the row are above x, or how much weight exp((logit - top) / temperature) they have.\nfn above(at: u32, x: f32, least: f32, top: f32, count: bool) -> f32 {\n  var total = 0.0;\n  for (var v = 0u; v < params.V; v++) {\n    let logit = logits[at + v];\n    if (logit > x && logit >= least) { total += select(exp((logit - top) / params.temperature), 1.0, count); }\n  }\n  return total;\n}\n\n// The smallest logit that at most `limit` (exclusive) of the count or weight lies above.\nfn threshold(at: u32, least: f32, top: f32, limit: f32, count: bool) -> f32 {\n  var low = ordered(least);\n  var high = ordered(top);\n  while (low < high) {\n    let middle = low + (high - low) / 2u;\n    if (above(at, from_ordered(middle), least, top, count) < limit) { high = middle; } else { low = middle + 1u; }\n  }\n  return from_ordered(low);\n}\n\n@compute @workgroup_size(8)\nfn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,\n        @builtin(local_invocation_index) lane: u32) {\n  if (HAS_STATUS == 1u && status[0] == 0u) { return; }\n  let r = (group.y * grid.x + group.x) * 8u + lane;\n  if (r >= params.R) { return; }\n  let at = r * params.V;\n  var top = LOWEST;\n  var finite = true;\n  for (var v = 0u; v < params.V; v++) {\n    finite = finite && (bitcast<u32>(logits[at + v]) & 0x7fffffffu) < 0x7f800000u;\n    top = max(top, logits[at + v]);\n  }\n  var total = 0.0;\n  for (var v = 0u; v < params.V; v++) { total += exp((logits[at + v] - top) / params.temperature); }\n  var least = LOWEST;\n  if (params.top_k > 0u && params.top_k < params.V) { least = threshold(at, least, top, f32(params.top_k), true); }\n  if (params.top_p < 1.0) {\n    let kept = above(at, LOWEST, least, top, false);\n    least = max(least, threshold(at, least, top, params.top_p * kept, false));\n  }\n  if (params.min_p > 0.0) { least = max(least, top + params.temperature * log(params.min_p)); }\n  var best = LOWEST;\n  var token = 0u;\n  for (var v = 0u; v < params.V; v++) {\n    let gap = logits[at + v] - top;\n    if (logits[at + v] < least || gap < -100.0 * params.temperature) { continue; }   // e^-100 is never drawn\n    let score = gap / params.temperature - log(exponential(r, rows[r].y, v));\n    if (score > best) {\n      best = score;\n      token = v;\n    }\n  }\n  values[3u * r] = (logits[at + token] - top) / params.temperature;\n  values[3u * r + 1u] = 0.0;\n  values[3u * r + 2u] = select(-1.0, total, finite);\n  indices[r] = token;\n}\n";

// src/kernels/sample.ts
var LARGEST2 = 34028234663852886e22;
function pcg4d(words) {
  let [x, y, z, w] = words.map((word) => Math.imul(word, 1664525) + 1013904223 >>> 0);
  const mix = () => {
    x = x + Math.imul(y, w) >>> 0;
    y = y + Math.imul(z, x) >>> 0;
    z = z + Math.imul(x, y) >>> 0;
    w = w + Math.imul(y, z) >>> 0;
  };
  mix();
  [x, y, z, w] = [x, y, z, w].map((word) => (word ^ word >>> 16) >>> 0);
  mix();
  return [x, y, z, w];
}
function exponential(seed, row, position, id2) {
  const [x, y] = pcg4d([seed, row, position, id2]);
  return -Math.log1p(-((x >>> 9) + ((y >>> 9) + 0.5) / 8388608) / 8388608);
}
function keptIds(scores, top_k, top_p, min_p) {
  const sorted = scores.map((score2, id2) => ({ score: score2, id: id2 })).sort((a, b) => b.score - a.score);
  const ranked = top_k > 0 ? sorted.filter(({ score: score2 }) => score2 >= sorted[Math.min(top_k, sorted.length) - 1].score) : sorted;
  const weights = ranked.map(({ score: score2 }) => Math.exp(score2 - sorted[0].score));
  const total3 = weights.reduce((a, b) => a + b, 0);
  const above = (score2) => ranked.reduce((sum, other, i) => sum + (other.score > score2 ? weights[i] : 0), 0);
  const nucleus = top_p < 1 ? ranked.filter(({ score: score2 }) => above(score2) < top_p * total3) : ranked;
  return nucleus.filter(({ score: score2 }) => Math.exp(score2 - sorted[0].score) >= min_p).map(({ id: id2 }) => id2);
}
var sample = defineKernel({
  name: "sample",
  reads: { rows: "u32[R,4]", logits: "f32[R,V]", status: "u32[2]?" },
  writes: { values: "f32[R,1,3]", indices: "u32[R,1,1]" },
  params: ["temperature", "top_k", "top_p", "min_p", "seed"],
  constants: [],
  forms: { direct: { wgsl: sample_default, groups: ({ R }) => Math.ceil(R / 8) } },
  bytes: ({ R, V }) => 4 * R * V,
  flops: ({ R, V }) => 10 * R * V,
  reference({ R, V, temperature, top_k, top_p, min_p, seed }, { rows: rows3, logits, values, indices }) {
    for (let r = 0; r < R; r++) {
      const row = Array.from({ length: V }, (_, id2) => logits[r * V + id2]);
      const top = row.reduce((most, logit) => Math.max(most, logit), -Infinity);
      const scores = row.map((logit) => (logit - top) / temperature);
      const drawn = (id2) => scores[id2] - Math.log(exponential(seed, r, rows3[4 * r + 1], id2));
      const better = (best, id2) => drawn(id2) > drawn(best) || drawn(id2) === drawn(best) && id2 < best ? id2 : best;
      const token = keptIds(scores, top_k, top_p, min_p).reduce(better);
      values[3 * r] = scores[token];
      values[3 * r + 1] = 0;
      values[3 * r + 2] = row.every((logit) => Math.abs(logit) <= LARGEST2) ? scores.reduce((sum, score2) => sum + Math.exp(score2), 0) : -1;
      indices[r] = token;
    }
  }
});

// src/model/safetensors.ts
var BYTES = {
  F64: 8,
  I64: 8,
  U64: 8,
  F32: 4,
  I32: 4,
  U32: 4,
  F16: 2,
  BF16: 2,
  I16: 2,
  U16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
  F8_E4M3: 1,
  F8_E5M2: 1
};
var LARGEST_HEADER = 1e8;
async function readHeader(name, file, signal) {
  const refuse = (text) => new CheckpointError(`${name}: ${text}; fetch the file again`);
  if (file.size < 10) throw refuse(`a safetensors file must have at least 10 bytes, got ${file.size}`);
  const prefix2 = await file.read(0, 8, signal);
  const length = Number(new DataView(prefix2.buffer, prefix2.byteOffset, 8).getBigUint64(0, true));
  if (length < 2 || length > LARGEST_HEADER || length > file.size - 8) {
    throw refuse(
      `the header must have 2 to ${Math.min(LARGEST_HEADER, file.size - 8)} bytes, its length says ${length}`
    );
  }
  let header;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(await file.read(8, 8 + length, signal)));
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw refuse("the header must be JSON, it is not");
  }
  if (typeof header !== "object" || header === null || Array.isArray(header))
    throw refuse("the header must be a JSON object");
  const base = 8 + length;
  const entries = Object.entries(header).filter(([key]) => key !== "__metadata__").map(([key, value]) => readEntry(name, key, value, base, refuse));
  checkLayout(
    [...entries].sort((a, b) => a.start - b.start || a.end - b.end),
    base,
    file.size,
    refuse
  );
  return entries;
}
function readEntry(file, name, value, base, refuse) {
  const {
    dtype,
    shape,
    data_offsets: offsets
  } = value ?? {};
  const counts = (list) => Array.isArray(list) && list.every((n) => Number.isSafeInteger(n) && n >= 0);
  if (typeof dtype !== "string" || !Object.hasOwn(BYTES, dtype))
    throw refuse(`${name}: dtype must be one of ${Object.keys(BYTES).join(" ")}, got ${JSON.stringify(dtype)}`);
  if (!counts(shape)) throw refuse(`${name}: shape must be a list of sizes, got ${JSON.stringify(shape)}`);
  if (!counts(offsets) || offsets.length !== 2)
    throw refuse(`${name}: data_offsets must be two positions, got ${JSON.stringify(offsets)}`);
  const bytes = shape.reduce((product, size) => product * size, BYTES[dtype]);
  if (offsets[1] - offsets[0] !== bytes) {
    throw refuse(`${name}: ${dtype}[${shape}] must take ${bytes} bytes, data_offsets give ${offsets[1] - offsets[0]}`);
  }
  return { name, dtype, shape, start: base + offsets[0], end: base + offsets[1], file };
}
function checkLayout(sorted, base, size, refuse) {
  let at = base;
  for (const entry of sorted) {
    if (entry.start < at)
      throw refuse(`${entry.name}: must not overlap the tensor before it, starts ${at - entry.start} bytes early`);
    if (entry.start > at)
      throw refuse(`${entry.name}: must follow the tensor before it, leaves a hole of ${entry.start - at} bytes`);
    at = entry.end;
  }
  if (at !== size) throw refuse(`the file must have ${at} bytes, got ${size}${at > size ? " (truncated)" : ""}`);
}

// src/model/source.ts
function openSource(input) {
  if (typeof input === "function") return functionSource(input);
  if (typeof input === "string" && !/^(https?|blob|file):/.test(input)) return folderSource(input);
  if (typeof input === "string" || input instanceof URL) {
    const url = new URL(input);
    return url.protocol === "file:" ? folderSource(decodeURIComponent(url.pathname)) : urlSource(url);
  }
  if (Array.isArray(input) && input.every((file) => file instanceof File)) return filesSource(input);
  if (typeof input?.open === "function") return input;
  throw new CheckpointError(
    `load: the source must be a folder path, a URL, a list of Files or a function, got ${Object.prototype.toString.call(input)}`
  );
}
function blobFile(blob) {
  return {
    size: blob.size,
    read: async (start, end) => new Uint8Array(await blob.slice(start, end).arrayBuffer())
  };
}
function folderSource(folder) {
  return {
    label: folder,
    async open(name) {
      const { open, stat } = await import("node:fs/promises").catch((cause) => {
        throw new CheckpointError(
          `load: a folder path needs Node or Deno, got ${folder} in a browser; give a URL (starting with http) or a list of Files`,
          { cause }
        );
      });
      const path = `${folder.replace(/\/+$/, "")}/${name}`;
      const found = await stat(path).catch(() => void 0);
      if (!found?.isFile()) return void 0;
      return {
        size: found.size,
        async read(start, end) {
          const handle = await open(path, "r");
          try {
            const bytes = new Uint8Array(end - start);
            let at = 0;
            while (at < bytes.length) {
              const { bytesRead } = await handle.read(bytes, at, bytes.length - at, start + at);
              if (bytesRead === 0)
                throw new CheckpointError(
                  `${path}: must have ${end} bytes, ended at ${start + at}; fetch the file again`
                );
              at += bytesRead;
            }
            return bytes;
          } finally {
            await handle.close();
          }
        }
      };
    }
  };
}
var FIRST_REQUEST = 65536;
function urlSource(base) {
  const folder = base.href.replace(/\/*$/, "/");
  return {
    label: base.href,
    async open(name, signal) {
      const url = new URL(name, folder).href;
      const request = async (start, end, signal2) => {
        const response = await fetch(url, { headers: { Range: `bytes=${start}-${end - 1}` }, signal: signal2 });
        if (!response.ok && response.status !== 404)
          throw new CheckpointError(
            `${url}: must answer with the file, answered ${response.status} ${response.statusText}`
          );
        return response;
      };
      const first = await request(0, FIRST_REQUEST, signal);
      if (first.status === 404) return void 0;
      const head = new Uint8Array(await first.arrayBuffer());
      if (first.status !== 206) return blobFile(new Blob([head]));
      const size = Number(first.headers.get("content-range")?.split("/")[1]);
      if (!Number.isInteger(size))
        throw new CheckpointError(
          `${url}: a partial answer must state the file's size in content-range, got ${first.headers.get("content-range")}`
        );
      return {
        size,
        async read(start, end, readSignal) {
          if (end <= head.length) return head.slice(start, end);
          return new Uint8Array(await (await request(start, end, readSignal)).arrayBuffer());
        }
      };
    }
  };
}
function filesSource(files) {
  return {
    label: `${files.length} files`,
    async open(name) {
      const found = files.find((file) => file.name === name || file.name.endsWith(`/${name}`));
      return found && blobFile(found);
    }
  };
}
function functionSource(content) {
  return {
    label: "a function",
    async open(name, signal) {
      const found = await content(name, signal);
      if (found === void 0 || found === null) return void 0;
      if (found instanceof Blob) return blobFile(found);
      if (found instanceof ArrayBuffer || found instanceof Uint8Array) return blobFile(new Blob([found]));
      if (found.status === 404) return void 0;
      if (!found.ok)
        throw new CheckpointError(
          `${name}: must be answered with the file, answered ${found.status} ${found.statusText}`
        );
      return blobFile(await found.blob());
    }
  };
}

// src/model/checkpoint.ts
var CHUNK = 64 * 2 ** 20;
async function openCheckpoint(input, { signal } = {}) {
  const source = openSource(input);
  const config = await readJson(source, "config.json", signal);
  if (!config)
    throw new CheckpointError(
      `${source.label}: must be a checkpoint folder with config.json, model.safetensors and tokenizer.json; found no config.json`
    );
  const files = /* @__PURE__ */ new Map();
  const entries = /* @__PURE__ */ new Map();
  for (const name of await weightFiles(source, signal)) {
    const file = await source.open(name, signal);
    if (!file)
      throw new CheckpointError(`${source.label}: must hold ${name}, found none; fetch every shard of the checkpoint`);
    files.set(name, file);
    for (const entry of await readHeader(name, file, signal)) {
      const twin = entries.get(entry.name);
      if (twin)
        throw new CheckpointError(
          `${source.label}: ${entry.name} must lie in one shard, lies in ${twin.file} and ${name}`
        );
      entries.set(entry.name, entry);
    }
  }
  return {
    label: source.label,
    config,
    generationConfig: await readJson(source, "generation_config.json", signal) ?? {},
    entries,
    json: (name) => readJson(source, name, signal),
    async read(wanted, visit, hooks = {}) {
      const all = [...wanted];
      for (const [name, file] of files) {
        const sorted = all.filter((entry) => entry.file === name).sort((a, b) => a.start - b.start);
        await readFile(source.label, name, file, sorted, visit, hooks);
      }
    }
  };
}
async function readFile(label, name, file, sorted, visit, { signal, progress }) {
  progress?.({ status: "initiate", name: label, file: name, loaded: 0, total: file.size });
  for (let first = 0; first < sorted.length; ) {
    let last = first + 1;
    while (last < sorted.length && sorted[last].end - sorted[first].start <= CHUNK) last++;
    const { start } = sorted[first];
    const end = sorted[last - 1].end;
    signal?.throwIfAborted();
    const bytes = await file.read(start, end, signal);
    if (bytes.length !== end - start)
      throw new CheckpointError(
        `${name}: bytes ${start} to ${end} must be readable, got ${bytes.length} of them; fetch the file again`
      );
    signal?.throwIfAborted();
    for (const entry of sorted.slice(first, last)) visit(entry, bytes.subarray(entry.start - start, entry.end - start));
    progress?.({ status: "progress", name: label, file: name, loaded: end, total: file.size });
    first = last;
  }
  progress?.({ status: "done", name: label, file: name, loaded: file.size, total: file.size });
}
async function readJson(source, name, signal) {
  const file = await source.open(name, signal);
  if (!file) return void 0;
  const text = new TextDecoder().decode(await file.read(0, file.size, signal));
  let value;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new CheckpointError(`${source.label}/${name}: must be JSON, ${cause.message}`, { cause });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new CheckpointError(`${source.label}/${name}: must be a JSON object`);
  return value;
}
async function weightFiles(source, signal) {
  const index = await readJson(source, "model.safetensors.index.json", signal);
  if (!index) return ["model.safetensors"];
  const map = index.weight_map;
  if (typeof map !== "object" || map === null || !Object.values(map).every((name) => typeof name === "string" && /^[\w.-]+$/.test(name))) {
    throw new CheckpointError(
      `${source.label}/model.safetensors.index.json: weight_map must give a file name for each tensor`
    );
  }
  return [...new Set(Object.values(map))].sort();
}

// src/runtime/arena.ts
function activations({ tensors }, patterns) {
  return Object.keys(patterns).map((key) => tensors[key]).filter((t) => t?.role === "activation").map(owner);
}
function assignArenas(plan, alignment = 256) {
  const lastUse = /* @__PURE__ */ new Map();
  const apart = /* @__PURE__ */ new Map();
  plan.steps.forEach((step, index) => {
    const [read, written] = [activations(step, step.kernel.reads), activations(step, step.kernel.writes)];
    for (const t of [...read, ...written]) lastUse.set(t, index);
    for (const [side, other] of [
      [read, written],
      [written, read]
    ]) {
      for (const t of side) apart.set(t, /* @__PURE__ */ new Set([...apart.get(t) ?? [], ...other]));
    }
  });
  const sizes = [];
  const places = /* @__PURE__ */ new Map();
  let blocks = [];
  plan.steps.forEach((step, index) => {
    blocks = blocks.filter((block) => block.lastStep >= index);
    for (const t of activations(step, step.kernel.writes)) {
      if (places.has(t)) continue;
      const busy = new Set([...apart.get(t) ?? []].map((other) => places.get(other)?.arena));
      let arena = 0;
      while (busy.has(arena)) arena++;
      const bytes = Math.ceil(byteLength(t) / alignment) * alignment;
      const offset = firstGap(
        blocks.filter((block2) => block2.arena === arena),
        bytes
      );
      const block = { arena, offset, end: offset + bytes, lastStep: lastUse.get(t) ?? index };
      blocks.push(block);
      places.set(t, block);
      sizes[arena] = Math.max(sizes[arena] ?? 0, block.end);
    }
  });
  return { sizes: Array.from(sizes, (size) => size ?? 0), places };
}
function firstGap(blocks, bytes) {
  let offset = 0;
  for (const block of [...blocks].sort((a, b) => a.offset - b.offset)) {
    if (block.offset - offset >= bytes) return offset;
    offset = Math.max(offset, block.end);
  }
  return offset;
}

// src/runtime/device.ts
var SOFTWARE = /llvmpipe|lavapipe|swiftshader|software|basic render|\bcpu\b/i;
async function openDevice(options) {
  if (options.device) return { device: options.device, info: describeAdapter(options.device.adapterInfo) };
  const instance = await findWebGPU();
  const adapter = await instance.requestAdapter({ powerPreference: options.powerPreference });
  if (!adapter) {
    throw new DeviceError(
      "gpu: a WebGPU adapter must be present, found none; install a GPU driver or the software adapter lavapipe (Mesa 23 or newer)"
    );
  }
  const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
  const device = await adapter.requestDevice({
    requiredFeatures: adapter.features.has("timestamp-query") ? ["timestamp-query"] : [],
    requiredLimits: { maxBufferSize, maxStorageBufferBindingSize }
  });
  return { device, info: describeAdapter(adapter.info), instance };
}
async function findWebGPU() {
  const present = globalThis.navigator?.gpu;
  if (present) return present;
  const { process } = globalThis;
  if (!process?.versions?.node) {
    throw new DeviceError(
      "gpu: WebGPU must be available, this browser has none (navigator.gpu); use Chrome 113, Edge 113, Safari 26, Firefox 141 or newer"
    );
  }
  process.env.XDG_RUNTIME_DIR ??= "/tmp";
  try {
    const name = "webgpu";
    const { create } = await import(
      /* @vite-ignore */
      name
    );
    return create(["disable-dawn-features=timestamp_quantization"]);
  } catch (cause) {
    throw new DeviceError("gpu: in Node the optional package `webgpu` must be installed; run `npm install webgpu`", {
      cause
    });
  }
}
function describeAdapter(info) {
  const { vendor = "", architecture = "", device = "", description = "" } = info ?? {};
  const text = [description, device].filter(Boolean).join(", ") || vendor || "unknown adapter";
  const software = Boolean(info?.isFallbackAdapter) || SOFTWARE.test(`${vendor} ${architecture} ${text}`);
  return { vendor, architecture, description: text, software };
}

// src/runtime/memory.ts
var USAGE = {
  mapRead: 1,
  copySource: 4,
  copyTarget: 8,
  uniform: 64,
  storage: 128,
  queryResolve: 512
};
var MAP_READ = 1;
var GUARD_WORDS = 64;
var GUARD_WORD = 2779096485;
function createMemory(device, guard) {
  const buffers = /* @__PURE__ */ new Map();
  const kinds = /* @__PURE__ */ new Map();
  const idle = [];
  const checkSize = (label, bytes) => {
    const limit = device.limits.maxBufferSize;
    if (bytes > limit)
      throw new DeviceError(
        `gpu: ${label} needs a buffer of ${bytes} bytes, the device allows ${limit}; use fewer rows or beams`
      );
  };
  const make = (label, bytes, usage, kind) => {
    checkSize(label, bytes);
    const created = device.createBuffer({ label, size: Math.max(16, Math.ceil(bytes / 16) * 16), usage });
    kinds.set(created, kind);
    return created;
  };
  const release = (buffer2) => {
    kinds.delete(buffer2);
    buffer2.destroy();
  };
  const check = (t) => {
    const limit = device.limits.maxStorageBufferBindingSize;
    if (byteLength(t) > limit) {
      throw new DeviceError(
        `gpu: ${describe(t)} must fit one binding of ${limit} bytes, needs ${byteLength(t)}; use fewer rows, beams or a shorter max_length`
      );
    }
  };
  const buffer = (t) => {
    const root = owner(t);
    const known = buffers.get(root);
    if (known) return known;
    if (root.role === "activation")
      throw new Error(`${describe(root)} is an activation: it has memory only while its plan runs`);
    check(root);
    const bytes = byteLength(root) + (guard ? 4 * GUARD_WORDS : 0);
    const made = make(root.name, bytes, USAGE.storage | USAGE.copySource | USAGE.copyTarget, root.role);
    buffers.set(root, made);
    if (guard) device.queue.writeBuffer(made, byteLength(root), new Uint32Array(GUARD_WORDS).fill(GUARD_WORD));
    return made;
  };
  const staging = (bytes) => {
    const found = idle.findIndex((candidate) => candidate.size >= bytes && candidate.size <= 4 * bytes + 4096);
    if (found >= 0) return idle.splice(found, 1)[0];
    return make(
      "staging",
      2 ** Math.ceil(Math.log2(Math.max(256, bytes))),
      USAGE.mapRead | USAGE.copyTarget,
      "staging"
    );
  };
  return {
    buffer,
    check,
    checkSize,
    release,
    create: (label, bytes, usage, kind) => make(label, bytes, usage, kind),
    write(t, data) {
      if (data.byteLength > byteLength(t))
        throw new RangeError(`gpu: ${data.byteLength} bytes do not fit ${describe(t)}`);
      if (data.byteLength === 0) return;
      const whole2 = data.byteLength % 4 === 0;
      if (whole2) return device.queue.writeBuffer(buffer(t), 0, data.buffer, data.byteOffset, data.byteLength);
      const padded = new Uint8Array(Math.ceil(data.byteLength / 4) * 4);
      padded.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
      device.queue.writeBuffer(buffer(t), 0, padded);
    },
    stage(encoder2, sources) {
      const sizes = sources.map(({ tensor: tensor2 }) => byteLength(tensor2));
      const target = staging(sizes.reduce((sum, size) => sum + size, 0));
      let at = 0;
      sources.forEach((source, index) => {
        encoder2.copyBufferToBuffer(source.buffer, source.offset, target, at, sizes[index]);
        at += sizes[index];
      });
      return {
        async collect() {
          await target.mapAsync(MAP_READ, 0, Math.max(4, at));
          const copy = target.getMappedRange(0, Math.max(4, at)).slice(0);
          target.unmap();
          idle.push(target);
          let start = 0;
          return sources.map(({ tensor: tensor2 }, index) => {
            const bytes = copy.slice(start, start += sizes[index]);
            return typedArray(tensor2.dtype, bytes, elements(tensor2));
          });
        }
      };
    },
    free(tensors) {
      for (const t of tensors) {
        const found = buffers.get(owner(t));
        if (found) release(found);
        buffers.delete(owner(t));
      }
    },
    use() {
      const use = { weight: 0, state: 0, activation: 0, uniforms: 0, staging: 0, total: 0 };
      for (const [made, kind] of kinds) {
        use[kind] += made.size;
        use.total += made.size;
      }
      return use;
    },
    dispose() {
      for (const made of kinds.keys()) made.destroy();
      kinds.clear();
      buffers.clear();
      idle.length = 0;
    }
  };
}

// src/runtime/wgsl.ts
var CONSTANT = /^const ([A-Z][A-Z0-9_]*): u32 = (\d+)u?;/gm;
var BINDING = /^@group\(0\) @binding\((\d+)\) var<storage, (read|read_write)> (\w+):/gm;
function readShader(name, wgsl) {
  const struct = wgsl.match(/struct Params \{([^}]*)\}/)?.[1];
  if (struct === void 0) throw new Error(`${name}.wgsl: must declare \`struct Params\``);
  const params = [...struct.replace(/\/\/.*/g, "").matchAll(/(\w+)\s*:\s*(\w+)/g)].map(([, field, type]) => {
    if (type !== "u32" && type !== "i32" && type !== "f32")
      throw new Error(`${name}.wgsl: Params.${field} must be a scalar, got ${type}`);
    return { name: field, type };
  });
  const bindings = [...wgsl.matchAll(BINDING)].map(([, index, mode, field], position) => {
    if (Number(index) !== position + 1)
      throw new Error(`${name}.wgsl: binding of ${field} must be ${position + 1}, got ${index}`);
    return { name: field, access: mode === "read" ? "read" : "write" };
  });
  const constants = Object.fromEntries([...wgsl.matchAll(CONSTANT)].map(([, key, value]) => [key, Number(value)]));
  return { params, bindings, constants };
}
function specialise(name, wgsl, values) {
  const unknown = new Set(Object.keys(values));
  const text = wgsl.replace(
    CONSTANT,
    (line, key) => unknown.delete(key) ? `const ${key}: u32 = ${values[key]};` : line
  );
  if (unknown.size) throw new Error(`${name}.wgsl: has no constant ${[...unknown].join(", ")}`);
  return text;
}
function packParams(name, params, values) {
  const view = new DataView(new ArrayBuffer(Math.max(16, Math.ceil(params.length / 4) * 16)));
  params.forEach((field, index) => {
    const value = values[field.name];
    if (!Number.isFinite(value)) throw new Error(`${name}: Params.${field.name} must be a finite number, got ${value}`);
    if (field.type === "f32") view.setFloat32(4 * index, value, true);
    else if (field.type === "i32") view.setInt32(4 * index, value, true);
    else view.setUint32(4 * index, value, true);
  });
  return view.buffer;
}

// src/runtime/pipelines.ts
var COMPUTE = 4;
function shaderOf(kernel, form) {
  const shader = readShader(kernel.name, form.wgsl);
  const declared = [
    ...Object.keys(kernel.reads).map((name) => `read ${name}`),
    ...Object.keys(kernel.writes).map((name) => `write ${name}`)
  ];
  const found = shader.bindings.map(({ access, name }) => `${access} ${name}`);
  if (declared.join() !== found.join()) {
    throw new Error(`${kernel.name}.wgsl: bindings must be [${declared.join(", ")}], got [${found.join(", ")}]`);
  }
  return shader;
}
function constantsOf(kernel, form, dims) {
  const { constants } = shaderOf(kernel, form);
  const chosen = { ...form.constants?.(dims) };
  for (const name of Object.keys(constants))
    if (chosen[name] === void 0 && dims[name] !== void 0) chosen[name] = dims[name];
  return chosen;
}
function createPipelines(device) {
  const layouts = /* @__PURE__ */ new Map();
  const pipelines = /* @__PURE__ */ new Map();
  const layout = (shader) => {
    const key = shader.bindings.map(({ access }) => access).join();
    const known = layouts.get(key);
    if (known) return known;
    const entries = [{ binding: 0, visibility: COMPUTE, buffer: { type: "uniform" } }];
    shader.bindings.forEach(({ access }, index) => {
      entries.push({
        binding: index + 1,
        visibility: COMPUTE,
        buffer: { type: access === "read" ? "read-only-storage" : "storage" }
      });
    });
    const made = device.createBindGroupLayout({ label: key, entries });
    layouts.set(key, made);
    return made;
  };
  const compile = async (kernel, shader, code) => {
    device.pushErrorScope("validation");
    const module = device.createShaderModule({ label: kernel.name, code });
    void device.popErrorScope();
    try {
      return await device.createComputePipelineAsync({
        label: kernel.name,
        layout: device.createPipelineLayout({ bindGroupLayouts: [layout(shader)] }),
        compute: { module, entryPoint: "main" }
      });
    } catch (cause) {
      throw await compileError(kernel.name, module, code, cause);
    }
  };
  return {
    layout,
    get(kernel, form, dims) {
      const code = specialise(kernel.name, form.wgsl, constantsOf(kernel, form, dims));
      let pipeline = pipelines.get(code);
      if (!pipeline) pipelines.set(code, pipeline = compile(kernel, shaderOf(kernel, form), code));
      return pipeline;
    }
  };
}
async function compileError(name, module, code, cause) {
  const { messages } = await module.getCompilationInfo();
  const first = messages.find(({ type }) => type === "error");
  if (!first) return new DeviceError(`${name}.wgsl: ${cause instanceof Error ? cause.message : cause}`, { cause });
  const line = code.split("\n")[first.lineNum - 1] ?? "";
  const pointer = `${" ".repeat(Math.max(0, first.linePos - 1))}^`;
  return new DeviceError(
    `${name}.wgsl:${first.lineNum}:${first.linePos}: ${first.message.trim()}
  ${line}
  ${pointer}`,
    { cause }
  );
}

// src/runtime/gpu.ts
async function gpu(options = {}) {
  const { device, info, instance } = await openDevice(options);
  const memory = createMemory(device, options.guard ?? false);
  const pipelines = createPipelines(device);
  const absent = {
    read: device.createBuffer({ size: 256, usage: USAGE.storage }),
    write: device.createBuffer({ size: 256, usage: USAGE.storage })
  };
  const chosen = options.form ?? (info.software ? "direct" : "shared");
  const formOf = (kernel) => kernel.forms[chosen] ?? kernel.forms.direct;
  let fault;
  let disposed = false;
  device.addEventListener("uncapturederror", (event) => {
    fault ??= new DeviceError(`gpu: ${event.error.message}`);
  });
  void device.lost.then(({ reason, message }) => {
    fault ??= new DeviceError(
      `gpu: the device was ${disposed ? "disposed" : `lost (${reason}: ${message})`}; open it anew and load the model again`
    );
  });
  const healthy = () => {
    if (disposed) throw new DeviceError("gpu: must not be used after dispose(); open it anew");
    if (fault) throw fault;
  };
  const submit = async (encode, read) => {
    healthy();
    const encoder2 = device.createCommandEncoder();
    encode(encoder2);
    const staged = read.length ? memory.stage(encoder2, read) : void 0;
    device.queue.submit([encoder2.finish()]);
    try {
      const values = await staged?.collect() ?? [];
      healthy();
      return values;
    } catch (cause) {
      healthy();
      throw new DeviceError(`gpu: reading back failed: ${cause instanceof Error ? cause.message : cause}`, { cause });
    }
  };
  const prepare = async (plan, progress) => {
    healthy();
    for (const { tensors } of plan.steps) for (const t of Object.values(tensors)) if (t) memory.check(t);
    const { sizes, places } = assignArenas(plan);
    sizes.forEach((size, index) => memory.checkSize(`${plan.name} arena ${index}`, size));
    let done = 0;
    const compiled = await Promise.all(
      plan.steps.map(async ({ kernel, dims }) => {
        const pipeline = await pipelines.get(kernel, formOf(kernel), dims);
        progress?.(++done, plan.steps.length);
        return pipeline;
      })
    );
    healthy();
    const arenas = sizes.map(
      (size, index) => memory.create(`${plan.name} arena ${index}`, size, USAGE.storage | USAGE.copySource, "activation")
    );
    const stride = device.limits.minUniformBufferOffsetAlignment;
    const uniforms = memory.create(
      `${plan.name} uniforms`,
      stride * plan.steps.length,
      USAGE.uniform | USAGE.copyTarget,
      "uniforms"
    );
    const bytes = new Uint8Array(stride * plan.steps.length);
    const locate = (t) => {
      const place2 = places.get(owner(t));
      return { tensor: t, buffer: place2 ? arenas[place2.arena] : memory.buffer(t), offset: place2?.offset ?? 0 };
    };
    const commands = plan.steps.map(({ kernel, tensors, dims }, index) => {
      const shader = shaderOf(kernel, formOf(kernel));
      bytes.set(new Uint8Array(packParams(kernel.name, shader.params, dims)), index * stride);
      const entries = [
        { binding: 0, resource: { buffer: uniforms, offset: index * stride, size: stride } }
      ];
      shader.bindings.forEach(({ name, access }, position) => {
        const t = tensors[name];
        const { buffer, offset } = t ? locate(t) : { buffer: absent[access], offset: 0 };
        const size = t?.role === "activation" ? Math.ceil(byteLength(t) / 16) * 16 : buffer.size - offset;
        entries.push({ binding: position + 1, resource: { buffer, offset, size } });
      });
      const groups = formOf(kernel).groups(dims);
      const rows3 = Math.ceil(groups / 65535);
      const group = device.createBindGroup({ label: kernel.name, layout: pipelines.layout(shader), entries });
      return { pipeline: compiled[index], group, x: Math.ceil(groups / rows3), y: rows3 };
    });
    device.queue.writeBuffer(uniforms, 0, bytes);
    const encode = (pass, index) => {
      const { pipeline, group, x, y } = commands[index];
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(x, y);
    };
    const set = (step, values) => {
      const { kernel, dims } = plan.steps[step];
      const { params } = shaderOf(kernel, formOf(kernel));
      device.queue.writeBuffer(uniforms, step * stride, packParams(kernel.name, params, { ...dims, ...values }));
    };
    let released = false;
    return {
      plan,
      set,
      encode,
      locate,
      async run({ read = [], steps = [0, commands.length] } = {}) {
        healthy();
        if (released) throw new DeviceError(`${plan.name}: must not be run after dispose(); prepare the plan again`);
        return submit((encoder2) => {
          const pass = encoder2.beginComputePass({ label: plan.name });
          for (let index = steps[0]; index < steps[1]; index++) encode(pass, index);
          pass.end();
        }, read.map(locate));
      },
      dispose() {
        released = true;
        [...arenas, uniforms].forEach(memory.release);
      }
    };
  };
  return {
    device,
    info,
    memory,
    prepare,
    submit,
    readAhead: readAhead(),
    write: (t, data) => {
      healthy();
      memory.write(t, data);
    },
    async read(...tensors) {
      healthy();
      return submit(
        () => {
        },
        tensors.map((t) => ({ tensor: t, buffer: memory.buffer(t), offset: 0 }))
      );
    },
    async copy(copies) {
      await submit((encoder2) => {
        for (const { from, fromAt, to, toAt, count } of copies) {
          encoder2.copyBufferToBuffer(memory.buffer(from), 4 * fromAt, memory.buffer(to), 4 * toAt, 4 * count);
        }
      }, []);
    },
    use: () => memory.use(),
    dispose() {
      if (disposed) return;
      disposed = true;
      memory.dispose();
      absent.read.destroy();
      absent.write.destroy();
      if (instance) device.destroy();
    }
  };
}
function readAhead() {
  const { navigator } = globalThis;
  return navigator?.userAgent?.includes("Firefox") ? 16 : 4;
}

// src/model/config.ts
function readConfig(config) {
  const refuse = (key, rule) => new CheckpointError(`config.json: ${key} must be ${rule}, got ${JSON.stringify(config[key])}`);
  return {
    count(key) {
      const value = config[key];
      if (!Number.isSafeInteger(value) || value < 1 || value > 2 ** 31)
        throw refuse(key, "a whole number above 0");
      return value;
    },
    divisor(key, of) {
      const [value, whole2] = [this.count(key), this.count(of)];
      if (whole2 % value) throw refuse(key, `a divisor of ${of}=${whole2}`);
      return value;
    },
    number(key, fallback) {
      const value = config[key] ?? fallback;
      if (typeof value !== "number") throw refuse(key, "a number");
      return value;
    },
    flag(key, fallback) {
      const value = config[key] ?? fallback;
      if (typeof value !== "boolean") throw refuse(key, "true or false");
      return value;
    },
    activation(key) {
      const name = String(config[key]);
      if (!Object.hasOwn(ACTIVATIONS, name)) throw refuse(key, `one of ${Object.keys(ACTIVATIONS).join(", ")}`);
      return ACTIVATIONS[name];
    }
  };
}
var ACTIVATIONS = {
  relu: "relu",
  gelu: "gelu",
  gelu_new: "gelu_tanh",
  gelu_pytorch_tanh: "gelu_tanh",
  gelu_fast: "gelu_tanh",
  silu: "silu",
  swish: "silu"
};

// src/model/families/family.ts
function linearRows(ours, theirs, O, I, { bias = true, ...how } = {}) {
  const weight = { ours: `${ours}.weight`, theirs: theirs.map((name) => `${name}.weight`), shape: [O, I], ...how };
  if (!bias) return [weight];
  return [
    weight,
    { ours: `${ours}.bias`, theirs: theirs.map((name) => `${name}.bias`), shape: [O], ...how, transpose: false }
  ];
}
function normRows(ours, theirs, D) {
  return ["weight", "bias"].map((part) => ({ ours: `${ours}.${part}`, theirs: [`${theirs}.${part}`], shape: [D] }));
}

// src/model/families/gpt2.ts
var gpt2 = {
  model_type: "gpt2",
  architectures: ["GPT2LMHeadModel"],
  architecture(config) {
    const read = readConfig(config);
    if (read.flag("scale_attn_by_inverse_layer_idx", false) || !read.flag("scale_attn_weights", true)) {
      throw new CheckpointError(
        "config.json: scale_attn_by_inverse_layer_idx must be false and scale_attn_weights true; others are not supported"
      );
    }
    const [D, H] = [read.count("n_embd"), read.divisor("n_head", "n_embd")];
    const F = config.n_inner ? read.count("n_inner") : 4 * D;
    return {
      family: "gpt2",
      D,
      V: read.count("vocab_size"),
      P: read.count("n_positions"),
      decoder: { layers: read.count("n_layer"), F, H, K: H, E: D / H },
      norm: "layernorm",
      placement: "pre",
      eps: read.number("layer_norm_epsilon", 1e-5),
      activation: read.activation("activation_function"),
      gated: false,
      embeddingScale: 1
    };
  },
  rows(a, config) {
    const {
      D,
      decoder: { F, layers: layers2 }
    } = a;
    const tied = readConfig(config).flag("tie_word_embeddings", true);
    const blocks = Array.from({ length: layers2 }, (_, l) => {
      const [at, from] = [`decoder.layers.${l}`, `transformer.h.${l}`];
      return [
        ...normRows(`${at}.self_attn_norm`, `${from}.ln_1`, D),
        ...linearRows(`${at}.self_attn.qkv`, [`${from}.attn.c_attn`], 3 * D, D, { transpose: true }),
        ...linearRows(`${at}.self_attn.out`, [`${from}.attn.c_proj`], D, D, { transpose: true }),
        ...normRows(`${at}.final_norm`, `${from}.ln_2`, D),
        ...linearRows(`${at}.fc1`, [`${from}.mlp.c_fc`], F, D, { transpose: true }),
        ...linearRows(`${at}.fc2`, [`${from}.mlp.c_proj`], D, F, { transpose: true })
      ];
    });
    return [
      { ours: "decoder.embed_tokens.weight", theirs: ["transformer.wte.weight"], shape: [a.V, D] },
      { ours: "decoder.embed_positions.weight", theirs: ["transformer.wpe.weight"], shape: [a.P, D], f32: true },
      ...blocks.flat(),
      ...normRows("decoder.norm", "transformer.ln_f", D),
      { ours: "lm_head.weight", theirs: [tied ? "transformer.wte.weight" : "lm_head.weight"], shape: [a.V, D] }
    ];
  },
  ignored: () => [/^lm_head\.weight$/, /\.attn\.(masked_)?bias$/]
};

// src/model/rotary.ts
function rotaryTable({ frequencies }, M, E) {
  return Float32Array.from({ length: M * E }, (_, index) => {
    const [position, e] = [Math.floor(index / E), index % E];
    const angle = position * frequencies[e % (E / 2)];
    return e < E / 2 ? Math.cos(angle) : Math.sin(angle);
  });
}
function plainFrequencies(E, theta) {
  return Array.from({ length: E / 2 }, (_, i) => theta ** (-2 * i / E));
}
function llama3Frequencies(plain2, factor, low, high, original) {
  return plain2.map((frequency) => {
    const turns = original * frequency / (2 * Math.PI);
    if (turns < low) return frequency / factor;
    if (turns > high) return frequency;
    const smooth = (turns - low) / (high - low);
    return (1 - smooth) * frequency / factor + smooth * frequency;
  });
}

// src/model/families/llama.ts
function llamaLike(model_type, architecture, options) {
  return {
    model_type,
    architectures: [architecture],
    architecture(config) {
      const read = readConfig(config);
      if (config.use_sliding_window === true)
        throw new CheckpointError("config.json: use_sliding_window must be false, sliding windows are not supported");
      const [D, H] = [read.count("hidden_size"), read.count("num_attention_heads")];
      const E = config.head_dim ? read.count("head_dim") : D / read.divisor("num_attention_heads", "hidden_size");
      const K = config.num_key_value_heads ? read.divisor("num_key_value_heads", "num_attention_heads") : H;
      return {
        family: model_type,
        D,
        V: read.count("vocab_size"),
        P: read.count("max_position_embeddings"),
        decoder: { layers: read.count("num_hidden_layers"), F: read.count("intermediate_size"), H, K, E },
        norm: "rmsnorm",
        placement: "pre",
        eps: read.number("rms_norm_eps", 1e-6),
        activation: read.activation("hidden_act"),
        gated: true,
        embeddingScale: 1,
        rotary: rotaryOf(config, E)
      };
    },
    rows(a, config) {
      const {
        D,
        V,
        decoder: { F, layers: layers2, H, K, E }
      } = a;
      const read = readConfig(config);
      const qkvBias = options.qkvBias || read.flag("attention_bias", false);
      const outBias = read.flag("attention_bias", false);
      const bias = read.flag("mlp_bias", false);
      const norm = (ours, theirs) => ({
        ours: `${ours}.weight`,
        theirs: [`${theirs}.weight`],
        shape: [D]
      });
      const blocks = Array.from({ length: layers2 }, (_, l) => {
        const [at, from] = [`decoder.layers.${l}`, `model.layers.${l}`];
        const heads = ["q_proj", "k_proj", "v_proj"].map((part) => `${from}.self_attn.${part}`);
        const qkNorm = {
          ours: `${at}.self_attn.qk_norm`,
          theirs: ["q_norm", "k_norm"].map((part) => `${from}.self_attn.${part}.weight`),
          shape: [2, E],
          stored: [E],
          f32: true
        };
        return [
          norm(`${at}.self_attn_norm`, `${from}.input_layernorm`),
          ...linearRows(`${at}.self_attn.qkv`, heads, (H + 2 * K) * E, D, {
            bias: qkvBias,
            parts: [H * E, K * E, K * E]
          }),
          ...options.qkNorm ? [qkNorm] : [],
          ...linearRows(`${at}.self_attn.out`, [`${from}.self_attn.o_proj`], D, H * E, { bias: outBias }),
          norm(`${at}.final_norm`, `${from}.post_attention_layernorm`),
          ...linearRows(
            `${at}.fc1`,
            ["gate_proj", "up_proj"].map((part) => `${from}.mlp.${part}`),
            2 * F,
            D,
            { bias, interleave: true }
          ),
          ...linearRows(`${at}.fc2`, [`${from}.mlp.down_proj`], D, F, { bias })
        ];
      });
      const tied = read.flag("tie_word_embeddings", false);
      return [
        { ours: "decoder.embed_tokens.weight", theirs: ["model.embed_tokens.weight"], shape: [V, D] },
        ...blocks.flat(),
        norm("decoder.norm", "model.norm"),
        { ours: "lm_head.weight", theirs: [tied ? "model.embed_tokens.weight" : "lm_head.weight"], shape: [V, D] }
      ];
    },
    ignored: (config) => [
      /\.rotary_emb\.inv_freq$/,
      ...readConfig(config).flag("tie_word_embeddings", false) ? [/^lm_head\.weight$/] : []
    ]
  };
}
function rotaryOf(config, E) {
  const scaling = config.rope_parameters ?? config.rope_scaling ?? {};
  const read = readConfig({ rope_theta: config.rope_theta ?? 1e4, ...scaling });
  const plain2 = plainFrequencies(E, read.number("rope_theta", 1e4));
  const type = scaling.rope_type ?? scaling.type ?? "default";
  if (type === "default") return { frequencies: plain2 };
  if (type === "linear") return { frequencies: plain2.map((frequency) => frequency / read.number("factor", 1)) };
  if (type !== "llama3")
    throw new CheckpointError(`config.json: rope_type must be default, linear or llama3, got ${JSON.stringify(type)}`);
  const [factor, low, high] = [
    read.number("factor", 1),
    read.number("low_freq_factor", 1),
    read.number("high_freq_factor", 4)
  ];
  return { frequencies: llama3Frequencies(plain2, factor, low, high, read.count("original_max_position_embeddings")) };
}
var llama = llamaLike("llama", "LlamaForCausalLM", { qkvBias: false, qkNorm: false });
var qwen2 = llamaLike("qwen2", "Qwen2ForCausalLM", { qkvBias: true, qkNorm: false });
var qwen3 = llamaLike("qwen3", "Qwen3ForCausalLM", { qkvBias: false, qkNorm: true });

// src/model/families/marian.ts
var marian = {
  model_type: "marian",
  architectures: ["MarianMTModel"],
  architecture(config) {
    const read = readConfig(config);
    const D = read.count("d_model");
    const stack = (side) => {
      const H = read.divisor(`${side}_attention_heads`, "d_model");
      return { layers: read.count(`${side}_layers`), F: read.count(`${side}_ffn_dim`), H, K: H, E: D / H };
    };
    return {
      family: "marian",
      D,
      V: read.count("vocab_size"),
      P: read.count("max_position_embeddings"),
      encoder: stack("encoder"),
      decoder: stack("decoder"),
      norm: "layernorm",
      placement: "post",
      eps: 1e-5,
      activation: read.activation("activation_function"),
      gated: false,
      embeddingScale: read.flag("scale_embedding", false) ? Math.sqrt(D) : 1
    };
  },
  rows(a, config) {
    const { flag: flag2 } = readConfig(config);
    const shared = flag2("share_encoder_decoder_embeddings", true);
    const tokens = (side) => shared ? "model.shared.weight" : `model.${side}.embed_tokens.weight`;
    const head = flag2("tie_word_embeddings", true) ? tokens("decoder") : "lm_head.weight";
    const table = (side) => [
      { ours: `${side}.embed_tokens.weight`, theirs: [tokens(side)], shape: [a.V, a.D] },
      { ours: `${side}.embed_positions.weight`, theirs: [], shape: [a.P, a.D], compute: () => sinusoids(a.P, a.D) }
    ];
    return [
      ...table("encoder"),
      ...stackRows("encoder", a),
      ...table("decoder"),
      ...stackRows("decoder", a),
      { ours: "lm_head.weight", theirs: [head], shape: [a.V, a.D] },
      { ours: "lm_head.bias", theirs: ["final_logits_bias"], shape: [a.V], stored: [1, a.V] }
    ];
  },
  ignored(config) {
    const tied = readConfig(config).flag("tie_word_embeddings", true) ? [/^lm_head\.weight$/] : [];
    return [...tied, /^model\.(en|de)coder\.embed_(positions|tokens)\.weight$/];
  }
};
function stackRows(side, a) {
  const { D } = a;
  const { layers: layers2, F } = a[side];
  return Array.from({ length: layers2 }, (_, l) => {
    const [at, from] = [`${side}.layers.${l}`, `model.${side}.layers.${l}`];
    const cross = side === "encoder" ? [] : [
      ...linearRows(`${at}.cross_attn.q`, [`${from}.encoder_attn.q_proj`], D, D),
      ...linearRows(
        `${at}.cross_attn.kv`,
        ["k_proj", "v_proj"].map((part) => `${from}.encoder_attn.${part}`),
        2 * D,
        D
      ),
      ...linearRows(`${at}.cross_attn.out`, [`${from}.encoder_attn.out_proj`], D, D),
      ...normRows(`${at}.cross_attn_norm`, `${from}.encoder_attn_layer_norm`, D)
    ];
    return [
      ...linearRows(
        `${at}.self_attn.qkv`,
        ["q_proj", "k_proj", "v_proj"].map((part) => `${from}.self_attn.${part}`),
        3 * D,
        D
      ),
      ...linearRows(`${at}.self_attn.out`, [`${from}.self_attn.out_proj`], D, D),
      ...normRows(`${at}.self_attn_norm`, `${from}.self_attn_layer_norm`, D),
      ...cross,
      ...linearRows(`${at}.fc1`, [`${from}.fc1`], F, D),
      ...linearRows(`${at}.fc2`, [`${from}.fc2`], D, F),
      ...normRows(`${at}.final_norm`, `${from}.final_layer_norm`, D)
    ];
  }).flat();
}
function sinusoids(P, D) {
  const half = Math.ceil(D / 2);
  return Float32Array.from({ length: P * D }, (_, index) => {
    const [position, d] = [Math.floor(index / D), index % D];
    const angle = (pair) => position / 1e4 ** (2 * pair / D);
    return d < half ? Math.sin(angle(d)) : Math.cos(angle(d - half));
  });
}

// src/model/families/index.ts
var FAMILIES = [gpt2, llama, marian, qwen2, qwen3];
function familyOf(label, config) {
  const found = FAMILIES.find(({ model_type }) => model_type === config.model_type);
  if (!found) {
    const known = FAMILIES.map(({ model_type }) => model_type).join(", ");
    throw new CheckpointError(
      `${label}/config.json: model_type must be one of ${known}, got ${JSON.stringify(config.model_type)}`
    );
  }
  return found;
}

// src/runtime/plan.ts
function record(name, build, shared = {}) {
  const steps = [];
  const run = (kernel, label, args, values) => {
    const allowed = /* @__PURE__ */ new Set([...kernel.params, ...kernel.constants]);
    const stray = Object.keys(values).find((key) => !allowed.has(key));
    if (stray) throw new ShapeError(`${kernel.name}: has no parameter ${stray}`);
    const given = { ...args };
    for (const [key, value] of Object.entries(shared)) if (key in kernel.reads) given[key] = value;
    const dims = solve(kernel, given, values);
    const written = {};
    for (const key of Object.keys(kernel.writes)) {
      const {
        dtypes: [dtype],
        optional
      } = parsePattern(kernel.writes[key]);
      const make = () => tensor(`${label}.${key}`, dtype, outputShape(kernel, key, dims), "activation");
      written[key] = given[key] ?? (optional ? void 0 : make());
    }
    steps.push({ kernel, label, tensors: { ...given, ...written }, dims });
    return written;
  };
  build(run);
  return { name, steps };
}
function launches(plan, prefix2 = "") {
  return plan.steps.filter((step) => step.label === prefix2 || step.label.startsWith(prefix2 && `${prefix2}.`)).length;
}

// src/model/core.ts
function unpack(packed, ids2, offsets, width, columns) {
  const data = new Float32Array(ids2.length * width * columns);
  let first = 0;
  ids2.forEach(({ length }, b) => {
    data.set(packed.subarray(first * columns, (first + length) * columns), (b * width + offsets[b]) * columns);
    first += length;
  });
  return { dims: [ids2.length, width, columns], data };
}

// src/model/layers.ts
function layers(run, a, w) {
  const embedRows = (stack, rows3) => {
    const [tokens, positions] = [w.get(`${stack}.embed_tokens.weight`), w.find(`${stack}.embed_positions.weight`)];
    return run(embed, `${stack}.embed`, { rows: rows3, tokens, positions }, { shift: 0, scale: a.embeddingScale }).out;
  };
  const linear = (name, x, { activation = "none", gated = false, residual, y } = {}) => {
    const [weight, bias] = [w.get(`${name}.weight`), w.find(`${name}.bias`)];
    const J = gated ? 2 : 1;
    const out = y ?? tensor(name, "f32", [x.shape[0], weight.shape[0] / J], "activation");
    const kernel = x.shape[0] <= MATVEC_ROWS ? matvec : matmul;
    return run(kernel, name, { x, weight, bias, residual, y: out }, { J, ACTIVATION: ACTIVATION[activation] }).y;
  };
  const norm = (name, x, out) => {
    const args = { x, gamma: w.get(`${name}.weight`), ...out && { out } };
    if (a.norm === "rmsnorm") return run(rmsnormResidual, name, args, { eps: a.eps }).out;
    return run(layernormResidual, name, { ...args, beta: w.get(`${name}.bias`) }, { eps: a.eps }).out;
  };
  return {
    embed: embedRows,
    linear,
    norm,
    attend(name, { H, K, E }, q, { kv, spans, k_at, v_at }, rows3, causal) {
      const values = { H, K, E, k_at, v_at, scale: E ** -0.5, CAUSAL: Number(causal) };
      return run(attention, name, { rows: rows3, spans, q, kv }, values).out;
    },
    block(name, h, body, out) {
      return a.placement === "pre" ? body(norm(name, h), h) : norm(name, body(h, h), out);
    },
    feedForward(at, x, residual) {
      const wide = linear(`${at}.fc1`, x, { activation: a.activation, gated: a.gated });
      return linear(`${at}.fc2`, wide, { residual });
    }
  };
}

// src/model/decoder.ts
function sourceKeys(run, a, w, encoded, kv) {
  const { linear } = layers(run, a, w);
  return Array.from(
    { length: a.decoder.layers },
    (_, l) => linear(`decoder.layers.${l}.cross_attn.kv`, encoded, { y: kv?.[l] })
  );
}
function decoderStep(run, a, w, rows3, { caches, rotary }, indirection, cross, logits) {
  const { H, K, E } = a.decoder;
  const attendPast = (l, name, qkv) => {
    const args = { rows: rows3, qkv, indirection, rotary, qk_norm: w.find(`${name}.qk_norm`), cache: caches[l] };
    return run(attentionStep, name, args, { H, K, E, scale: E ** -0.5, eps: a.eps }).out;
  };
  return lmHead(run, a, w, decoder(run, a, w, rows3, attendPast, cross), logits);
}
function decoderPrompt(run, a, w, rows3, { caches, rotary }, spans, W, cross) {
  const { attend: attend2 } = layers(run, a, w);
  const { H, K, E } = a.decoder;
  const attendPrompt = (l, name, projected) => {
    const args = { rows: rows3, rotary, qk_norm: w.find(`${name}.qk_norm`), qkv: projected, cache: caches[l] };
    const { qkv, cache } = run(rope, `${name}.rope`, args, { H, K, E, W, eps: a.eps });
    const [R, M, width] = cache.shape;
    return attend2(name, a.decoder, qkv, { kv: prefix(cache, [R * M, width]), spans, k_at: 0, v_at: K * E }, rows3, true);
  };
  return decoder(run, a, w, rows3, attendPrompt, cross);
}
function lmHead(run, a, w, hidden, logits) {
  return layers(run, a, w).linear("lm_head", hidden, { y: logits });
}
function decoder(run, a, w, rows3, selfAttend, cross) {
  const { embed: embed2, linear, norm, attend: attend2, block, feedForward } = layers(run, a, w);
  const { K, E } = a.decoder;
  let h = embed2("decoder", rows3);
  for (let l = 0; l < a.decoder.layers; l++) {
    const at = `decoder.layers.${l}`;
    h = block(`${at}.self_attn_norm`, h, (x, residual) => {
      const context = selfAttend(l, `${at}.self_attn`, linear(`${at}.self_attn.qkv`, x));
      return linear(`${at}.self_attn.out`, context, { residual });
    });
    if (cross) {
      h = block(`${at}.cross_attn_norm`, h, (x, residual) => {
        const source = { kv: cross.kv[l], spans: cross.spans, k_at: 0, v_at: K * E };
        const context = attend2(`${at}.cross_attn`, a.decoder, linear(`${at}.cross_attn.q`, x), source, rows3, false);
        return linear(`${at}.cross_attn.out`, context, { residual });
      });
    }
    h = block(`${at}.final_norm`, h, (x, residual) => feedForward(at, x, residual));
  }
  return a.placement === "pre" ? norm("decoder.norm", h) : h;
}

// src/model/encoder.ts
function encoder(run, a, w, rows3, spans, out) {
  const { embed: embed2, linear, attend: attend2, block, feedForward } = layers(run, a, w);
  const stack = a.encoder;
  const { H, K, E, layers: L } = stack;
  let h = embed2("encoder", rows3);
  for (let l = 0; l < L; l++) {
    const at = `encoder.layers.${l}`;
    h = block(`${at}.self_attn_norm`, h, (x, residual) => {
      const qkv = linear(`${at}.self_attn.qkv`, x);
      const context = attend2(
        `${at}.self_attn`,
        stack,
        qkv,
        { kv: qkv, spans, k_at: H * E, v_at: (H + K) * E },
        rows3,
        false
      );
      return linear(`${at}.self_attn.out`, context, { residual });
    });
    h = block(`${at}.final_norm`, h, (x, residual) => feedForward(at, x, residual), l === L - 1 ? out : void 0);
  }
  return h;
}

// src/model/inputs.ts
function readSequences(name, rows3, masks, V, P) {
  if (!isRows(rows3)) throw new InputError(`${name}: must be a list of lists of token ids, got ${show(rows3)}`);
  if (rows3.length === 0) throw new InputError(`${name}: must hold at least one row, got an empty batch`);
  if (masks !== void 0 && (!isRows(masks) || masks.length !== rows3.length)) {
    throw new InputError(
      `attention_mask: must have the ${rows3.length} rows of ${name}, got ${isRows(masks) ? masks.length : show(masks)}`
    );
  }
  const stripped = rows3.map((row, r) => stripRow(name, r, row, masks?.[r]));
  stripped.forEach(({ ids: ids2, offset }, r) => {
    if (ids2.length === 0) throw new InputError(`${name}: row ${r} must hold at least one token, got none`);
    if (ids2.length > P)
      throw new InputError(
        `${name}: row ${r} must have at most ${P} tokens (max_position_embeddings), got ${ids2.length}; split or shorten it`
      );
    const bad = ids2.findIndex((id2) => !Number.isInteger(id2) || id2 < 0 || id2 >= V);
    if (bad >= 0)
      throw new InputError(
        `${name}: ids must be whole numbers from 0 to ${V - 1}, got ${show(rows3[r][offset + bad])} in row ${r}`
      );
  });
  return {
    ids: stripped.map(({ ids: ids2 }) => ids2),
    offsets: stripped.map(({ offset }) => offset),
    pads: stripped.map(({ offset }, r) => Array.from({ length: offset }, (_, t) => Number(rows3[r][t]))),
    width: Math.max(...rows3.map((row) => row.length))
  };
}
function isRows(value) {
  return Array.isArray(value) && value.every((row) => Array.isArray(row) || ArrayBuffer.isView(row) && !(row instanceof DataView));
}
function stripRow(name, r, row, mask) {
  const ids2 = Array.from(
    row,
    (value) => typeof value === "number" || typeof value === "bigint" ? Number(value) : NaN
  );
  if (!mask) return { ids: ids2, offset: 0 };
  if (mask.length !== ids2.length)
    throw new InputError(`attention_mask: row ${r} must have the ${ids2.length} entries of ${name}, got ${mask.length}`);
  const bits = Array.from(mask, Number);
  if (bits.some((bit) => bit !== 0 && bit !== 1))
    throw new InputError(
      `attention_mask: must hold 0 and 1, got ${bits.find((bit) => bit !== 0 && bit !== 1)} in row ${r}`
    );
  const offset = Math.max(0, bits.indexOf(1));
  const end = bits.lastIndexOf(1) + 1;
  const hole = bits.indexOf(0, offset);
  if (hole >= 0 && hole < end)
    throw new InputError(`attention_mask: a row's padding must lie at one end or both, row ${r} has a hole at ${hole}`);
  return { ids: ids2.slice(offset, end), offset };
}
function packRows(sequences, past = []) {
  return Uint32Array.from(sequences.flatMap((ids2, b) => ids2.flatMap((id2, t) => [id2, (past[b] ?? 0) + t, b, 0])));
}
function packSpans(sequences) {
  let first = 0;
  return Uint32Array.from(sequences.flatMap(({ length }) => [(first += length) - length, length]));
}

// src/model/forward.ts
var total = ({ ids: ids2 }) => ids2.reduce((sum, { length }) => sum + length, 0);
async function forward(core, sources, targets) {
  const { gpu: gpu2, a, w } = core;
  if (sources && targets && sources.ids.length !== targets.ids.length) {
    throw new InputError(
      `decoder_input_ids: must have the ${sources.ids.length} rows of input_ids, got ${targets.ids.length}`
    );
  }
  const {
    D,
    V,
    decoder: { layers: layers2, K, E }
  } = a;
  const states = [];
  const state = (name, shape, data) => {
    const made = tensor(name, data instanceof Uint32Array ? "u32" : "f32", shape);
    states.push(made);
    gpu2.write(made, data);
    return made;
  };
  const packed = (name, { ids: ids2 }, spans) => ({
    rows: state(`${name}_rows`, [ids2.reduce((sum, { length }) => sum + length, 0), 4], packRows(ids2)),
    spans: state(`${name}_spans`, [ids2.length, 2], spans)
  });
  const hidden = sources && tensor("encoded", "f32", [total(sources), D]);
  const logits = targets && tensor("logits", "f32", [total(targets), V]);
  const M = targets ? Math.max(...targets.ids.map(({ length }) => length)) : 0;
  try {
    const source = sources && packed("source", sources, packSpans(sources.ids));
    const target = targets && packed("target", targets, Uint32Array.from(targets.ids.flatMap(({ length }, b) => [b * M, length])));
    const rotary = a.rotary && target && state("rotary", [M, E], rotaryTable(a.rotary, M, E));
    const plan = record("forward", (run) => {
      const encoded = source && encoder(run, a, w, source.rows, source.spans, hidden);
      if (!target || !targets) return;
      const B = targets.ids.length;
      const caches = Array.from(
        { length: layers2 },
        (_, l) => tensor(`decoder.layers.${l}.cache`, "f32", [B, M, 2 * K * E], "activation")
      );
      const cross = encoded && source && { kv: sourceKeys(run, a, w, encoded), spans: source.spans };
      const decoded = decoderPrompt(run, a, w, target.rows, { caches, rotary }, target.spans, 1, cross);
      lmHead(run, a, w, decoded, logits);
    });
    const prepared = await gpu2.prepare(plan);
    try {
      const wanted = [hidden, logits].filter((t) => t !== void 0);
      const results = await prepared.run({ read: wanted });
      const host = ({ ids: ids2, offsets, width }, columns, t) => unpack(results[wanted.indexOf(t)], ids2, offsets, width, columns);
      return {
        ...sources && hidden && { encoded: host(sources, D, hidden) },
        ...targets && logits && { logits: host(targets, V, logits) }
      };
    } finally {
      prepared.dispose();
    }
  } finally {
    gpu2.memory.free([...states, ...[hidden, logits].filter((t) => t !== void 0)]);
  }
}

// src/model/log.ts
var [RUNNING, FINISHED, TOKEN, LAST] = [0, 1, 2, 3];
function sentenceOf({ values: [rows3, scores, sentences], places }, b, W) {
  const at = places[b];
  const R = rows3.length / 4;
  const plane = (index, w) => scores[index * R + at * W + w];
  const [length, prompt, limit, done, ...finished] = sentences.subarray(at * (4 + 3 * W), (at + 1) * (4 + 3 * W));
  return {
    length,
    prompt,
    limit,
    done: done === 1,
    rows: Array.from({ length: W }, (_, w) => ({
      id: rows3[4 * (at * W + w)],
      parent: rows3[4 * (at * W + w) + 3],
      score: plane(RUNNING, w),
      logProb: plane(TOKEN, w)
    })),
    finished: Array.from({ length: W }, (_, i) => ({
      length: finished[3 * i],
      parent: finished[3 * i + 1],
      id: finished[3 * i + 2],
      score: plane(FINISHED, i),
      logProb: plane(LAST, i)
    })).filter((hypothesis) => hypothesis.length > 0)
  };
}
function lastStep(reports, b) {
  return reports.findLastIndex(({ places }) => places[b] >= 0);
}
function latest(reports, b, W) {
  return sentenceOf(reports[lastStep(reports, b)], b, W);
}
function ancestors(reports, b, w, W, step = lastStep(reports, b)) {
  const links = [];
  for (let [at, beam] = [step, w]; at >= 0; at--) {
    const {
      values: [rows3, scores],
      places
    } = reports[at];
    const r = places[b] * W + beam;
    const parent = rows3[4 * r + 3];
    links.push({ id: rows3[4 * r], logProb: scores[TOKEN * rows3.length / 4 + r], parent });
    beam = parent;
  }
  return links.reverse();
}
function hypothesisOf(links, { length_penalty }) {
  const logProbs = links.map(({ logProb }) => logProb);
  const score2 = logProbs.reduce((sum, logProb) => sum + logProb, 0) / links.length ** length_penalty;
  return { ids: links.map(({ id: id2 }) => id2), score: score2, logProbs };
}
function trace(reports, b, rank, g) {
  const sentence = latest(reports, b, g.W);
  const { length, parent, id: id2, logProb } = sentence.finished[rank];
  return hypothesisOf([...ancestors(reports, b, parent, g.W, length - sentence.prompt - 2), { id: id2, logProb }], g);
}
function cut(reports, b, kept, g) {
  const { done } = latest(reports, b, g.W);
  if (!done) return hypothesisOf(ancestors(reports, b, 0, g.W).slice(0, kept), g);
  const { ids: ids2, logProbs } = trace(reports, b, 0, g);
  return hypothesisOf(
    ids2.slice(0, kept).map((id2, t) => ({ id: id2, logProb: logProbs[t] })),
    g
  );
}

// src/model/option_rules.ts
var MAX_BEAMS = 32;
var COUNT = 2 ** 31;
var whole = (least, most = COUNT) => [
  (value) => Number.isInteger(value) && value >= least && value <= most,
  () => most !== COUNT ? `a whole number from ${least} to ${most}` : `a whole number of at least ${least}`
];
var isId = (value, V) => Number.isInteger(value) && value >= 0 && value < V;
var isIds = (value, V) => Array.isArray(value) && value.every((id2) => isId(id2, V));
var id = [isId, (V) => `a token id from 0 to ${V - 1}`];
var ids = [isIds, (V) => `a list of token ids from 0 to ${V - 1}`];
var flag = [(value) => typeof value === "boolean", () => "true or false"];
var number = [(value) => typeof value === "number" && Number.isFinite(value), () => "a finite number"];
var positive = [
  (value) => typeof value === "number" && value > 0 && value < 1e6,
  () => "a number above 0 and below 1e6"
];
var fraction = (least, holds) => [
  (value) => typeof value === "number" && holds(value) && value <= 1,
  () => `a number ${least} and at most 1`
];
var RULES = {
  num_beams: whole(1, MAX_BEAMS),
  num_beam_groups: whole(1, MAX_BEAMS),
  diversity_penalty: [
    (value) => typeof value === "number" && value >= 0 && value < 1e6,
    () => "a number of at least 0 and below 1e6"
  ],
  num_return_sequences: whole(1, MAX_BEAMS),
  length_penalty: number,
  early_stopping: [(value) => typeof value === "boolean" || value === "never", () => 'true, false or "never"'],
  max_length: whole(1),
  max_new_tokens: whole(1),
  min_length: whole(0),
  min_new_tokens: whole(0),
  repetition_penalty: positive,
  presence_penalty: number,
  no_repeat_ngram_size: whole(0),
  bad_words_ids: [
    (value, V) => Array.isArray(value) && value.every((words) => isIds(words, V) && words.length > 0),
    (V) => `a list of non-empty lists of token ids from 0 to ${V - 1}`
  ],
  suppress_tokens: ids,
  begin_suppress_tokens: ids,
  forced_bos_token_id: id,
  forced_eos_token_id: id,
  eos_token_id: [
    (value, V) => isId(value, V) || isIds(value, V) && value.length > 0,
    (V) => `a token id from 0 to ${V - 1}, or a list of them`
  ],
  pad_token_id: id,
  decoder_start_token_id: id,
  renormalize_logits: flag,
  do_sample: flag,
  temperature: positive,
  top_k: whole(0),
  top_p: fraction("above 0", (value) => value > 0),
  min_p: fraction("of at least 0", (value) => value >= 0),
  seed: whole(0, 2 ** 32 - 1),
  output_scores: flag,
  stop_strings: [
    (value) => [value].flat().every((text) => typeof text === "string" && text !== ""),
    () => "a text or a list of texts, none empty"
  ],
  logits_processor: [(value) => typeof value === "function", () => "a function of ids and scores"]
};
var INERT = /^(_from_model_config|transformers_version|use_cache|bos_token_id|return_dict_in_generate)$/;
var OFF = {
  typical_p: 1,
  epsilon_cutoff: 0,
  eta_cutoff: 0,
  encoder_repetition_penalty: 1,
  encoder_no_repeat_ngram_size: 0,
  remove_invalid_values: false,
  output_attentions: false,
  output_hidden_states: false,
  output_logits: false
};
var isOff = (key, value) => INERT.test(key) || OFF[key] === value;
var checkCall = (given, V) => checked("generate", given, V, () => false);
var checkDefaults = (given, V) => checked("generation_config.json", given, V, isOff);
function checked(label, given, V, inert) {
  const kept = {};
  for (const [key, value] of Object.entries(given)) {
    if (value === void 0 || value === null || inert(key, value)) continue;
    if (!Object.hasOwn(RULES, key))
      throw new OptionError(`${label}: ${key} is not supported; supported are ${Object.keys(RULES).join(", ")}`);
    const [holds, says] = RULES[key];
    if (!holds(value, V)) throw new OptionError(`${label}: ${key} must be ${says(V)}, got ${show(value)}`);
    kept[key] = value;
  }
  return kept;
}

// src/model/options.ts
function settle(call, checkpoint, V, P, prompt, decoderOnly = false) {
  const o = {
    ...checkDefaults(checkpoint, V),
    ...checkCall(call, V)
  };
  const beams = o.num_beams ?? 1;
  const groups = o.num_beam_groups ?? 1;
  const returned = o.num_return_sequences ?? 1;
  if (o.do_sample && beams > 1)
    throw new OptionError(`generate: num_beams must be 1 with do_sample, got ${beams}; beams are searched, not drawn`);
  if (returned > beams && !o.do_sample)
    throw new OptionError(
      `generate: num_return_sequences must be at most num_beams=${beams}, got ${returned}; raise num_beams or set do_sample`
    );
  if (beams % groups) throw new OptionError(`generate: num_beam_groups must divide num_beams=${beams}, got ${groups}`);
  if (groups > 1 !== (o.diversity_penalty ?? 0) > 0)
    throw new OptionError(
      `generate: num_beam_groups above 1 and diversity_penalty above 0 go together, got ${groups} and ${o.diversity_penalty ?? 0}`
    );
  const stray = o.do_sample ? void 0 : SAMPLING.find((key) => call[key] !== void 0 && call[key] !== null);
  if (stray) throw new OptionError(`generate: ${stray} acts only with do_sample: true, which is not set`);
  if (o.stop_strings !== void 0 && beams > 1)
    throw new OptionError(
      `generate: num_beams must be 1 with stop_strings, got ${beams}; use eos_token_id to end beams`
    );
  const limit = o.max_new_tokens !== void 0 ? prompt + o.max_new_tokens : o.max_length ?? 20;
  const named = o.max_new_tokens !== void 0 ? "max_new_tokens" : "max_length";
  if (limit <= prompt)
    throw new OptionError(
      `generate: max_length must be above the ${prompt} given tokens, got ${limit}; raise it or give max_new_tokens`
    );
  if (limit - 1 > P)
    throw new OptionError(
      `generate: ${named} must leave at most ${P} positions (max_position_embeddings), got ${limit - 1}; lower it to ${named === "max_length" ? P + 1 : P + 1 - prompt}`
    );
  const end = o.eos_token_id === void 0 ? [] : [o.eos_token_id].flat();
  const start = o.decoder_start_token_id;
  if (start === void 0 && !decoderOnly)
    throw new OptionError("generate: decoder_start_token_id must be given, by the checkpoint or by the call");
  const least = Math.max(2, 1 + end.length);
  if (V < least)
    throw new OptionError(
      `generate: a beam search with ${end.length} end ids needs a vocabulary of at least ${least}, got ${V}`
    );
  const candidates2 = (1 + end.length) * (beams / groups) + beams - beams / groups;
  if (beams > 1 && candidates2 > 64)
    throw new OptionError(
      `generate: num_beams must be at most ${Math.floor(64 * beams / candidates2)} with ${end.length} end ids, got ${beams}`
    );
  return {
    beams,
    W: beams / groups,
    groups,
    diversity_penalty: o.diversity_penalty ?? 0,
    returned,
    newTokens: limit - prompt,
    start: start ?? 0,
    end,
    samples: o.do_sample ? returned : 1,
    sampling: o.do_sample ? settleSampling(o) : void 0,
    length_penalty: o.length_penalty ?? 1,
    early_stopping: beams === 1 ? EARLY_STOPPING.true : EARLY_STOPPING[String(o.early_stopping ?? false)],
    min_new_tokens: Math.max(o.min_new_tokens ?? 0, (o.min_length ?? 0) - prompt),
    // min_length counts the prompt
    repetition_penalty: o.repetition_penalty ?? 1,
    presence_penalty: o.presence_penalty ?? 0,
    no_repeat_ngram_size: o.no_repeat_ngram_size ?? 0,
    // Transformers drops banned words that are an end id alone.
    banned: (o.bad_words_ids ?? []).filter((words) => words.length > 1 || !end.includes(words[0])),
    suppress: o.suppress_tokens ?? [],
    begin_suppress: o.begin_suppress_tokens ?? [],
    forced_bos: o.forced_bos_token_id,
    forced_eos: o.forced_eos_token_id,
    pad: o.pad_token_id ?? end[0] ?? 0,
    renormalize: o.renormalize_logits ?? false,
    output_scores: o.output_scores ?? false,
    stop_strings: [o.stop_strings ?? []].flat(),
    logits_processor: o.logits_processor
  };
}
var SAMPLING = ["temperature", "top_k", "top_p", "min_p", "seed"];
function settleSampling({ temperature = 1, top_k = 50, top_p = 1, min_p = 0, seed }) {
  return { temperature, top_k, top_p, min_p, seed: seed ?? crypto.getRandomValues(new Uint32Array(1))[0] };
}
function hasRules(g) {
  const lists = [g.banned, g.suppress, g.begin_suppress].some((list) => list.length > 0);
  const forced = g.forced_bos !== void 0 || g.forced_eos !== void 0;
  const penalties = g.repetition_penalty !== 1 || g.presence_penalty !== 0 || g.no_repeat_ngram_size > 0;
  return lists || forced || penalties || g.min_new_tokens > 0 || g.logits_processor !== void 0;
}

// src/model/session.ts
var PLANS = 16;
var CHUNK2 = 2048;
function createSession({ gpu: gpu2, a, w }, { B, n, W, M, S }) {
  const fan = n * W;
  const R = B * fan;
  const { layers: layers2, K, E } = a.decoder;
  const perLayer = (name, shape) => Array.from({ length: layers2 }, (_, l) => tensor(`decoder.layers.${l}.${name}`, "f32", shape));
  const table = a.rotary && rotaryTable(a.rotary, M, E);
  const cache = {
    caches: perLayer("cache", [R, M, 2 * K * E]),
    rotary: table && tensor("rotary", "f32", [M, E])
  };
  const cross = a.encoder && {
    kv: perLayer("source_keys", [S, 2 * K * E]),
    spans: tensor("cross_spans", "u32", [B * n, 2])
  };
  const state = {
    rows: tensor("rows", "u32", [R, 4]),
    indirection: tensor("indirection", "u32", [2, R, M]),
    sourceRows: tensor("source_rows", "u32", [S, 4]),
    sourceSpans: tensor("source_spans", "u32", [B, 2]),
    promptRows: tensor("prompt_rows", "u32", [CHUNK2, 4]),
    promptSpans: tensor("prompt_spans", "u32", [B, 2])
  };
  if (table && cache.rotary) gpu2.write(cache.rotary, table);
  const plans = /* @__PURE__ */ new Map();
  const prepare = async (key, build) => {
    const known = plans.get(key);
    if (known) return known;
    const prepared = await gpu2.prepare(build());
    const oldest = plans.entries().next();
    if (plans.size >= PLANS && !oldest.done) {
      oldest.value[1].dispose();
      plans.delete(oldest.value[0]);
    }
    plans.set(key, prepared);
    return prepared;
  };
  const encodePlan = (N, kv) => record("encode", (run) => {
    const encoded = encoder(run, a, w, prefix(state.sourceRows, [N, 4]), state.sourceSpans);
    sourceKeys(
      run,
      a,
      w,
      encoded,
      kv.map((t) => prefix(t, [N, 2 * K * E]))
    );
  });
  const promptPlan = (N) => record("prompt", (run) => {
    const source = cross && { kv: cross.kv, spans: state.sourceSpans };
    decoderPrompt(run, a, w, prefix(state.promptRows, [N, 4]), cache, state.promptSpans, fan, source);
  });
  return {
    rows: state.rows,
    indirection: state.indirection,
    cache,
    cross,
    async encode(sources) {
      if (!sources || !cross) return void 0;
      const N = sources.reduce((sum, { length }) => sum + length, 0);
      const prepared = await prepare(`encode ${N}`, () => encodePlan(N, cross.kv));
      const spans = packSpans(sources);
      gpu2.write(state.sourceRows, packRows(sources));
      gpu2.write(state.sourceSpans, spans);
      gpu2.write(
        cross.spans,
        Uint32Array.from({ length: 2 * B * n }, (_, i) => spans[2 * Math.floor(i / 2 / n) + i % 2])
      );
      await prepared.run();
      return prepared.plan;
    },
    async prompt(tokens, past) {
      const rows3 = packRows(tokens, past);
      gpu2.write(
        state.promptSpans,
        Uint32Array.from(tokens.flatMap(({ length }, b) => [b * fan * M, past[b] + length]))
      );
      for (let first = 0; first < rows3.length / 4; first += CHUNK2) {
        const N = Math.min(CHUNK2, rows3.length / 4 - first);
        const prepared = await prepare(`prompt ${N}`, () => promptPlan(N));
        gpu2.write(state.promptRows, rows3.subarray(4 * first, 4 * (first + N)));
        await prepared.run();
      }
    },
    async adopt(other, from, spans) {
      const count = fan * M * 2 * K * E;
      await gpu2.copy([
        ...cache.caches.flatMap(
          (to, l) => from.map((place2, b) => ({ from: other.cache.caches[l], fromAt: place2 * count, to, toAt: b * count, count }))
        ),
        ...(cross?.kv ?? []).flatMap(
          (to, l) => other.cross ? [{ from: other.cross.kv[l], fromAt: 0, to, toAt: 0, count: S * 2 * K * E }] : []
        )
      ]);
      if (cross && spans) gpu2.write(cross.spans, spans);
    },
    dispose() {
      for (const prepared of plans.values()) prepared.dispose();
      const rotary = cache.rotary ? [cache.rotary] : [];
      gpu2.memory.free([
        ...Object.values(state),
        ...cache.caches,
        ...rotary,
        ...cross ? [cross.spans, ...cross.kv] : []
      ]);
    }
  };
}

// src/model/search.ts
function partsOf(R, W, V, C) {
  return Math.max(1, Math.min(Math.floor(512 / R), Math.floor(512 / W), Math.floor(V / (4 * C))));
}
async function createSearch(core, capacity, g) {
  const { gpu: gpu2, a, w } = core;
  const { B, n, W, M } = capacity;
  const fan = n * W;
  const R = B * fan;
  const session = createSession(core, capacity);
  const { rows: rows3, indirection } = session;
  const lists = packRules({ end: g.end, suppress: g.suppress, begin_suppress: g.begin_suppress, banned: g.banned });
  const state = {
    scores: tensor("scores", "f32", [4, R]),
    sentences: tensor("sentences", "u32", [R / W, 4 + 3 * W]),
    status: tensor("status", "u32", [2]),
    end_ids: tensor("end_ids", "u32", [g.end.length]),
    rules: tensor("rules", "u32", [lists.length]),
    history: tensor("history", "u32", [M, R]),
    leads: tensor("leads", "u32", [R / W, 2])
  };
  const { scores, sentences, status, end_ids, rules, history, leads } = state;
  const ruled = hasRules(g);
  const hostLogits = g.logits_processor && tensor("logits", "f32", [R, a.V]);
  const C = g.beams === 1 ? 1 : Math.max(2, 1 + g.end.length) * W + g.beams - W;
  const plan = record(
    "step",
    (run) => {
      const logits = decoderStep(run, a, w, rows3, session.cache, indirection, session.cross, hostLogits);
      if (ruled) {
        run(
          logitsProcess,
          "logits_process",
          { rows: rows3, indirection, sentences, rules, leads, history, logits },
          {
            no_repeat_ngram_size: g.no_repeat_ngram_size,
            min_new_tokens: g.min_new_tokens,
            repetition_penalty: g.repetition_penalty,
            presence_penalty: g.presence_penalty,
            forced_bos: g.forced_bos ?? NO_ID,
            forced_eos: g.forced_eos ?? NO_ID,
            begin: g.forced_bos === void 0 ? 0 : 1,
            LOG_SOFTMAX: Number(g.beams > 1)
          }
        );
      }
      const { values, indices } = g.sampling ? run(sample, "sample", { rows: rows3, logits }, g.sampling) : run(topk, "topk", { logits }, { G: partsOf(R, W, a.V, C), C });
      const LOG_PROBS = Number(ruled && g.beams > 1 && !g.renormalize);
      const { early_stopping, length_penalty, groups, diversity_penalty } = g;
      for (let group = 0; group < groups; group++) {
        run(
          beamStep,
          "beam_step",
          { values, indices, end_ids, rows: rows3, scores, sentences, indirection, status },
          { W, V: a.V, early_stopping, length_penalty, groups, group, diversity_penalty, LOG_PROBS }
        );
      }
    },
    { status }
  );
  const step = await gpu2.prepare(plan);
  const chooses = plan.steps.findIndex(({ label }) => label === "topk" || label === "sample");
  return {
    session,
    step,
    scoring: hostLogits && { logits: hostLogits, chooses },
    report: [rows3, scores, sentences, status],
    start(starts, seed) {
      if (seed !== void 0) step.set(chooses, { seed });
      const beams = starts.flatMap(({ beams: beams2 }) => beams2);
      const finished = (field) => starts.flatMap((start) => Array.from({ length: W }, (_, i) => start.finished[i]?.[field] ?? 0));
      gpu2.write(
        rows3,
        Uint32Array.from(starts.flatMap((start, b) => start.beams.flatMap(({ id: id2 }) => [id2, start.length - 1, b, 0])))
      );
      gpu2.write(
        scores,
        Float32Array.from([
          ...beams.map(({ score: score2 }) => score2),
          ...finished("score"),
          ...beams.map(() => 0),
          ...finished("logProb")
        ])
      );
      gpu2.write(
        sentences,
        Uint32Array.from(
          starts.flatMap((start) => [
            start.length,
            start.prompt,
            start.limit,
            0,
            ...Array.from({ length: W }, (_, i) => start.finished[i]).flatMap(
              (h) => h ? [h.length, h.parent, h.id] : [0, 0, 0]
            )
          ])
        )
      );
      gpu2.write(status, Uint32Array.of(starts.length, 0));
      gpu2.write(end_ids, Uint32Array.from(g.end));
      if (starts.some(({ length }) => length > 1)) {
        const table = new Uint32Array(2 * R * M);
        starts.forEach(
          (start, b) => start.beams.forEach(({ past }, w2) => table.set(past, ((start.length - 1) % 2 * R + b * W + w2) * M))
        );
        gpu2.write(indirection, table);
      }
      if (!ruled) return;
      const slots = new Uint32Array(M * R);
      starts.forEach(
        ({ beams: beams2, tokens }) => beams2.forEach(({ past }, w2) => past.forEach((r, t) => slots[t * R + r] = tokens[w2][t]))
      );
      gpu2.write(history, slots);
      gpu2.write(rules, lists);
      gpu2.write(leads, Uint32Array.from(starts.flatMap(({ pads }) => [pads.length, pads[0] ?? 0])));
    },
    dispose() {
      step.dispose();
      session.dispose();
      gpu2.memory.free([...Object.values(state), ...hostLogits ? [hostLogits] : []]);
    }
  };
}
async function lease(core, capacity, g) {
  const { returned, pad, start, stop_strings, newTokens, logits_processor, sampling, ...recorded } = g;
  const draws = sampling && { ...sampling, seed: 0 };
  const key = JSON.stringify([capacity, recorded, draws, Boolean(logits_processor)]);
  const search = await core.pool.take(key, () => createSearch(core, capacity, g));
  return { search, capacity, release: () => core.pool.give(key, search) };
}

// src/model/compaction.ts
var SMALL = 16;
var WORTH = 16;
function pays(open, sentences, left, g) {
  return open > 0 && 4 * open <= sentences && sentences * g.W > SMALL && left >= WORTH && g.groups === 1 && !g.sampling && !g.logits_processor;
}
async function compacted(core, { search: old, capacity }, { prompts, sources, pads }, places, live, g, reports) {
  const next = await lease(core, { ...capacity, B: live.length }, g);
  try {
    const spans = sources && packSpans(sources);
    await next.search.session.adopt(
      old.session,
      live.map((b) => places[b]),
      spans && Uint32Array.from(live.flatMap((b) => [...spans.subarray(2 * b, 2 * b + 2)]))
    );
    next.search.start(
      live.map((b, at) => {
        const { length, prompt, limit, rows: rows3, finished } = latest(reports, b, g.W);
        const chosen = rows3.map((_, w) => ancestors(reports, b, w, g.W));
        const past = chosen.map((links) => [
          ...prompts[b].slice(0, -1).map(() => 0),
          ...links.map(({ parent }) => parent)
        ]);
        const beams = rows3.map(({ id: id2, score: score2 }, w) => ({ id: id2, score: score2, past: past[w].map((beam) => at * g.W + beam) }));
        const tokens = chosen.map((links) => [...prompts[b], ...links.slice(0, -1).map(({ id: id2 }) => id2)]);
        return { length, prompt, limit, beams, tokens, finished, pads: pads?.[b] ?? [] };
      })
    );
  } catch (error) {
    next.release();
    throw error;
  }
  return next;
}

// src/model/decoding.ts
function countLaunches(encode, step) {
  const [all, inLayers] = [launches(step), launches(step, "decoder.layers")];
  return {
    encoder_layer: encode ? launches(encode, "encoder.layers.0") : 0,
    decoder_layer: launches(step, "decoder.layers.0"),
    outside: all - inLayers,
    step: all
  };
}
var roundUp = (value, to) => Math.ceil(value / to) * to;
var total2 = (sentences) => sentences.reduce((sum, { length }) => sum + length, 0);
function firstStep({ prompts, pads }, { n, W }, g) {
  return prompts.flatMap((ids2, b) => {
    const past = ids2.slice(0, -1).map(() => b * n * W);
    const beams = Array.from({ length: W }, (_, w) => ({ id: ids2[ids2.length - 1], score: w === 0 ? 0 : -1e9, past }));
    const tokens = beams.map(() => ids2.slice(0, -1));
    const limit = ids2.length + g.newTokens;
    return Array.from({ length: n }, () => ({
      length: ids2.length,
      prompt: ids2.length,
      limit,
      tokens,
      beams,
      finished: [],
      pads: pads?.[b] ?? []
    }));
  });
}
async function decode(core, job, g, hooks = {}) {
  hooks.signal?.throwIfAborted();
  const { prompts, sources, known } = job;
  const longest = Math.max(...prompts.map(({ length }) => length));
  const capacity = {
    B: prompts.length,
    n: g.samples * g.groups,
    W: g.W,
    M: roundUp(longest + g.newTokens, 16),
    S: sources ? roundUp(total2(sources), 64) : 1
  };
  let current = await lease(core, capacity, g);
  try {
    const { session, step } = current.search;
    const encodePlan = await session.encode(sources);
    const lengths = prompts.map((ids2, b) => Math.min(known?.lengths[b] ?? 0, ids2.length - 1));
    await known?.past.copyInto(session.cache, capacity, lengths);
    const fresh = prompts.map((ids2, b) => ids2.slice(lengths[b], -1));
    if (fresh.some(({ length }) => length > 0)) await session.prompt(fresh, lengths);
    current.search.start(firstStep(job, capacity, g), g.sampling?.seed);
    const launches2 = countLaunches(encodePlan, step.plan);
    const reports = [];
    let places = Array.from({ length: prompts.length * capacity.n }, (_, b) => b);
    let begun = 0;
    let compactions = 0;
    for (let going = true; going; ) {
      going = await runSteps(core, current.search, job, places, g, reports, hooks, () => begun ||= performance.now());
      if (!going) break;
      const live = places.flatMap((place2, b) => place2 >= 0 && !latest(reports, b, g.W).done ? [b] : []);
      const next = await compacted(core, current, job, places, live, g, reports);
      current.release();
      current = next;
      compactions++;
      places = places.map((_, b) => live.indexOf(b));
    }
    return {
      hypotheses: prompts.map((_, b) => resultsOf(reports, b, g, hooks.kept)),
      steps: reports.length,
      ms: performance.now() - begun,
      launches: launches2,
      compactions
    };
  } finally {
    current.release();
  }
}
function resultsOf(reports, b, g, kept) {
  const n = g.samples * g.groups;
  const sentences = Array.from({ length: n }, (_, i) => b * n + i);
  if (g.beams === 1) {
    return sentences.map((sentence) => {
      const most = kept?.[sentence];
      return most === void 0 ? trace(reports, sentence, 0, g) : cut(reports, sentence, most, g);
    });
  }
  const all = sentences.flatMap(
    (sentence) => latest(reports, sentence, g.W).finished.map((_, rank) => trace(reports, sentence, rank, g))
  );
  return (g.groups > 1 ? all.sort((x, y) => y.score - x.score) : all).slice(0, g.returned);
}
async function runSteps(core, search, job, places, g, reports, { signal, onStep }, ran) {
  const ahead = [];
  const depth = g.logits_processor ? 1 : core.gpu.readAhead;
  const sentences = places.filter((place2) => place2 >= 0).length;
  let compact = false;
  try {
    for (let submitted = reports.length; ; ) {
      while (!compact && ahead.length < depth && submitted < g.newTokens) {
        ahead.push(
          g.logits_processor ? stepOnHost(core, search, job, g, reports) : search.step.run({ read: search.report })
        );
        submitted++;
      }
      const values = await ahead.shift();
      if (!values) {
        if (compact) return true;
        throw new Error("decoding: the last step must close every sentence");
      }
      signal?.throwIfAborted();
      reports.push({ values, places });
      ran();
      const [, , , [open, faults]] = values;
      if (faults)
        throw new InputError(
          `decoding: logits must be finite, step ${reports.length} has others in ${faults} parts; the weights or a kernel overflow`
        );
      if (onStep?.(reports) === false || open === 0) return false;
      compact ||= pays(open, sentences, g.newTokens - reports.length - ahead.length, g);
    }
  } finally {
    for (const late of ahead) late.catch(() => {
    });
  }
}
async function stepOnHost(core, { step, scoring, report }, { prompts }, g, reports) {
  if (!scoring || !g.logits_processor) throw new Error("decoding: a search without scores for the host");
  const { logits, chooses } = scoring;
  const [R, V] = logits.shape;
  const [scores] = await step.run({ steps: [0, chooses], read: [logits] });
  const ids2 = Array.from({ length: R }, (_, r) => {
    const chosen = reports.length ? ancestors(reports, Math.floor(r / g.W), r % g.W, g.W) : [];
    return [...prompts[Math.floor(r * prompts.length / R)], ...chosen.map(({ id: id2 }) => id2)];
  });
  await g.logits_processor(
    ids2,
    Array.from({ length: R }, (_, r) => scores.subarray(r * V, (r + 1) * V))
  );
  core.gpu.write(logits, scores);
  return step.run({ steps: [chooses, step.plan.steps.length], read: report });
}

// src/model/stream.ts
function settledTokens(reports, b, g) {
  const { done, finished } = latest(reports, b, g.W);
  if (done) return trace(reports, b, 0, g).ids;
  const running = Array.from({ length: g.W }, (_, w) => ancestors(reports, b, w, g.W).map(({ id: id2 }) => id2));
  return [...running, ...finished.map((_, rank) => trace(reports, b, rank, g).ids)].reduce(commonPrefix);
}
function commonPrefix(a, b) {
  const end = a.findIndex((id2, t) => b[t] !== id2);
  return end < 0 ? a : a.slice(0, end);
}
function createStreamer(rows3, g, codec) {
  const sent = Array.from({ length: rows3 }, () => ({ tokens: 0, text: 0 }));
  return (reports, kept) => sent.flatMap((state, row) => {
    const ids2 = settledTokens(reports, row, g).slice(0, kept?.[row]);
    if (ids2.length <= state.tokens) return [];
    const token_ids = ids2.slice(state.tokens);
    state.tokens = ids2.length;
    if (!codec) return [{ row, token_ids }];
    const whole2 = codec.decode(ids2);
    const end = whole2.endsWith("\uFFFD") ? whole2.indexOf("\uFFFD", state.text) : whole2.length;
    const text = whole2.slice(state.text, Math.max(state.text, end));
    state.text = Math.max(state.text, end);
    return [{ row, token_ids, text }];
  });
}
function createStopper(rows3, g, codec) {
  const kept = Array(rows3).fill(void 0);
  return {
    kept,
    onStep(reports) {
      kept.forEach((length, row) => {
        if (length !== void 0) return;
        const ids2 = settledTokens(reports, row, g);
        const text = codec.decode(ids2);
        if (latest(reports, row, g.W).done || g.stop_strings.some((stop) => text.includes(stop)))
          kept[row] = ids2.length;
      });
      return kept.some((length) => length === void 0);
    }
  };
}

// src/model/generate.ts
function planTask({ a }, defaults, inputs, options) {
  const read = (name, ids2, mask) => readSequences(name, ids2, mask, a.V, a.P);
  if (inputs?.state) return planContinuation(a.P, a.V, defaults, inputs.state, inputs, options, read);
  const rows3 = read("input_ids", inputs?.input_ids, inputs?.attention_mask);
  const begun = inputs?.decoder_input_ids;
  if (!a.encoder) {
    if (begun !== void 0)
      throw new InputError(
        `generate: decoder_input_ids must be absent, ${a.family} has no encoder; begin input_ids with them`
      );
    const g2 = settle(options, defaults, a.V, a.P, rows3.width, true);
    return { job: { prompts: rows3.ids, pads: rows3.pads }, g: g2, width: rows3.width };
  }
  const prefix2 = begun === void 0 ? void 0 : read("decoder_input_ids", begun);
  if (prefix2 && prefix2.ids.length !== rows3.ids.length) {
    throw new InputError(
      `decoder_input_ids: must have the ${rows3.ids.length} rows of input_ids, got ${prefix2.ids.length}`
    );
  }
  const width = prefix2?.width ?? 1;
  const g = settle(options, defaults, a.V, a.P, width);
  return {
    job: { prompts: prefix2?.ids ?? rows3.ids.map(() => [g.start]), sources: rows3.ids, pads: prefix2?.pads },
    g,
    width
  };
}
function planContinuation(P, V, defaults, state, inputs, options, read) {
  const more = inputs.input_ids === void 0 ? void 0 : read("input_ids", inputs.input_ids, inputs.attention_mask);
  if (more && more.ids.length !== state.ids.length)
    throw new InputError(`input_ids: must have the ${state.ids.length} rows of the state, got ${more.ids.length}`);
  const prompts = state.ids.map((ids2, b) => [...ids2, ...more?.ids[b] ?? []]);
  const empty = prompts.findIndex(({ length }) => length === 0);
  if (empty >= 0)
    throw new InputError(
      `generate: row ${empty} of the state must hold at least one token; append some or give input_ids`
    );
  const width = Math.max(...prompts.map(({ length }) => length));
  const known = { past: state.past, lengths: state.ids.map(({ length }) => length) };
  return { job: { prompts, known }, g: settle(options, defaults, V, P, width, true), width };
}
async function runTask(core, { job, g, width }, codec, signal, emit) {
  if (emit && g.groups > 1)
    throw new OptionError(`stream: num_beam_groups must be 1, got ${g.groups}; groups share no beginning`);
  const rows3 = job.prompts.length * g.samples;
  const stopper = g.stop_strings.length && codec ? createStopper(rows3, g, codec) : void 0;
  const streamer = emit && createStreamer(rows3, g, codec);
  const onStep = (reports) => {
    const going = stopper?.onStep(reports);
    if (streamer) emit(streamer(reports, stopper?.kept));
    return going;
  };
  const { hypotheses, ...stats } = await decode(core, job, g, { signal, onStep, kept: stopper?.kept });
  const results = hypotheses.flatMap(
    (list, b) => list.map((hypothesis) => ({ ...hypothesis, prompt: job.prompts[b] }))
  );
  const length = width + Math.max(...results.map(({ ids: ids2 }) => ids2.length));
  const pads = (count) => Array(count).fill(g.pad);
  return {
    // Prompts end in one column, as Transformers has them.
    sequences: results.map(({ prompt, ids: ids2 }) => [
      ...pads(width - prompt.length),
      ...prompt,
      ...ids2,
      ...pads(length - width - ids2.length)
    ]),
    ...g.beams > 1 && { sequences_scores: results.map(({ score: score2 }) => score2) },
    ...g.output_scores && { token_scores: results.map(({ logProbs }) => [...logProbs]) },
    lengths: results.map(({ ids: ids2 }) => width + ids2.length),
    stats: { ...stats, ...g.sampling && { seed: g.sampling.seed } }
  };
}

// src/model/pool.ts
function createPool(capacity) {
  let idle = [];
  let disposed = false;
  return {
    async take(key, make) {
      const found = idle.findLastIndex((entry) => entry.key === key);
      return found >= 0 ? idle.splice(found, 1)[0].value : make();
    },
    give(key, value) {
      if (disposed) return value.dispose();
      idle.push({ key, value });
      while (idle.length > capacity) idle.shift()?.value.dispose();
    },
    dispose() {
      disposed = true;
      for (const { value } of idle) value.dispose();
      idle = [];
    }
  };
}

// src/model/score.ts
var plain = (ids2) => ({
  ids: ids2,
  offsets: ids2.map(() => 0),
  pads: ids2.map(() => []),
  width: Math.max(...ids2.map(({ length }) => length))
});
async function score(core, defaults, inputs, targets) {
  const { a } = core;
  if (targets.ids.length !== inputs.ids.length)
    throw new InputError(`targets: must have the ${inputs.ids.length} rows of input_ids, got ${targets.ids.length}`);
  const start = defaults.decoder_start_token_id;
  if (a.encoder && typeof start !== "number")
    throw new OptionError("score: decoder_start_token_id must be in generation_config.json, it is not");
  const prompts = a.encoder ? targets.ids.map(() => [start]) : inputs.ids;
  const whole2 = plain(prompts.map((ids2, b) => [...ids2, ...targets.ids[b]].slice(0, -1)));
  const long = whole2.ids.findIndex(({ length }) => length > a.P);
  if (long >= 0)
    throw new InputError(
      `score: a prompt with its targets must have at most ${a.P + 1} tokens, row ${long} has ${whole2.ids[long].length + 1}; shorten it`
    );
  const { logits } = await forward(core, a.encoder && inputs, whole2);
  if (!logits) throw new Error("score: a forward pass without logits");
  return targets.ids.map(
    (ids2, b) => ids2.map((id2, t) => {
      const row = b * whole2.width + prompts[b].length - 1 + t;
      const values = logits.data.subarray(row * a.V, (row + 1) * a.V);
      const top = values.reduce((most, value) => Math.max(most, value), -Infinity);
      return values[id2] - top - Math.log(values.reduce((sum, value) => sum + Math.exp(value - top), 0));
    })
  );
}

// src/model/state.ts
async function createState(core, rows3, max_length, during, origin) {
  const { gpu: gpu2, a } = core;
  if (!Number.isInteger(max_length) || max_length < 1 || max_length > a.P) {
    throw new OptionError(`state: max_length must be a whole number from 1 to ${a.P}, got ${show(max_length)}`);
  }
  const capacity = { B: rows3, n: 1, W: 1, M: max_length, S: 1 };
  const session = createSession(core, capacity);
  const { caches } = session.cache;
  let ids2 = origin?.ids ?? Array.from({ length: rows3 }, () => []);
  await origin?.past.copyInto(
    session.cache,
    capacity,
    ids2.map(({ length }) => length)
  );
  const past = {
    copyInto(target, { n, W, M }, lengths) {
      return gpu2.copy(
        caches.flatMap((from, l) => {
          const width = from.shape[2];
          const to = target.caches[l];
          return lengths.map((length, b) => ({
            from,
            fromAt: b * max_length * width,
            to,
            toAt: b * n * W * M * width,
            count: length * width
          }));
        })
      );
    }
  };
  return {
    get ids() {
      return ids2;
    },
    past,
    append: (more) => during(async () => {
      if (more.length !== rows3)
        throw new InputError(`state: append takes a list for each of its ${rows3} rows, got ${more.length}`);
      const grown = ids2.map((row, b) => [...row, ...more[b]]);
      const long = grown.findIndex(({ length }) => length > max_length);
      if (long >= 0)
        throw new InputError(
          `state: a row holds at most max_length=${max_length} tokens, row ${long} would have ${grown[long].length}; open it with a larger max_length`
        );
      const bad = more.flat().find((id2) => !Number.isInteger(id2) || id2 < 0 || id2 >= a.V);
      if (bad !== void 0)
        throw new InputError(`state: ids must be whole numbers from 0 to ${a.V - 1}, got ${show(bad)}`);
      if (more.some(({ length }) => length > 0))
        await session.prompt(
          more,
          ids2.map(({ length }) => length)
        );
      ids2 = grown;
    }),
    truncate(length) {
      if (!Number.isInteger(length) || length < 0)
        throw new OptionError(`state: truncate takes a whole number of tokens, got ${show(length)}`);
      ids2 = ids2.map((row) => row.slice(0, length));
    },
    fork: () => during(() => createState(core, rows3, max_length, during, { ids: ids2, past })),
    dispose: () => session.dispose()
  };
}

// src/model/stepper.ts
async function createStepper(core, sources, { max_length: M, num_beams: W = 1 }, during) {
  const { gpu: gpu2, a, w } = core;
  if (!Number.isInteger(M) || M < 1 || M > a.P)
    throw new OptionError(`decoder: max_length must be a whole number from 1 to ${a.P}, got ${M}`);
  if (!Number.isInteger(W) || W < 1 || W > MAX_BEAMS)
    throw new OptionError(`decoder: num_beams must be a whole number from 1 to ${MAX_BEAMS}, got ${W}`);
  const B = sources.length;
  const R = B * W;
  const session = createSession(core, { B, n: 1, W, M, S: sources.reduce((sum, { length: length2 }) => sum + length2, 0) });
  const { rows: rows3, indirection, cache, cross } = session;
  const logits = tensor("logits", "f32", [R, a.V]);
  const prepared = await gpu2.prepare(
    record("decoder", (run) => void decoderStep(run, a, w, rows3, cache, indirection, cross, logits))
  );
  await session.encode(sources);
  let table = Array.from({ length: R }, () => []);
  let length = 0;
  return {
    get length() {
      return length;
    },
    step: (ids2, parents) => during(async () => {
      if (length === M)
        throw new InputError(
          `decoder: at most max_length=${M} tokens fit, all are fed; open one with a larger max_length`
        );
      for (const [name, list, size] of [
        ["ids", ids2, a.V],
        ["parents", parents ?? [], W]
      ]) {
        if (list.length !== R && list !== void 0 && !(name === "parents" && !parents))
          throw new InputError(`decoder: ${name} must have ${R} entries, got ${list.length}`);
        const bad = list.find((value) => !Number.isInteger(value) || value < 0 || value >= size);
        if (bad !== void 0)
          throw new InputError(`decoder: ${name} must be whole numbers from 0 to ${size - 1}, got ${bad}`);
      }
      if (length > 0) {
        const origin = (r) => parents ? Math.floor(r / W) * W + parents[r] : r;
        table = table.map((_, r) => [...table[origin(r)], origin(r)]);
      }
      const packed = new Uint32Array(2 * R * M);
      table.forEach((past, r) => packed.set(past, (length % 2 * R + r) * M));
      gpu2.write(indirection, packed);
      gpu2.write(rows3, Uint32Array.from(ids2.flatMap((id2, r) => [id2, length, Math.floor(r / W), 0])));
      length++;
      const [data] = await prepared.run({ read: [logits] });
      return { dims: [R, a.V], data };
    }),
    dispose() {
      prepared.dispose();
      session.dispose();
      gpu2.memory.free([logits]);
    }
  };
}

// src/model/tokenizer.ts
import { Tokenizer } from "@huggingface/tokenizers";
async function openTokenizer(checkpoint) {
  const definition = await checkpoint.json("tokenizer.json");
  if (!definition)
    throw new CheckpointError(
      `${checkpoint.label}: must hold tokenizer.json to take text, found none; give token ids to generate() instead`
    );
  const config = await checkpoint.json("tokenizer_config.json") ?? {};
  let tokenizer;
  try {
    tokenizer = new Tokenizer(definition, config);
  } catch (cause) {
    throw new CheckpointError(
      `${checkpoint.label}/tokenizer.json: must be a tokenizer of Hugging Face, ${cause.message}`,
      { cause }
    );
  }
  const unknown = tokenizer.token_to_id(
    String(config.unk_token ?? definition.model?.unk_token)
  );
  return {
    decode: (ids2) => tokenizer.decode([...ids2], { skip_special_tokens: true }).trim(),
    encode(text, allowUnknown) {
      if (typeof text !== "string") throw new InputError(`text: must be a string, got ${JSON.stringify(text)}`);
      if (!text.trim()) throw new InputError("text: must hold at least one character, got an empty text");
      const { ids: ids2 } = tokenizer.encode(text);
      if (!allowUnknown && unknown !== void 0 && ids2.includes(unknown)) {
        const strange = [...new Set(text)].filter((letter) => tokenizer.encode(letter).ids.includes(unknown));
        const which = strange.map((letter) => JSON.stringify(letter)).join(", ") || "some";
        throw new InputError(
          `text: ${JSON.stringify(text)} must consist of what the model's vocabulary knows, ${which} is not in it; leave it out, or pass allow_unknown: true`
        );
      }
      return ids2;
    }
  };
}

// src/runtime/half.ts
var scratch = new DataView(new ArrayBuffer(4));
function fromBits(bits) {
  scratch.setUint32(0, bits);
  return scratch.getFloat32(0);
}
function fromF16(bits) {
  const sign = bits & 32768 ? -1 : 1;
  const exponent = bits >> 10 & 31;
  const fraction2 = bits & 1023;
  if (exponent === 0) return sign * fraction2 * 2 ** -24;
  if (exponent === 31) return fraction2 ? NaN : sign * Infinity;
  return fromBits((bits & 32768) << 16 | exponent + 112 << 23 | fraction2 << 13);
}
function toF16(value) {
  scratch.setFloat32(0, value);
  const bits = scratch.getUint32(0);
  const sign = bits >>> 16 & 32768;
  const magnitude = bits & 2147483647;
  if (magnitude > 2139095040) return sign | 32256;
  if (magnitude >= 1199566848) return sign | 31744;
  if (magnitude < 947912704) return sign | roundEven(Math.abs(fromBits(magnitude)) * 2 ** 24);
  return sign | magnitude - 939524096 + 4095 + (magnitude >>> 13 & 1) >>> 13;
}
function roundEven(value) {
  const floor = Math.floor(value);
  const rest = value - floor;
  return floor + (rest > 0.5 || rest === 0.5 && floor % 2 === 1 ? 1 : 0);
}
function fromBF16(bits) {
  return fromBits(bits << 16);
}

// src/model/weights.ts
var FLOATS = /* @__PURE__ */ new Set(["F32", "F16", "BF16"]);
async function loadWeights(gpu2, checkpoint, rows3, ignored, format, hooks) {
  const faults = findFaults(checkpoint, rows3, ignored);
  if (faults.length) {
    throw new CheckpointError(
      `${checkpoint.label}: the weights must fit ${checkpoint.config.model_type}, ${faults.length} do not:
  ${faults.join("\n  ")}`
    );
  }
  const byName = /* @__PURE__ */ new Map();
  const byContent = /* @__PURE__ */ new Map();
  const parts = /* @__PURE__ */ new Map();
  try {
    for (const row of rows3) {
      const found = row.theirs.map((name) => checkpoint.entries.get(name));
      const key = row.theirs.join("\n") || row.ours;
      const known = byContent.get(key) ?? tensor(row.ours, storage(row, found, format), row.shape, "weight");
      byName.set(row.ours, known);
      if (byContent.has(key)) continue;
      byContent.set(key, known);
      gpu2.memory.check(known);
      if (row.compute) gpu2.write(known, row.compute());
      found.forEach((entry, part) => parts.set(entry, [...parts.get(entry) ?? [], { target: known, row, part }]));
    }
    const pending = /* @__PURE__ */ new Map();
    await checkpoint.read(
      parts.keys(),
      (entry, bytes) => {
        for (const { target, row, part } of parts.get(entry) ?? []) {
          const whole2 = pending.get(target) ?? { data: new Uint8Array(byteLength(target)), left: row.theirs.length };
          place(whole2.data, convert(entry, bytes, target.dtype), row, part, target.dtype === "f16" ? 2 : 4);
          pending.set(target, whole2);
          if (--whole2.left > 0) continue;
          gpu2.write(target, whole2.data);
          pending.delete(target);
        }
      },
      hooks
    );
  } catch (error) {
    gpu2.memory.free(byContent.values());
    throw error;
  }
  return {
    tensors: new Set(byContent.values()),
    find: (name) => byName.get(name),
    get(name) {
      const found = byName.get(name);
      if (!found) throw new Error(`weights: no row gives ${name}`);
      return found;
    }
  };
}
function findFaults({ entries }, rows3, ignored) {
  const faults = [];
  const used = /* @__PURE__ */ new Set();
  for (const row of rows3) {
    for (const [part, name] of row.theirs.entries()) {
      const size = [partSizes(row)[part], ...row.shape.slice(1)];
      const shape = row.stored ?? (row.transpose ? size.reverse() : size);
      used.add(name);
      const entry = entries.get(name);
      if (!entry) faults.push(`missing: ${name} [${shape}]`);
      else if (entry.shape.join() !== shape.join())
        faults.push(`misshapen: ${name} must be [${shape}], got [${entry.shape}]`);
      else if (!FLOATS.has(entry.dtype)) faults.push(`mistyped: ${name} must be F32, F16 or BF16, got ${entry.dtype}`);
    }
  }
  for (const name of entries.keys()) {
    if (!used.has(name) && !ignored.some((pattern) => pattern.test(name))) faults.push(`extra: ${name}`);
  }
  return [...new Set(faults)];
}
function partSizes({ theirs, shape, parts }) {
  return parts ?? theirs.map(() => shape[0] / theirs.length);
}
function place(whole2, values, row, part, bytes) {
  const sizes = partSizes(row);
  const stride = elements(row) / row.shape[0] * bytes;
  const first = sizes.slice(0, part).reduce((sum, size) => sum + size, 0);
  const rows3 = row.transpose ? transposed(values, stride / bytes, sizes[part], bytes) : values;
  if (!row.interleave) return whole2.set(rows3, first * stride);
  for (let r = 0; r < sizes[part]; r++)
    whole2.set(rows3.subarray(r * stride, (r + 1) * stride), (r * sizes.length + part) * stride);
}
function transposed(values, I, O, bytes) {
  const { buffer } = new Uint8Array(values);
  const [from, to] = bytes === 2 ? [new Uint16Array(buffer), new Uint16Array(I * O)] : [new Uint32Array(buffer), new Uint32Array(I * O)];
  for (let i = 0; i < I; i++) for (let o = 0; o < O; o++) to[o * I + i] = from[i * O + o];
  return new Uint8Array(to.buffer);
}
function storage(row, found, format) {
  if (row.shape.length < 2 || row.compute || row.f32) return "f32";
  if (format !== "auto") return format;
  return found.every(({ dtype }) => dtype === "F16") ? "f16" : "f32";
}
function convert({ dtype }, bytes, to) {
  if (dtype === "F32" && to === "f32" || dtype === "F16" && to === "f16") return bytes;
  const { buffer } = new Uint8Array(bytes);
  const values = dtype === "F32" ? new Float32Array(buffer) : Float32Array.from(new Uint16Array(buffer), dtype === "F16" ? fromF16 : fromBF16);
  return new Uint8Array(to === "f32" ? values.buffer : Uint16Array.from(values, toF16).buffer);
}

// src/model/model.ts
var IDLE_SESSIONS = 4;
async function load(source, options = {}) {
  const { dtype = "auto", progress, signal } = options;
  if (!["auto", "f32", "f16"].includes(dtype))
    throw new OptionError(`load: dtype must be auto, f32 or f16, got ${show(dtype)}`);
  signal?.throwIfAborted();
  const checkpoint = await openCheckpoint(source, { signal });
  const family = familyOf(checkpoint.label, checkpoint.config);
  const a = family.architecture(checkpoint.config);
  const gpu2 = options.gpu ?? await gpu({ device: options.device });
  const release = () => {
    if (!options.gpu) gpu2.dispose();
  };
  try {
    const rows3 = family.rows(a, checkpoint.config);
    const w = await loadWeights(gpu2, checkpoint, rows3, family.ignored(checkpoint.config), dtype, { signal, progress });
    const core = { gpu: gpu2, a, w, pool: createPool(IDLE_SESSIONS) };
    progress?.({ status: "ready", name: checkpoint.label });
    return createModel(core, checkpoint, release);
  } catch (error) {
    release();
    throw error;
  }
}
function createModel(core, checkpoint, release) {
  const { gpu: gpu2, a, w } = core;
  let disposed = false;
  let calls = 0;
  const free = () => {
    core.pool.dispose();
    gpu2.memory.free(w.tensors);
    release();
  };
  const during = async (call) => {
    if (disposed) throw new InputError("model: must not be used after dispose(); load it again");
    calls++;
    try {
      return await call();
    } finally {
      if (--calls === 0 && disposed) free();
    }
  };
  const sequences = (name, ids2, mask) => readSequences(name, ids2, mask, a.V, a.P);
  const given = (inputs) => sequences("input_ids", inputs?.input_ids, inputs?.attention_mask);
  let opening;
  const codec = () => opening ??= openTokenizer(checkpoint);
  const hasTokenizer = async () => await checkpoint.json("tokenizer.json") !== void 0;
  const needsEncoder = (call) => {
    if (!a.encoder)
      throw new InputError(
        `${call}: must be called on a model with an encoder, ${a.family} has none; use forward() or generate()`
      );
  };
  const model = {
    checkpoint,
    architecture: a,
    weights: w,
    gpu: gpu2,
    encode: (inputs) => during(async () => {
      needsEncoder("encode");
      const { encoded } = await forward(core, given(inputs), void 0);
      return { last_hidden_state: encoded };
    }),
    forward: (inputs) => during(async () => {
      const rows3 = given(inputs);
      checkPositions(inputs.position_ids, rows3);
      if (!a.encoder) {
        if (inputs.decoder_input_ids !== void 0)
          throw new InputError(
            `forward: decoder_input_ids must be absent, ${a.family} has no encoder; give input_ids`
          );
        return { logits: (await forward(core, void 0, rows3)).logits };
      }
      if (inputs.decoder_input_ids === void 0)
        throw new InputError("forward: decoder_input_ids must be given for an encoder-decoder");
      const { encoded, logits } = await forward(core, rows3, sequences("decoder_input_ids", inputs.decoder_input_ids));
      return { logits, encoder_last_hidden_state: encoded };
    }),
    decoder: (inputs, options) => during(async () => {
      needsEncoder("decoder");
      return createStepper(core, given(inputs).ids, options, during);
    }),
    generate: (inputs, { signal, ...options } = {}) => during(async () => {
      const task = planTask(core, checkpoint.generationConfig, inputs, options);
      return runTask(core, task, task.g.stop_strings.length ? await codec() : void 0, signal);
    }),
    async *stream(inputs, { signal, ...options } = {}) {
      const left = new AbortController();
      const task = planTask(core, checkpoint.generationConfig, inputs, options);
      const text = await hasTokenizer() ? await codec() : void 0;
      const events = [];
      let wake = () => {
      };
      let ended = false;
      const aborted = signal ? AbortSignal.any([signal, left.signal]) : left.signal;
      const running = during(
        () => runTask(core, task, text, aborted, (more) => {
          events.push(...more);
          wake();
        })
      ).finally(() => {
        ended = true;
        wake();
      });
      running.catch(() => {
      });
      try {
        while (!ended || events.length) {
          if (events.length) yield events.shift();
          else await new Promise((resolve) => wake = resolve);
        }
        return await running;
      } finally {
        left.abort();
      }
    },
    score: (inputs, targets) => during(() => score(core, checkpoint.generationConfig, given(inputs), sequences("targets", targets))),
    state: (inputs, { max_length = Math.min(a.P, 2048) } = {}) => during(async () => {
      if (a.encoder)
        throw new InputError(
          `state: must be called on a decoder-only model, ${a.family} has an encoder; use decoder()`
        );
      const { ids: ids2 } = given(inputs);
      const state = await createState(core, ids2.length, max_length, during);
      await state.append(ids2).catch((error) => {
        state.dispose();
        throw error;
      });
      return state;
    }),
    memory: () => gpu2.use(),
    dispose() {
      if (disposed) return;
      disposed = true;
      if (calls === 0) free();
    },
    async [Symbol.asyncDispose]() {
      model.dispose();
    }
  };
  return model;
}
function checkPositions(positions, { ids: ids2, offsets }) {
  if (positions === void 0) return;
  ids2.forEach((row, b) => {
    const bad = row.findIndex((_, t) => Number(positions[b]?.[offsets[b] + t]) !== t);
    if (bad >= 0)
      throw new InputError(
        `position_ids: must count a row's own tokens from 0, row ${b} has ${positions[b]?.[offsets[b] + bad]} for token ${bad}; leave them out`
      );
  });
}

// ../../tmp/t/whole.ts
import { readFileSync } from "node:fs";
var g2p = await load("models/g2p-en");
var cases = JSON.parse(readFileSync("models/g2p-en/golden.json", "utf8")).cases;
var one = cases.find((c) => c.name === "one-word-beam-4");
var many = cases.find((c) => c.name === "beam-4-64");
var med = (a) => a.sort((x, y) => x - y)[a.length >> 1];
for (const depth of [1, 2, 3, 4, 2, 3, 4]) {
  Object.defineProperty(g2p.gpu, "readAhead", { value: depth, configurable: true });
  for (const [name, c, k] of [["1x4", one, 25], ["64x4", many, 3]]) {
    await g2p.generate(c.inputs, { num_beams: 4 });
    const t = [], l = [];
    for (let i = 0; i < k; i++) {
      const t0 = performance.now();
      const { stats } = await g2p.generate(c.inputs, { num_beams: 4 });
      t.push((performance.now() - t0) / stats.steps);
      l.push(stats.ms / (stats.steps - 1));
    }
    console.log("depth", depth, name, "whole", med(t).toFixed(2), "loop", med(l).toFixed(2));
  }
}
g2p.dispose();
