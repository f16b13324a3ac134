import { layernormResidual } from "../src/kernels/index.js";
import { assignArenas } from "../src/runtime/arena.js";
import { openDevice } from "../src/runtime/device.js";
import { DeviceError, ShapeError } from "../src/runtime/errors.js";
import { type Gpu, gpu as openGpu, type GpuOptions } from "../src/runtime/gpu.js";
import {
  defineKernel,
  type Dims,
  evaluate,
  type Kernel,
  outputShape,
  parsePattern,
  type Patterns,
  solve,
} from "../src/runtime/kernel.js";
import { countLaunches, type Plan, printPlan, record } from "../src/runtime/plan.js";
import { profile } from "../src/runtime/profile.js";
import { byteLength, type DType, elements, owner, prefix, type Tensor, tensor } from "../src/runtime/tensor.js";
import { agreements, verify } from "../src/runtime/verify.js";
import { packParams, readShader, specialise } from "../src/runtime/wgsl.js";
import { assert, device, randoms, refuses, suite } from "./support/harness.js";

const t = (name: string, shape: readonly number[], dtype: DType = "f32"): Tensor => tensor(name, dtype, shape);

/** A kernel that is never launched. */
const sketch = (
  reads: Patterns,
  writes: Patterns,
  params: readonly string[] = [],
  check?: (d: Dims) => string | undefined,
): Kernel =>
  defineKernel({
    name: "sketch",
    reads,
    writes,
    params,
    constants: [],
    variants: [{ name: "direct", wgsl: "", groups: () => 1 }],
    bytes: () => 0,
    flops: () => 0,
    reference() {},
    ...(check && { check }),
  }) as Kernel;

// --- shapes ---

const solving = suite("solve");
const layernorm = layernormResidual as unknown as Kernel;

