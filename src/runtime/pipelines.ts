import { DeviceError } from "./errors.js";
import type { Dims, Kernel, Variant } from "./kernel.js";
import type { Choice } from "./variants.js";
import { joinShader, readShader, type ShaderText, specialise } from "./wgsl.js";

const COMPUTE = 4; // GPUShaderStage.COMPUTE

/** The compiled shaders of one device. */
export interface Pipelines {
  /** What the text of a launch declares; parsed once. */
  shader(kernel: Kernel, choice: Choice): ShaderText;
  /** The pipeline of a launch. Each specialised text is compiled once. Throws DeviceError with the shader's line. */
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

/** Compiles shaders on one device, each specialised text once. */
export function createPipelines(device: GPUDevice): Pipelines {
  const layouts = new Map<string, GPUBindGroupLayout>();
  const pipelines = new Map<string, Promise<GPUComputePipeline>>();
  const shaders = new Map<string, ShaderText>();

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

  const compile = async (kernel: Kernel, shader: ShaderText, code: string): Promise<GPUComputePipeline> => {
    device.pushErrorScope("validation"); // an error in the text is reported below, once, and leaves the device usable
    const module = device.createShaderModule({ label: kernel.name, code });
    void device.popErrorScope();
    try {
      return await device.createComputePipelineAsync({
        label: kernel.name,
        layout: device.createPipelineLayout({ bindGroupLayouts: [layout(shader)] }),
        compute: { module, entryPoint: "main" },
      });
    } catch (cause) {
      throw await compileError(kernel.name, module, code, cause);
    }
  };

  return {
    shader,
    layout,
    get(kernel, choice) {
      const { variant, dims } = choice;
      const read = shader(kernel, choice);
      const names = Object.keys(read.constants).filter((name) => dims[name] !== undefined);
      const values = Object.fromEntries(names.map((name) => [name, dims[name]]));
      const code = specialise(kernel.name, textOf(variant, dims), values);
      const known = pipelines.get(code) ?? compile(kernel, read, code);
      pipelines.set(code, known);
      return known;
    },
  };
}

async function compileError(name: string, module: GPUShaderModule, code: string, cause: unknown): Promise<DeviceError> {
  const { messages } = await module.getCompilationInfo();
  const first = messages.find(({ type }) => type === "error");
  if (!first)
    return new DeviceError(`${name}.wgsl: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  const line = code.split("\n")[first.lineNum - 1] ?? "";
  const pointer = `${" ".repeat(Math.max(0, first.linePos - 1))}^`;
  return new DeviceError(
    `${name}.wgsl:${first.lineNum}:${first.linePos}: ${first.message.trim()}\n  ${line}\n  ${pointer}`,
    { cause },
  );
}
