import {
  DeviceError,
  gpu as openGpu,
  type Gpu,
  type GpuOptions,
  load,
  type Model,
  record,
  tensor,
} from "../src/index.js";
import { layernormResidual } from "../src/kernels/index.js";
import type { ProgressEvent } from "../src/model/checkpoint/progress.js";
import type { Fallback } from "../src/runtime/compile.js";
import { openDevice } from "../src/runtime/device.js";
import type { Variant } from "../src/runtime/kernel.js";
import type { Plan } from "../src/runtime/plan.js";
import type { Tensor } from "../src/runtime/tensor.js";
import { assert, folder, refuses, suite } from "./support/harness.js";

const test = suite("devices");

async function withDevice(body: (device: GPUDevice) => Promise<void>): Promise<void> {
  const { device } = await openDevice({});
  try {
    await body(device);
  } finally {
    device.destroy();
  }
}

async function withGpu(options: GpuOptions, body: (gpu: Gpu) => Promise<void>): Promise<void> {
  const gpu = await openGpu({ tuned: false, ...options });
  try {
    await body(gpu);
  } finally {
    gpu.dispose();
  }
}

const open = (device: GPUDevice): Promise<Model> => load(folder("tests/fixtures/gpt2"), { device });

async function tokens(model: Model): Promise<number[][]> {
  return (await model.generate({ input_ids: [[5, 9, 33]] }, { max_new_tokens: 5 })).sequences;
}

/** A validation error on a device, of which nobody asks to be told. */
const offend = (device: GPUDevice): unknown => device.createBuffer({ size: 16, usage: 0 });

// --- whose error it is ---

test("an error of the caller's own code on its device does not harm the model", () =>
  withDevice(async (device) => {
    const told: string[] = [];
    device.addEventListener("uncapturederror", (event) => {
      event.preventDefault();
      told.push(event.error.message);
    });
    const model = await open(device);
    const want = await tokens(model);
    offend(device);
    const during = tokens(model);
    offend(device);
    assert.equal([await during, await tokens(model)], [want, want]);
    model.dispose();
    assert.ok(told.length > 0, "the error reached the caller's own listener");
  }));

test("error scopes of the application neither swallow our errors nor get them", () =>
  withDevice(async (device) => {
    const gpu = await openGpu({ device, tuned: false });
    device.pushErrorScope("validation");
    device.pushErrorScope("out-of-memory");
    const create = device.createBindGroup.bind(device);
    device.createBindGroup = (descriptor) => create({ ...descriptor, entries: [] });
    await refuses(() => gpu.prepare(norms([layernormResidual]).plan), DeviceError, /preparing norms: validation error/);
    device.createBindGroup = create;
    const { plan, out } = norms([layernormResidual]);
    assert.is((await (await gpu.prepare(plan)).run({ read: [out] }))[0].length, 16);
    assert.equal([await device.popErrorScope(), await device.popErrorScope()], [null, null]);
    gpu.dispose();
  }));

test("a scope is closed though the call in it throws: later errors are not swallowed", () =>
  withDevice(async (device) => {
    const model = await open(device);
    const want = await tokens(model);
    const create = device.createShaderModule.bind(device);
    device.createShaderModule = () => {
      throw new Error("no memory");
    };
    await refuses(() => model.forward({ input_ids: [[1, 2]] }), DeviceError, /no memory/);
    device.createShaderModule = create;
    assert.equal(await tokens(model), want);
    assert.ok((await model.forward({ input_ids: [[1, 2]] })).logits);
    model.dispose();
    await refuses(async () => device.popErrorScope(), Error, /./); // there is none
  }));

test("a tensor that there is no memory for is told by the run that needs it, and by settle()", () =>
  withGpu({}, async (gpu) => {
    const create = gpu.device.createBuffer.bind(gpu.device);
    gpu.device.createBuffer = (descriptor) => create({ ...descriptor, size: 2 ** 40 });
    const { plan, inputs } = norms([layernormResidual]);
    gpu.write(inputs[0], new Float32Array(16));
    gpu.device.createBuffer = create;
    await refuses(() => gpu.settle(), DeviceError, /^gpu: writing x f32\[2,8\]: /);
    await gpu.settle();
    await refuses(() => gpu.prepare(plan), DeviceError, /^gpu: x f32\[2,8\] was not written: /);
    const held = gpu.use().total;
    await refuses(() => gpu.prepare(plan), DeviceError, /was not written/);
    assert.is(gpu.use().total, held);
  }));

// --- variants that do not compile ---