solving("letters take the sizes of the arguments", () => {
  const { N, D } = solve(sketch({ x: "f32[N,D]" }, {}), { x: t("x", [2, 3]) }, {});
  assert.equal([N, D], [2, 3]);
});
solving("a letter may be given as a value", () =>
  assert.is(outputShape(sketch({}, { y: "f32[N]" }), "y", solve(sketch({}, { y: "f32[N]" }), {}, { N: 7 }))[0], 7),
);
solving("sums of products are checked once the letters are known", () =>
  assert.is(solve(sketch({ qkv: "f32[R,H*E+2*K*E]" }, {}), { qkv: t("qkv", [1, 64]) }, { H: 4, K: 2, E: 8 }).R, 1),
);
solving("a number in a pattern must be met", () =>
  refuses(
    () => solve(sketch({ rows: "u32[N,4]" }, {}), { rows: t("rows", [2, 3], "u32") }, {}),
    ShapeError,
    /^sketch: rows must be u32\[N,4\] with N=2, got rows u32\[2,3\]$/,
  ),
);
solving("an argument before the one that gives its letters is checked as well", () =>
  refuses(
    () => solve(sketch({ a: "f32[H*E]", b: "f32[H,E]" }, {}), { a: t("a", [5]), b: t("b", [2, 3]) }, {}),
    ShapeError,
    /^sketch: a must be f32\[H\*E\] with H=2, E=3, got a f32\[5\]$/,
  ),
);
solving("an optional argument sets its constant to 1", () =>
  assert.is(solve(sketch({ b: "f32[O]?" }, {}), { b: t("b", [1]) }, {}).HAS_B, 1),
);
solving("an absent optional argument sets its constant to 0", () =>
  assert.is(solve(sketch({ b: "f32[O]?" }, {}), {}, {}).HAS_B, 0),
);
solving("one of several formats sets its constant to its place", () =>
  assert.is(solve(sketch({ w: "f32|f16[O,I]" }, {}), { w: t("w", [1, 2], "f16") }, {}).W_FORMAT, 1),
);
solving("a written argument that is supplied is checked", () =>
  refuses(
    () => solve(sketch({ x: "f32[N]" }, { y: "f32[N]" }), { x: t("x", [2]), y: t("y", [3]) }, {}),
    ShapeError,
    /^sketch: y must be f32\[N\] with N=2, got y f32\[3\]$/,
  ),
);
solving("a mismatch names kernel, argument, pattern, what is known and what was given", () =>
  refuses(
    () => solve(layernorm, { x: t("x", [1, 768]), gamma: t("h.4.ln_1.weight", [512]), beta: t("b", [768]) }, {}),
    ShapeError,
    /^layernorm_residual: gamma must be f32\[D\] with D=768, got h\.4\.ln_1\.weight f32\[512\]$/,
  ),
);
solving("another dtype is refused", () =>
  refuses(
    () => solve(sketch({ x: "f32[N]" }, {}), { x: t("x", [2], "u32") }, {}),
    ShapeError,
    /^sketch: x must be f32\[N\], got x u32\[2\]$/,
  ),
);
solving("another number of axes is refused", () =>
  refuses(
    () => solve(sketch({ x: "f32[N]" }, {}), { x: t("x", [2, 1]) }, {}),
    ShapeError,
    /^sketch: x must be f32\[N\], got x f32\[2,1\]$/,
  ),
);
solving("a missing argument is refused", () =>
  refuses(() => solve(sketch({ x: "f32[N]" }, {}), {}, {}), ShapeError, /^sketch: x must be f32\[N\], got nothing$/),
);
solving("an unknown argument is refused", () =>
  refuses(() => solve(sketch({}, {}), { z: t("z", [1]) }, {}), ShapeError, /^sketch: has no argument z$/),
);
solving("a kernel's own check is heard", () =>
  refuses(
    () =>
      solve(
        sketch({}, {}, [], () => "D must be even"),
        {},
        {},
      ),
    ShapeError,
    /^sketch: D must be even$/,
  ),
);
solving("an output whose letters nothing gives is refused", () =>
  refuses(
    () => outputShape(sketch({}, { y: "f32[N*2]" }), "y", {}),
    ShapeError,
    /^sketch: the arguments do not give N\*2 of y f32\[N\*2\]$/,
  ),
);
solving("an expression with an unknown letter has no value", () =>
  assert.is(evaluate("H*E+2*K", { H: 1, E: 2 }), undefined),
);
solving("an expression is a sum of products", () => assert.is(evaluate("H*E+2*K*E", { H: 4, E: 8, K: 2 }), 64));
solving("a pattern that is none is refused", () =>
  refuses(() => parsePattern("f32(N)"), Error, /^pattern must look like f32\[N,D\], got f32\(N\)$/),
);

const tensors = suite("tensor");
tensors("a view belongs to the owner of the tensor it views", () =>
  assert.is(owner(prefix(prefix(t("x", [8]), [4]), [2])).shape[0], 8),
);
tensors("a view larger than its tensor is refused", () =>
  refuses(() => prefix(t("x", [4]), [5]), RangeError, /^prefix: a view of x f32\[4\] must not be larger, got \[5\]$/),
);
tensors("halves take whole words", () => assert.is(byteLength(t("x", [3], "f16")), 8));

// --- shader text ---

const shaders = suite("shader text");
const SHADER = `struct Params { N: u32, shift: i32, eps: f32 } // three
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
const TILE: u32 = 4;
const HAS_BIAS: u32 = 0u;`;

