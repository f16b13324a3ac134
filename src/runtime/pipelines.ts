import { DeviceError } from "./errors.js";
import type { Choice } from "./variants.js";
import type { Form, Kernel } from "./kernel.js";
import { readShader, type ShaderText, specialise } from "./wgsl.js";

const COMPUTE = 4; // GPUShaderStage.COMPUTE

export interface Pipelines {
  /** The pipeline of a launch; compiled once per specialised text. */
  get(kernel: Kernel, choice: Choice): Promise<GPUComputePipeline>;
  /** The bind group layout that every variant of this shader shares. */
  layout(shader: ShaderText): GPUBindGroupLayout;
}

/** What the host says about a shader, beside what its text says. */
export function shaderOf(kernel: Kernel, form: Form): ShaderText {
  const shader = readShader(kernel.name, form.wgsl);
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

/** Constants of the shader and the values that the sizes give them. */
export function constantsOf(kernel: Kernel, { form, dims }: Choice): Record<string, number> {
  const names = Object.keys(shaderOf(kernel, form).constants);
  return Object.fromEntries(names.filter((name) => dims[name] !== undefined).map((name) => [name, dims[name]]));
}

export function createPipelines(device: GPUDevice): Pipelines {
  const layouts = new Map<string, GPUBindGroupLayout>();
  const pipelines = new Map<string, Promise<GPUComputePipeline>>();

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
    device.pushErrorScope("validation"); // a fault of the text is told below, once, and leaves the device usable
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
    layout,
    get(kernel, choice) {
      const code = specialise(kernel.name, choice.form.wgsl, constantsOf(kernel, choice));
      let pipeline = pipelines.get(code);
      if (!pipeline) pipelines.set(code, (pipeline = compile(kernel, shaderOf(kernel, choice.form), code)));
      return pipeline;
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