/** Layer norms one after the other in these kernels. */
function norms(kernels: readonly (typeof layernormResidual)[]): { plan: Plan; out: Tensor; inputs: Tensor[] } {
  const [x, out] = [tensor("x", "f32", [2, 8]), tensor("out", "f32", [2, 8])];
  const [gamma, beta] = [tensor("gamma", "f32", [8], "weight"), tensor("beta", "f32", [8], "weight")];
  const plan = record("norms", (run) => {
    kernels.reduce((stream, kernel, index) => {
      const last = index === kernels.length - 1 && { out };
      return run(kernel, `norm.${index}`, { x: stream, gamma, beta, ...last }, { eps: 1e-5 }).out;
    }, x);
  });
  return { plan, out, inputs: [x, gamma, beta] };
}

const direct = layernormResidual.variants[layernormResidual.variants.length - 1];
const broken = (name: string): Variant => ({
  ...direct,
  name,
  wgsl: direct.wgsl.replace("@compute", "fn wrong() -> u32 { return widht; }\n@compute"),
});
const withVariants = (...variants: Variant[]): typeof layernormResidual => ({ ...layernormResidual, variants });

test("a variant that the compiler refuses gives way to the next one, remembered and told once", async () => {
  const told: Fallback[] = [];
  const onFallback = (event: Fallback): void => {
    told.push(event);
    throw new Error("a listener's own");
  };
  await withGpu({ onFallback }, async (gpu) => {
    const [kernel, sound] = [withVariants(broken("first"), broken("second"), direct), withVariants(direct)];
    const results: unknown[] = [];
    let compiled = 0;
    const create = gpu.device.createShaderModule.bind(gpu.device);
    gpu.device.createShaderModule = (descriptor) => {
      compiled++;
      return create(descriptor);
    };
    const counts: number[] = [];
    for (const one of [sound, kernel, kernel]) {
      const { plan, out, inputs } = norms([one, one]);
      for (const t of inputs)
        gpu.write(
          t,
          Float32Array.from({ length: t.shape[0] * (t.shape[1] ?? 1) }, (_, i) => Math.sin(i)),
        );
      const prepared = await gpu.prepare(plan);
      results.push((await prepared.run({ read: [out] }))[0]);
      counts.push(compiled);
    }
    assert.equal([results[1], results[2]], [results[0], results[0]]);
    assert.equal(counts, [1, 3, 3], "the refused ones are tried once");
    assert.equal(
      told.map(({ kernel, from, to }) => [kernel, from, to]),
      [
        ["layernorm_residual", "first", "direct"],
        ["layernorm_residual", "second", "direct"],
      ],
    );
    assert.ok(told.every(({ message }) => message.includes("widht")));
    assert.equal(gpu.fallbacks, told);
    const { dims } = norms([sound]).plan.launches[0];
    assert.is(gpu.choose(kernel, dims).variant.name, "direct");
  });
});

test("where no variant compiles, the error names kernel, variant and line, and the next time it is tried again", () =>
  withGpu({}, async (gpu) => {
    const kernel = withVariants(broken("first"), broken("second"));
    const { plan } = norms([kernel]);
    const refused = /^layernorm_residual\.wgsl:\d+:\d+: variant second: .*widht/;
    await refuses(() => gpu.prepare(plan), DeviceError, refused);
    assert.equal(gpu.fallbacks, []);
    const create = gpu.device.createShaderModule.bind(gpu.device);
    gpu.device.createShaderModule = (descriptor) =>
      create({ ...descriptor, code: descriptor.code.replace("widht", "1u") });
    const prepared = await gpu.prepare(plan);
    prepared.dispose();
  }));

test("a pipeline that once failed is compiled again", () =>
  withGpu({}, async (gpu) => {
    const { plan, out } = norms([withVariants(direct)]);
    const create = gpu.device.createComputePipelineAsync.bind(gpu.device);
    gpu.device.createComputePipelineAsync = () => Promise.reject(new Error("this time not"));
    await refuses(() => gpu.prepare(plan), DeviceError, /variant \S+ must compile: this time not$/);
    gpu.device.createComputePipelineAsync = create;
    assert.is((await (await gpu.prepare(plan)).run({ read: [out] }))[0].length, 16);
  }));

// --- limits and memory ---

for (const alignment of [32, 64, 128]) {
  test(`a device whose uniforms may begin at every ${alignment} bytes runs models`, () =>
    withDevice(async (device) => {
      const plain = await load(folder("tests/fixtures/gpt2"));
      const want = await tokens(plain);
      plain.dispose();
      const limits = new Proxy(device.limits, {
        get: (target, name) =>
          name === "minUniformBufferOffsetAlignment" ? alignment : (Reflect.get(target, name, target) as number),
      });
      const create = device.createBindGroup.bind(device);
      device.createBindGroup = (descriptor) => {
        const [{ resource }] = [...descriptor.entries];
        const { offset = 0, size = 0 } = resource as GPUBufferBinding;
        assert.ok(offset % alignment === 0 && size >= 48, "room for the largest struct Params");
        return create(descriptor);
      };
      Object.defineProperty(device, "limits", { value: limits });
      const model = await open(device);
      assert.equal(await tokens(model), want);
      model.dispose();
    }));
}