shaders("parameters, bindings and constants are read", () =>
  assert.equal(readShader("k", SHADER), {
    params: [
      { name: "N", type: "u32" },
      { name: "shift", type: "i32" },
      { name: "eps", type: "f32" },
    ],
    bindings: [
      { name: "x", access: "read" },
      { name: "y", access: "write" },
    ],
    constants: { TILE: 4, HAS_BIAS: 0 },
  }),
);
shaders("a shader without Params is refused", () =>
  refuses(() => readShader("k", ""), Error, /^k\.wgsl: must declare `struct Params`$/),
);
shaders("a parameter that is no scalar is refused", () =>
  refuses(
    () => readShader("k", SHADER.replace("N: u32", "N: vec4u")),
    Error,
    /^k\.wgsl: Params\.N must be a scalar, got vec4u$/,
  ),
);
shaders("bindings out of order are refused", () =>
  refuses(
    () => readShader("k", SHADER.replace("@binding(2)", "@binding(3)")),
    Error,
    /^k\.wgsl: binding of y must be 2, got 3$/,
  ),
);
shaders("only the value of a constant is replaced", () =>
  assert.is(specialise("k", SHADER, { TILE: 8 }), SHADER.replace("TILE: u32 = 4;", "TILE: u32 = 8;")),
);
shaders("a constant that the file does not declare is refused", () =>
  refuses(() => specialise("k", SHADER, { TILE: 8, TILES: 1 }), Error, /^k\.wgsl: has no constant TILES$/),
);
shaders("parameters are packed by type, padded to 16 bytes", () => {
  const view = new DataView(packParams("k", readShader("k", SHADER).params, { N: 7, shift: -2, eps: 0.5 }));
  assert.equal(
    [view.byteLength, view.getUint32(0, true), view.getInt32(4, true), view.getFloat32(8, true)],
    [16, 7, -2, 0.5],
  );
});
for (const [name, value] of [
  ["missing", undefined],
  ["NaN", NaN],
  ["infinite", Infinity],
] as const) {
  shaders(`a parameter that is ${name} is refused`, () =>
    refuses(
      () => packParams("k", readShader("k", SHADER).params, { N: 1, shift: 0, eps: value as number }),
      Error,
      /^k: Params\.eps must be a finite number, got /,
    ),
  );
}

// --- recording ---

const recording = suite("record");
const copy = sketch({ x: "f32[N]", status: "u32[2]?" }, { y: "f32[N]", also: "f32[N]?" }, ["scale"]) as Kernel<
  { x: "f32[N]"; status: "u32[2]?" },
  { y: "f32[N]"; also: "f32[N]?" },
  "scale"
>;
const chain = (shared?: Readonly<Record<string, Tensor>>): Plan =>
  record(
    "chain",
    (run) => {
      let x = t("x", [4]);
      for (const label of ["encoder.0", "encoder.1", "encoder_norm", "head"])
        x = run(copy, label, { x }, { scale: 1 }).y;
    },
    shared,
  );

recording("a written argument that is not supplied becomes an activation named by its launch", () =>
  assert.equal(chain().launches[1].tensors.y, tensor("encoder.1.y", "f32", [4], "activation")),
);
recording("an optional output that is not supplied is not written", () =>
  assert.is(chain().launches[0].tensors.also, undefined),
);
recording("a written argument that is supplied is returned", () => {
  const y = t("mine", [4]);
  record("one", (run) => assert.is(run(copy, "one", { x: t("x", [4]), y }, { scale: 1 }).y, y));
});
recording("a stray parameter is refused", () =>
  refuses(
    () => record("one", (run) => run(copy, "one", { x: t("x", [4]) }, { scale: 1, bias: 2 })),
    ShapeError,
    /^sketch: has no parameter bias$/,
  ),
);
recording("an unknown argument is refused", () =>
  refuses(
    () => record("one", (run) => run(copy, "one", { x: t("x", [4]), w: t("w", [4]) } as never, { scale: 1 })),
    ShapeError,
    /^sketch: has no argument w$/,
  ),
);
recording("a shared argument goes to every launch that has it", () => {
  const status = t("status", [2], "u32");
  assert.is(
    chain({ status }).launches.every(({ tensors: { status: given } }) => given === status),
    true,
  );
});
recording("a shared argument that no launch has is left out", () =>
  assert.is("other" in chain({ other: t("other", [1]) }).launches[0].tensors, false),
);
recording("launches are counted by whole parts of their labels", () =>
  assert.equal(
    ["", "encoder", "encoder.1", "encoder_norm", "none"].map((prefix) => countLaunches(chain(), prefix)),
    [4, 2, 1, 1, 0],
  ),
);
recording("a printed plan has a line a launch", () => assert.is(printPlan(chain()).split("\n").length, 5));

