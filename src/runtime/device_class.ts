import type { AdapterInfo, MatrixShape } from "./device.js";
import type { GpuOptions } from "./gpu.js";
import type { Variant } from "./kernel.js";

/**
 * What an adapter computes on: CPU cores (lavapipe, SwiftShader, WARP) or a GPU. Different variants are fast on each.
 */
export type AdapterClass = "cpu" | "gpu";

/** The properties of a device by which variants are chosen. */
export interface DeviceClass {
  /** What it computes on. */
  readonly adapter: AdapterClass;
  /** The WebGPU features that it has. */
  readonly features: ReadonlySet<string>;
  /** Who makes the GPU, such as `amd`, `apple`, `intel`, `nvidia` or `qualcomm`; empty where nobody says. */
  readonly vendor: string;
  /** Invocations of a subgroup; 0 where the number varies, or the device has no subgroups. */
  readonly subgroup: number;
  /** The least number of invocations of a subgroup; 0 where it is unknown. */
  readonly subgroupMinSize: number;
  /** The products of matrices that its shaders may use. */
  readonly matrices: readonly MatrixShape[];
  /** The subgroup size that every shader asks for; each compiler's own choice where absent. */
  readonly subgroupSize?: number;
  /**
   * Whether loops with a known bound are unrolled (the constant UNROLL of shaders): not where a compiler for CPU cores
   * takes seconds for that.
   */
  readonly unroll: boolean;
  /** Variants that its compiler refused. */
  readonly refused?: ReadonlySet<Variant>;
}

/** The class of a device, as its adapter is and as `gpu()` was asked. */
export function deviceClass(
  { vendor, software, subgroup, subgroupMinSize, matrices }: AdapterInfo,
  names: Iterable<string>,
  options: Pick<GpuOptions, "adapter" | "unroll">,
  refused: ReadonlySet<Variant>,
): DeviceClass {
  const features = new Set(names);
  // Intel's compiler takes twice as many invocations a subgroup as registers are for, and spills.
  const subgroupSize =
    vendor === "intel" && features.has("subgroup-size-control") && subgroupMinSize ? subgroupMinSize : undefined;
  return {
    adapter: options.adapter ?? (software ? "cpu" : "gpu"),
    features,
    vendor,
    subgroup: features.has("subgroups") ? (subgroupSize ?? subgroup) : 0,
    subgroupMinSize,
    matrices: features.has("chromium-experimental-subgroup-matrix")
      ? matrices.filter(({ element }) => element === "f32" || features.has("shader-f16"))
      : [],
    subgroupSize,
    unroll: options.unroll ?? !software,
    refused,
  };
}