test("a large read leaves little behind for later reads", () =>
  withGpu({}, async (gpu) => {
    const large = tensor("large", "f32", [6 * 2 ** 20]);
    const small = tensor("small", "f32", [4]);
    gpu.write(small, Float32Array.of(1, 2, 3, 4));
    const [values] = await gpu.read(large);
    assert.is(values.length, 6 * 2 ** 20);
    await Promise.all(Array.from({ length: 50 }, () => gpu.read(small)));
    assert.ok(gpu.use().staging <= 16 * 2 ** 20, `${gpu.use().staging} bytes`);
    assert.equal([...(await gpu.read(small))[0]], [1, 2, 3, 4]);
  }));

test("a read that fails gives its memory back", () =>
  withDevice(async (device) => {
    const gpu = await openGpu({ device, tuned: false });
    const small = tensor("small", "f32", [4]);
    gpu.write(small, Float32Array.of(1, 2, 3, 4));
    const create = device.createBuffer.bind(device);
    device.createBuffer = (descriptor) => {
      const made = create(descriptor);
      made.mapAsync = () => Promise.reject(new Error("cannot be mapped"));
      return made;
    };
    await refuses(() => gpu.read(small), DeviceError, /^gpu: running failed: cannot be mapped$/);
    device.createBuffer = create;
    assert.is(gpu.use().staging, 0);
    assert.equal([...(await gpu.read(small))[0]], [1, 2, 3, 4]);
    gpu.dispose();
  }));

test("a run that there is no memory to read says so, and the next one is right", () =>
  withDevice(async (device) => {
    const model = await open(device);
    const want = await tokens(model);
    const create = device.createBuffer.bind(device);
    const small = want.map((row) => row.slice(0, 2));
    device.createBuffer = (made) => create(made.label === "staging" ? { ...made, size: 2 ** 40 } : made);
    await refuses(() => model.forward({ input_ids: small }), DeviceError, /^gpu: running: \S+ error: .*size/i);
    device.createBuffer = create;
    assert.equal(await tokens(model), want);
    model.dispose();
  }));

// --- loading ---

for (const status of ["initiate", "progress", "done", "ready"]) {
  test(`a progress callback that throws at "${status}" leaves nothing on the device`, () =>
    withGpu({}, async (gpu) => {
      const progress = (event: { readonly status: string }): void => {
        if (event.status === status) throw new Error("the caller's own");
      };
      const source = folder("tests/fixtures/gpt2");
      await refuses(() => load(source, { gpu, progress }), Error, /^the caller's own$/);
      assert.is(gpu.use().weight, 0);
    }));
}

test("abort at the last event of a load gives no model, and leaves nothing on the device", () =>
  withGpu({}, async (gpu) => {
    const left = new AbortController();
    const progress = ({ status }: { readonly status: string }): void => {
      if (status === "ready") left.abort(new Error("enough"));
    };
    const { signal } = left;
    await refuses(() => load(folder("tests/fixtures/gpt2"), { gpu, progress, signal }), Error, /^enough$/);
    assert.is(gpu.use().weight, 0);
  }));

test("progress tells of the kernels that the first call compiles, and of none at the second", () =>
  withGpu({}, async (gpu) => {
    const told: (readonly [done: number, total: number])[] = [];
    const progress = ({ status, loaded = NaN, total = NaN }: ProgressEvent): void => {
      if (status === "compile") told.push([loaded, total]);
    };
    const model = await load(folder("tests/fixtures/gpt2"), { gpu, progress });
    await tokens(model);
    const kernels = told.length / 2; // each when it begins and when it is done
    assert.ok(kernels > 1, `${kernels} kernels`);
    assert.equal(told.at(-1), [kernels, kernels]);
    assert.ok(told.every(([done, total], i) => done + total === i + 1 && done <= total));
    await tokens(model);
    assert.is(told.length, 2 * kernels);
    model.dispose();
  }));

test("the adapter with the most power is asked for, unless the caller prefers another", async () => {
  const { navigator } = globalThis as { navigator?: { gpu?: GPU } };
  if (!navigator?.gpu) return "navigator.gpu is not there";
  const asked: unknown[] = [];
  const request = navigator.gpu.requestAdapter.bind(navigator.gpu);
  navigator.gpu.requestAdapter = (options) => {
    asked.push(options?.powerPreference);
    return request(options);
  };
  try {
    (await openGpu({ tuned: false })).dispose();
    (await load(folder("tests/fixtures/bert"), { powerPreference: "low-power" })).dispose();
  } finally {
    delete (navigator.gpu as Partial<GPU>).requestAdapter;
  }
  assert.equal(asked, ["high-performance", "low-power"]);
  return undefined;
});