// --- arenas ---

const arenas = suite("arenas");
const ALIGNMENT = 256;

/** What is wrong with the places of a plan's activations, if anything: told from the plan alone. */
function fault(plan: Plan): string | undefined {
  const { places, sizes } = assignArenas(plan, ALIGNMENT);
  const lives = new Map<Tensor, { first: number; last: number }>();
  for (const [index, { kernel, tensors: given }] of plan.launches.entries()) {
    const sides = [kernel.reads, kernel.writes].map((patterns) =>
      Object.keys(patterns)
        .map((key) => given[key])
        .filter((a): a is Tensor => a?.role === "activation")
        .map(owner),
    );
    for (const a of sides.flat()) lives.set(a, { first: lives.get(a)?.first ?? index, last: index });
    const [read, written] = sides.map((side) => side.map((a) => places.get(a)?.arena));
    if (read.some((arena) => written.includes(arena))) return `step ${index} reads and writes arena ${read}`;
  }
  const placed = [...lives].map(([a, life]) => ({ a, ...life, ...places.get(a), bytes: byteLength(a) }));
  for (const [index, one] of placed.entries()) {
    if (one.arena === undefined || one.offset === undefined) return `${one.a.name} has no place`;
    const end = one.offset + one.bytes;
    if (one.offset % ALIGNMENT || end > sizes[one.arena]) return `${one.a.name} does not lie in its arena`;
    for (const other of placed.slice(0, index)) {
      if (other.arena !== one.arena || other.offset === undefined) continue;
      if (one.last < other.first || other.last < one.first) continue;
      const over = one.offset < other.offset + other.bytes && other.offset < end;
      if (over) return `${one.a.name} lies over ${other.a.name}`;
    }
  }
  return undefined;
}

const mixing = sketch({ a: "f32[A]", b: "f32[B]?" }, { y: "f32[Y]", z: "f32[Z]?" }, ["Y"]) as Kernel<
  { a: "f32[A]"; b: "f32[B]?" },
  { y: "f32[Y]"; z: "f32[Z]?" },
  "Y"
>;

/** Launches that read and write activations at random: new ones, earlier ones in place, views of them. */
function randomPlan(seed: number): Plan {
  const random = randoms(seed);
  const below = (count: number): number => Math.min(count - 1, Math.floor(((random() + 1) / 2) * count));
  return record(`plan ${seed}`, (run) => {
    const made: Tensor[] = [t("input", [100])];
    for (let step = 0; step < 30; step++) {
      const pick = (): Tensor => {
        const found = made[Math.max(0, made.length - 1 - below(6))];
        return below(4) ? found : prefix(found, [Math.ceil(elements(found) / 2)]);
      };
      const [a, b] = [pick(), below(2) ? pick() : undefined];
      const old = made.slice(1).filter((candidate) => candidate !== owner(a) && candidate !== (b && owner(b)));
      const z = old.length && !below(3) ? old[below(old.length)] : undefined;
      made.push(run(mixing, `step ${step}`, { a, b, z }, { Y: 1 + below(400) }).y);
    }
  });
}

