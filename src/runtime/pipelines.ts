import { DeviceError } from "./errors.js";
import type { Kernel, Variant } from "./kernel.js";
import type { Choice } from "./variants.js";
import { readShader, type ShaderText, specialise } from "./wgsl.js";

const COMPUTE = 4; // GPUShaderStage.COMPUTE

/** The compiled shaders of one device. */
export interface Pipelines {
  /** What the text of a variant declares; parsed once. */
  shader(kernel: Kernel, variant: Variant): ShaderText;
  /** The pipeline of a launch. Each specialised text is compiled once. Throws DeviceError with the shader's line. */
  get(kernel: Kernel, choice: Choice): Promise<GPUComputePipeline>;
  /** The bind group layout that all shaders with the same kinds of bindings share. */
  layout(shader: ShaderText): GPUBindGroupLayout;
}

/** What the text of a variant declares. Throws Error when its bindings are not the arguments of the kernel. */
export function shaderOf(kernel: Kernel, { wgsl }: Variant): ShaderText {
  const shader = readShader(kernel.name, wgsl);
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
  const shaders = new Map<Variant, ShaderText>();

  const shader = (kernel: Kernel, variant: Variant): ShaderText => {
    const read = shaders.get(variant) ?? shaderOf(kernel, variant);
    shaders.set(variant, read);
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
    get(kernel, { variant, dims }) {
      const text = shader(kernel, variant);
      const names = Object.keys(text.constants).filter((name) => dims[name] !== undefined);
      const code = specialise(kernel.name, variant.wgsl, Object.fromEntries(names.map((name) => [name, dims[name]])));
      const known = pipelines.get(code) ?? compile(kernel, text, code);
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
