import { builtinModule, isNode } from "./builtin.js";
import { DeviceError } from "./errors.js";
import { hostObject } from "./host.js";
import type { PowerPreference } from "./platform.js";
import { deviceError } from "./scopes.js";

/** What is known of the adapter behind a device. */
export interface AdapterInfo {
  /** Who makes the GPU, such as `amd`, `apple` or `intel`, and its generation; empty where the runtime does not say. */
  readonly vendor: string;
  readonly architecture: string;
  /** The adapter's name, or the best that can be said: never empty. */
  readonly description: string;
  /** The adapter runs on CPU cores (lavapipe, SwiftShader, WARP): kernels have variants for them. */
  readonly software: boolean;
  /** Invocations of a subgroup; 0 where the number varies or is unknown. */
  readonly subgroup: number;
  /** The least number of invocations of a subgroup; 0 where it is unknown. */
  readonly subgroupMinSize: number;
  /** The products of matrices that it has units for; none where the runtime does not say. */
  readonly matrices: readonly MatrixShape[];
}

/** A product of matrices that a subgroup computes at once, summed in f32: [rows, inputs] by [inputs, outputs]. */
export interface MatrixShape {
  /** Of the numbers that are multiplied. */
  readonly element: "f16" | "f32";
  readonly rows: number;
  readonly outputs: number;
  readonly inputs: number;
}

/** Which device to open. */
export interface DeviceOptions {
  /** A device of the caller's own; `dispose()` does not destroy it. */
  readonly device?: GPUDevice;
  /** Which adapter to prefer, where there are several. Default: "high-performance". */
  readonly powerPreference?: PowerPreference;
  /** Optional features to ask for where the adapter has them. Default: "timestamp-query", "subgroups",
   * "subgroup-size-control", "shader-f16" and "chromium-experimental-subgroup-matrix". */
  readonly features?: readonly string[];
}

/** An open device and its adapter. */
export interface OpenDevice {
  readonly device: GPUDevice;
  readonly info: AdapterInfo;
  /** Whether it was opened here; false for a device of the caller's. */
  readonly owned: boolean;
}

const FEATURES = [
  "timestamp-query",
  "subgroups",
  "subgroup-size-control",
  "shader-f16",
  "chromium-experimental-subgroup-matrix",
];
const SOFTWARE = /llvmpipe|lavapipe|swiftshader|software|basic render|\bcpu\b/i;

/**
 * Finds WebGPU in the browser, in Deno, or in Node through the `webgpu` package, and opens a device with the adapter's
 * own limits on buffer sizes, and with timestamps and subgroups where the adapter has them. Throws DeviceError when
 * there is no WebGPU or no adapter, or the adapter gives no device.
 */
export async function openDevice(options: DeviceOptions): Promise<OpenDevice> {
  const { device: given, powerPreference = "high-performance", features = FEATURES } = options;
  if (given) return { device: given, info: describeAdapter(given.adapterInfo), owned: false };
  const webgpu = await findWebGPU();
  try {
    const adapter = await webgpu.requestAdapter({ powerPreference });
    if (!adapter)
      throw new DeviceError(
        "gpu: a WebGPU adapter must be present, found none; install a GPU driver or the software adapter lavapipe (Mesa 23 or newer)",
      );
    const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
    const device = await adapter.requestDevice({
      requiredFeatures: [...adapter.features].filter((feature) => features.includes(feature)) as GPUFeatureName[],
      requiredLimits: { maxBufferSize, maxStorageBufferBindingSize },
    });
    return { device, info: describeAdapter(adapter.info), owned: true };
  } catch (cause) {
    throw deviceError("opening a device", cause);
  }
}

// Node's counterpart of `navigator.gpu`, one for the process. Dawn polls it even after its last device was collected, so
// it is never freed: or else the process dies.
let nodeGpu: GPU | undefined;

async function findWebGPU(): Promise<GPU> {
  const present = hostObject("navigator")?.gpu;
  if (present) return present;
  if (!isNode()) {
    throw new DeviceError(
      hostObject("isSecureContext") === false
        ? `gpu: browsers have WebGPU in a secure context only, and ${globalThis.location.origin} is none; serve the page from https or localhost`
        : "gpu: WebGPU must be available, there is none here (navigator.gpu); use Chrome 113, Edge 113, Safari 26, Firefox 141 or newer",
    );
  }
  return (nodeGpu ??= await createNodeGpu());
}

async function createNodeGpu(): Promise<GPU> {
  const env = builtinModule("node:process")?.env ?? {};
  env.XDG_RUNTIME_DIR ??= "/tmp"; // Mesa's drivers need it, and a bare container has none
  try {
    const name = ["webgpu"].join(""); // bundlers would put a constant in, and then look for the optional package
    const { create } = (await import(/* webpackIgnore: true */ /* @vite-ignore */ name)) as {
      create(flags: string[]): GPU;
    };
    return create([
      "disable-dawn-features=timestamp_quantization", // or else timestamps come in steps of 65.5 us
      "enable-dawn-features=allow_unsafe_apis", // or else it offers no matrix units: what is experimental counts as unsafe
    ]);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new DeviceError(
      code === "ERR_MODULE_NOT_FOUND"
        ? "gpu: in Node the package `webgpu` must be beside wgformer, it was left out as optional; run `npm install webgpu` where wgformer is (with -g if that is global), or `npx -p wgformer -p webgpu wgformer`"
        : `gpu: the package \`webgpu\` must load on this system, it does not: ${message}`,
      { cause },
    );
  }
}

/** What is known of an adapter, from what WebGPU says of it. */
export function describeAdapter(info: GPUAdapterInfo | undefined): AdapterInfo {
  const { vendor = "", architecture = "", device = "", description = "" } = info ?? {};
  const named = [description, device].filter(Boolean).join(", ");
  const text = named || [vendor, architecture].filter(Boolean).join(" ") || "unknown adapter"; // browsers hide names
  const { subgroupMinSize: least = 0, subgroupMaxSize: most = 1, isFallbackAdapter } = info ?? {};
  // The architecture of a GPU whose driver names Mesa is "software" as well.
  const told = vendor === "mesa" && isFallbackAdapter === false ? named : text;
  return {
    vendor: /apple|honeykrisp/i.test(text) ? "apple" : vendor, // Mesa's drivers may name Mesa
    architecture,
    description: text,
    software: isFallbackAdapter === true || SOFTWARE.test(told),
    subgroup: least === most ? least : 0,
    subgroupMinSize: least,
    matrices: matricesOf(info as MatrixInfo),
  };
}

/** What Chrome's experimental feature adds to GPUAdapterInfo. */
interface MatrixInfo {
  readonly subgroupMatrixConfigs?: Iterable<SubgroupMatrixConfig>;
}

interface SubgroupMatrixConfig {
  readonly componentType: string;
  readonly resultComponentType: string;
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

const matricesOf = (info: MatrixInfo = {}): MatrixShape[] =>
  [...(info.subgroupMatrixConfigs ?? [])].flatMap(({ componentType: element, resultComponentType, M, N, K }) =>
    resultComponentType === "f32" && (element === "f16" || element === "f32")
      ? [{ element, rows: M, outputs: N, inputs: K }]
      : [],
  );