arenas("in a chain two tensors take turns", () => assert.equal(assignArenas(chain(), ALIGNMENT).sizes, [256, 256]));
arenas("bytes are used again once the last reader has run", () => {
  const { places } = assignArenas(chain(), ALIGNMENT);
  const [first, , third] = chain().launches.map((_, index) => [...places.values()][index]);
  assert.equal([first.arena, first.offset], [third.arena, third.offset]);
});
arenas("weights and states have no place in an arena", () => assert.is(assignArenas(chain()).places.size, 4));
arenas("in random plans no two live activations overlap and no launch reads and writes one arena", () => {
  const faults = Array.from({ length: 300 }, (_, seed) => fault(randomPlan(seed))).filter((text) => text !== undefined);
  assert.equal(faults, []);
});
arenas("an activation written in place does not lie in the arena of what its writer reads", () => {
  const plan = record("in place", (run) => {
    const first = run(mixing, "first", { a: t("input", [8]) }, { Y: 8 }).y;
    const second = run(mixing, "second", { a: first }, { Y: 8 }).y;
    const third = run(mixing, "third", { a: second }, { Y: 8 }).y;
    run(mixing, "fourth", { a: third, z: first }, { Y: 8 });
  });
  assert.is(fault(plan), undefined);
});

// --- on a device ---

const running = suite("gpu");

/** Layer norms one after the other, from state `x` to state `out`, with their weights written. */
function norms(gpu: Gpu, N: number, D: number, kernels: readonly (typeof layernormResidual)[]) {
  const random = randoms(3);
  const [x, out] = [t("x", [N, D]), t("out", [N, D])];
  const [gamma, beta] = [tensor("gamma", "f32", [D], "weight"), tensor("beta", "f32", [D], "weight")];
  const given = [x, gamma, beta];
  for (const filled of given) gpu.write(filled, Float32Array.from({ length: elements(filled) }, random));
  const plan = record("norms", (run) => {
    kernels.reduce(
      (stream, kernel, index) =>
        run(
          kernel,
          `norm.${index}`,
          {
            x: stream,
            gamma,
            beta,
            ...(index === kernels.length - 1 && { out }),
          },
          { eps: 1e-5 },
        ).out,
      x,
    );
  });
  return { plan, out, x, free: () => gpu.memory.free([...given, out]) };
}

/** The kernel with a shader that is changed: as it is written in Node, as it is published elsewhere. */
const mutant = (from: RegExp, to: string): typeof layernormResidual => {
  const direct = layernormResidual.variants[layernormResidual.variants.length - 1];
  const wgsl = direct.wgsl.replace(from, to);
  assert.is.not(wgsl, direct.wgsl, "the mutation must change the shader");
  return { ...layernormResidual, variants: [{ ...direct, wgsl }] };
};
const WRONG = "fn twice(width: u32) -> u32 { return 2u * widht; }";
const broken = mutant(/\s*$/, `\n${WRONG}\n`);

/** The error that `body` fails with. */
async function failure(body: () => Promise<unknown>): Promise<Error> {
  try {
    await body();
  } catch (error) {
    return error as Error;
  }
  throw new Error("must fail");
}

async function withGpu(body: (gpu: Gpu) => unknown, options: GpuOptions = {}): Promise<void> {
  const gpu = await openGpu(options);
  try {
    await body(gpu);
  } finally {
    gpu.dispose();
  }
}

running("a shader that does not compile gives DeviceError with file, line and column", () =>
  withGpu(async (gpu) => {
    const line = broken.variants[0].wgsl.split("\n").findIndex((text) => text.includes("widht")) + 1;
    await refuses(
      () => gpu.prepare(norms(gpu, 2, 8, [broken]).plan),
      DeviceError,
      new RegExp(`^layernorm_residual\\.wgsl:${line}:${WRONG.indexOf("widht") + 1}: .*widht`),
    );
  }),
);
running("a shader that does not compile has its line shown with ^ under the fault", () =>
  withGpu(async (gpu) => {
    const { message } = await failure(() => gpu.prepare(norms(gpu, 2, 8, [broken]).plan));
    assert.equal(message.split("\n").slice(-2), [`  ${WRONG}`, `  ${" ".repeat(WRONG.indexOf("widht"))}^`]);
  }),
);
running("a shader that does not compile leaves the device usable", () =>
  withGpu(async (gpu) => {
    await failure(() => gpu.prepare(norms(gpu, 2, 8, [broken]).plan));
    const { plan, out } = norms(gpu, 2, 8, [layernormResidual]);
    assert.is((await (await gpu.prepare(plan)).run({ read: [out] }))[0].length, 16);
  }),
);
running("progress counts the compiled pipelines", async () => {
  const gpu = await device();
  const { plan, free } = norms(gpu, 2, 8, [layernormResidual, layernormResidual]);
  const seen: number[][] = [];
  (await gpu.prepare(plan, (done, total) => seen.push([done, total]))).dispose();
  free();
  assert.equal(seen, [
    [1, 2],
    [2, 2],
  ]);
});

