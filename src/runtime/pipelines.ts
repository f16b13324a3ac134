import type { DeviceClass } from "./device_class.js";
import { DeviceError } from "./errors.js";
import type { Compiling } from "./gpu.js";
import type { Dims, Kernel, Variant } from "./kernel.js";
import type { Choice } from "./variants.js";
import { scoped } from "./scopes.js";
import { joinShader, readShader, type ShaderText, specialise, withSubgroupSize } from "./wgsl.js";

const COMPUTE = 4; // GPUShaderStage.COMPUTE

/** The compiled shaders of one device. */
export interface Pipelines {
  /** What the text of a launch declares; parsed once. */
  shader(kernel: Kernel, choice: Choice): ShaderText;
  /**
   * The pipeline of a launch. Each specialised text is compiled once, and again after it failed. Throws DeviceError with
   * the kernel, the variant and the shader's line.
   */
  get(kernel: Kernel, choice: Choice): Promise<GPUComputePipeline>;
  /** The bind group layout that all shaders with the same kinds of bindings share. */
  layout(shader: ShaderText): GPUBindGroupLayout;
}

/** The text of a variant for a launch of these sizes. */
export const textOf = ({ wgsl, parts }: Variant, dims: Dims): string =>
  joinShader(wgsl, ...(parts ? [parts(dims)] : []));

/** What such a text declares. Throws Error when its bindings are not the arguments of the kernel. */
export function shaderOf(kernel: Kernel, text: string): ShaderText {
  const shader = readShader(kernel.name, text);
  const declared = [
    ...Object.keys(kernel.reads).map((name) => `read ${name}`),
    ...Object.keys(kernel.writes).map((name) => `write ${name}`),
  ];
  const found = shader.bindings.map(({ access, name }) => `${access} ${name}`);
  if (declared.join() !== found.join()) {
    throw new Error(`${kernel.name}.wgsl: bindings must be [${declared.join(", ")}], got [${found.join(", ")}]`);
  }
  return shader;
}

/** The text that is compiled for a launch on such a device: with the values of its constants. */
export function codeOf(
  { name }: Kernel,
  { variant, dims }: Choice,
  { constants }: ShaderText,
  { subgroupSize, features }: DeviceClass,
): string {
  const names = Object.keys(constants).filter((key) => dims[key] !== undefined);
  const text = specialise(name, textOf(variant, dims), Object.fromEntries(names.map((key) => [key, dims[key]])));
  const size = dims.SUBGROUP_SIZE ?? subgroupSize;
  return size && features.has("subgroup-size-control") ? withSubgroupSize(text, size) : text;
}

/** Compiles shaders on one device, each specialised text once; `tell` hears when one begins and ends. */
export function createPipelines(device: GPUDevice, kind: DeviceClass, tell: (event: Compiling) => void): Pipelines {
  const layouts = new Map<string, GPUBindGroupLayout>();
  const pipelines = new Map<string, Promise<GPUComputePipeline>>();
  const shaders = new Map<string, ShaderText>();
  let [done, total] = [0, 0];

  const shader = (kernel: Kernel, { variant, dims }: Choice): ShaderText => {
    const text = textOf(variant, dims);
    const read = shaders.get(text) ?? shaderOf(kernel, text);
    shaders.set(text, read);
    return read;
  };

  const layout = (shader: ShaderText): GPUBindGroupLayout => {
    const key = shader.bindings.map(({ access }) => access).join();
    const known = layouts.get(key);
    if (known) return known;
    const entries: GPUBindGroupLayoutEntry[] = [{ binding: 0, visibility: COMPUTE, buffer: { type: "uniform" } }];
    shader.bindings.forEach(({ access }, index) => {
      entries.push({
        binding: index + 1,
        visibility: COMPUTE,
        buffer: { type: access === "read" ? "read-only-storage" : "storage" },
      });
    });
    const made = device.createBindGroupLayout({ label: key, entries });
    layouts.set(key, made);
    return made;
  };

  const compile = async (kernel: Kernel, { name }: Variant, text: ShaderText, code: string) => {
    const { value } = scoped(device, `${kernel.name}.wgsl: variant ${name}`, () => {
      const module = device.createShaderModule({ label: kernel.name, code });
      const made = device.createComputePipelineAsync({
        label: kernel.name,
        layout: device.createPipelineLayout({ bindGroupLayouts: [layout(text)] }),
        compute: { module, entryPoint: "main" },
      });
      return { module, made };
    }); // an error in the text is in its scope and in the rejection, which tells it once
    try {
      return await value.made;
    } catch (cause) {
      throw await compileError(kernel.name, name, value.module, code, cause);
    }
  };

  return {
    shader,
    layout,
    get(kernel, choice) {
      const read = shader(kernel, choice);
      const code = codeOf(kernel, choice, read, kind);
      const known = pipelines.get(code);
      if (known) return known;
      tell({ done, total: ++total });
      const made = compile(kernel, choice.variant, read, code).finally(() => tell({ done: ++done, total }));
      pipelines.set(code, made);
      made.catch(() => pipelines.delete(code));
      return made;
    },
  };
}

async function compileError(
  kernel: string,
  variant: string,
  module: GPUShaderModule,
  code: string,
  cause: unknown,
): Promise<DeviceError> {
  const { messages } = await module.getCompilationInfo().catch(() => ({ messages: [] }));
  const first = messages.find(({ type }) => type === "error");
  if (!first)
    return new DeviceError(
      `${kernel}.wgsl: variant ${variant} must compile: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  const line = code.split("\n")[first.lineNum - 1] ?? "";
  const pointer = `${" ".repeat(Math.max(0, first.linePos - 1))}^`;
  return new DeviceError(
    `${kernel}.wgsl:${first.lineNum}:${first.linePos}: variant ${variant}: ${first.message.trim()}\n  ${line}\n  ${pointer}`,
    { cause },
  );
}