running("an activation is updated in place while another is read", async () => {
  const gpu = await device();
  const { plan, out, x, free } = norms(gpu, 3, 8, [layernormResidual]);
  const { gamma, beta } = plan.launches[0].tensors as { gamma: Tensor; beta: Tensor };
  const inPlace = record("in place", (run) => {
    const norm = (label: string, stream: Tensor, target?: Tensor): Tensor =>
      run(layernormResidual, label, { x: stream, gamma, beta, ...(target && { out: target }) }, { eps: 1e-5 }).out;
    const first = norm("first", x);
    const third = norm("third", norm("second", first));
    norm("fourth", third, first);
    norm("fifth", first, out);
  });
  const found = await verify(gpu, inPlace);
  free();
  assert.is(found, undefined);
});

running("a device of the caller's runs plans", async () => {
  const opened = await openDevice({});
  const gpu = await openGpu({ device: opened.device });
  const { plan } = norms(gpu, 2, 8, [layernormResidual]);
  const found = await verify(gpu, plan);
  gpu.dispose();
  opened.device.destroy();
  assert.equal([found, Boolean(opened.info.description)], [undefined, true]);
});
running("a device of the caller's is not destroyed by dispose", async () => {
  const opened = await openDevice({});
  (await openGpu({ device: opened.device })).dispose();
  const again = await openGpu({ device: opened.device });
  again.write(t("x", [2]), Float32Array.of(1, 2));
  const lost = await Promise.race([opened.device.lost.then(() => "lost"), again.read(t("x", [2])).then(() => "alive")]);
  again.dispose();
  opened.device.destroy();
  assert.is(lost, "alive");
});
running("dispose gives back every byte on a device of the caller's", async () => {
  const opened = await openDevice({});
  const gpu = await openGpu({ device: opened.device });
  const { plan, out } = norms(gpu, 2, 8, [layernormResidual]);
  await (await gpu.prepare(plan)).run({ read: [out] });
  gpu.dispose();
  const { total } = gpu.use();
  opened.device.destroy();
  assert.is(total, 0);
});

running("memory returns to its former value once plans are disposed and tensors freed", async () => {
  const gpu = await device();
  const counted = () => ({ ...gpu.use(), staging: 0, total: 0 }); // staging is kept for the next read
  const before = counted();
  const { plan, out, free } = norms(gpu, 9, 64, [layernormResidual, layernormResidual]);
  const prepared = await gpu.prepare(plan);
  await prepared.run({ read: [out] });
  prepared.dispose();
  free();
  assert.equal(counted(), before);
});
running("memory counts weights, states, activations and uniforms apart", () =>
  withGpu(async (gpu) => {
    const { plan } = norms(gpu, 9, 64, [layernormResidual, layernormResidual]);
    await gpu.prepare(plan);
    const { weight, state, activation, uniforms } = gpu.use();
    const stride = gpu.device.limits.minUniformBufferOffsetAlignment;
    assert.equal([weight, state, activation, uniforms], [2 * 256, 2 * 9 * 256, 9 * 256, 2 * stride]);
  }),
);
running("the parts of memory make its total", () =>
  withGpu(async (gpu) => {
    const { plan, out } = norms(gpu, 9, 64, [layernormResidual]);
    await (await gpu.prepare(plan)).run({ read: [out] });
    const { total, ...parts } = gpu.use();
    assert.is(
      Object.values(parts).reduce((sum, bytes) => sum + bytes, 0),
      total,
    );
  }),
);

running("a tensor that no binding can hold is refused, naming its size and the cure", async () => {
  const gpu = await device();
  const limit = gpu.device.limits.maxStorageBufferBindingSize;
  const N = Math.floor(limit / 16) + 1;
  const plan = record("huge", (run) =>
    run(layernormResidual, "norm", { x: t("x", [N, 4]), gamma: t("gamma", [4]), beta: t("beta", [4]) }, { eps: 1 }),
  );
  await refuses(
    () => gpu.prepare(plan),
    DeviceError,
    new RegExp(`^gpu: x f32\\[${N},4\\] must fit one binding of ${limit} bytes, needs ${16 * N}; use fewer rows`),
  );
});
running("a tensor that no binding can hold is refused before anything is allocated", async () => {
  const gpu = await device();
  const before = gpu.use().total;
  const N = Math.floor(gpu.device.limits.maxStorageBufferBindingSize / 16) + 1;
  const plan = record("huge", (run) =>
    run(layernormResidual, "norm", { x: t("x", [N, 4]), gamma: t("gamma", [4]), beta: t("beta", [4]) }, { eps: 1 }),
  );
  await failure(() => gpu.prepare(plan));
  assert.is(gpu.use().total, before);
});
running("activations that together no buffer can hold are refused before anything is allocated", async () => {
  const gpu = await device();
  const { maxBufferSize, maxStorageBufferBindingSize } = gpu.device.limits;
  const before = gpu.use().total;
  const N = Math.floor(Math.min(maxBufferSize, maxStorageBufferBindingSize) / 32) + 8; // two of them fit no buffer
  const count = Math.ceil(maxBufferSize / (16 * N)) + 1;
  const plan = record("together", (run) => {
    const [gamma, beta] = [t("gamma", [4]), t("beta", [4])];
    const norm = (label: string, x: Tensor, residual?: Tensor): Tensor =>
      run(layernormResidual, label, { x, residual, gamma, beta }, { eps: 1 }).out;
    const x = t("x", [N, 4]);
    const live = [
      norm("small", t("y", [1, 4])),
      ...Array.from({ length: count }, (_, index) => norm(`norm.${index}`, x)),
    ];
    norm("small again", live[0]);
    live.slice(1).reduce((sum, next, index) => norm(`sum.${index}`, sum, next));
  });
  const error = await failure(() => gpu.prepare(plan));
  assert.equal([error instanceof DeviceError, gpu.use().total - before], [true, 0], error.message);
});

const UNUSABLE = /^gpu: must not be used after dispose\(\); open it again$/;
running("a run after dispose throws DeviceError", () =>
  withGpu(async (gpu) => {
    const { plan, out } = norms(gpu, 2, 8, [layernormResidual]);
    const prepared = await gpu.prepare(plan);
    gpu.dispose();
    await refuses(() => prepared.run({ read: [out] }), DeviceError, UNUSABLE);
  }),
);
running("a plan prepared after dispose throws DeviceError", () =>
  withGpu(async (gpu) => {
    const { plan } = norms(gpu, 2, 8, [layernormResidual]);
    gpu.dispose();
    await refuses(() => gpu.prepare(plan), DeviceError, UNUSABLE);
  }),
);
running("a write after dispose throws DeviceError", () =>
  withGpu(async (gpu) => {
    gpu.dispose();
    await refuses(() => gpu.write(t("x", [1]), Float32Array.of(1)), DeviceError, UNUSABLE);
  }),
);
running("a read after dispose throws DeviceError", () =>
  withGpu(async (gpu) => {
    gpu.dispose();
    await refuses(() => gpu.read(t("x", [1])), DeviceError, UNUSABLE);
  }),
);
running("a read after dispose allocates nothing", () =>
  withGpu(async (gpu) => {
    gpu.dispose();
    await failure(() => gpu.read(t("x", [1])));
    assert.is(gpu.use().total, 0);
  }),
);
running("a run in flight when the device is disposed rejects with DeviceError", () =>
  withGpu(async (gpu) => {
    const { plan, out } = norms(gpu, 64, 64, [layernormResidual]);
    const late = (await gpu.prepare(plan)).run({ read: [out] });
    gpu.dispose();
    await refuses(() => late, DeviceError, UNUSABLE);
  }),
);
running("a plan that was disposed throws DeviceError and harms no other", () =>
  withGpu(async (gpu) => {
    const { plan, out } = norms(gpu, 2, 8, [layernormResidual]);
    const [gone, kept] = [await gpu.prepare(plan), await gpu.prepare(plan)];
    gone.dispose();
    await refuses(() => gone.run(), DeviceError, /^norms: must not be run after dispose\(\)/);
    await kept.run({ read: [out] });
  }),
);
running("dispose may be called twice", () => withGpu((gpu) => gpu.dispose()));
running("a write larger than its tensor is refused", async () => {
  const gpu = await device();
  await refuses(
    () => gpu.write(t("x", [1]), Float32Array.of(1, 2)),
    RangeError,
    /^gpu: 8 bytes do not fit x f32\[1\]$/,
  );
});

for (const [clock, options] of Object.entries({ timestamps: {}, "the host's clock": { features: [] } }))
  running(`every launch has a positive time in its profile, by ${clock}`, () =>
    withGpu(async (gpu) => {
      const { plan } = norms(gpu, 4096, 64, [layernormResidual, layernormResidual]);
      const prepared = await gpu.prepare(plan);
      const timings = await profile(gpu, prepared);
      assert.equal(
        timings.map(({ label, ms }) => [label, ms > 0 && ms < 1000]),
        [
          ["norm.0", true],
          ["norm.1", true],
        ],
      );
      prepared.dispose();
    }, options),
  );

running("verify finds nothing in a sound plan", async () => {
  const gpu = await device();
  const { plan, free } = norms(gpu, 5, 12, [layernormResidual, layernormResidual, layernormResidual]);
  const found = await verify(gpu, plan);
  free();
  assert.is(found, undefined);
});
running("verify names the first broken launch", async () => {
  const gpu = await device();
  const wrong = mutant(/gamma\[d\]/, "gamma[0]");
  const { plan, free } = norms(gpu, 5, 12, [layernormResidual, wrong, wrong, layernormResidual]);
  const found = await verify(gpu, plan);
  free();
  assert.equal(
    [found?.launch, found?.kernel, found?.label, found?.tensor],
    [1, "layernorm_residual", "norm.1", "norm.1.out"],
  );
});
running("agreements go on after a broken launch, each on what the device computed before", async () => {
  const gpu = await device();
  const wrong = mutant(/gamma\[d\]/, "gamma[0]");
  const { plan, free } = norms(gpu, 5, 12, [layernormResidual, wrong, layernormResidual]);
  const found: [string, boolean][] = [];
  for await (const { label, error } of agreements(gpu, plan)) found.push([label, error < 1e-4]);
  free();
  assert.equal(found, [
    ["norm.0", true],
    ["norm.1", false],
    ["norm.2", true],
  ]);
});
running("verify tells NaN from a number", async () => {
  const gpu = await device();
  const { plan, free } = norms(gpu, 5, 12, [
    mutant(/(out\[\w+ ?\+ ?d\] ?= ?)\(/, "$1sqrt(-1.0 - abs(params.eps)) * ("),
  ]);
  const found = await verify(gpu, plan);
  free();
  assert.is(found?.launch, 0);
});
