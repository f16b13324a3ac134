// Types of the platform that the published declarations name. An empty interface adds nothing where the program that uses
// the library knows the type (from TypeScript's "dom", @types/node or @webgpu/types), and makes a name of it elsewhere.
declare global {
  interface AbortSignal {}
  interface AsyncDisposable {}
  interface Blob {}
  interface File {}
  interface GPUAdapterInfo {}
  interface GPUBindGroup {}
  interface GPUBindGroupLayout {}
  interface GPUBuffer {}
  interface GPUCommandEncoder {}
  interface GPUComputePassEncoder {}
  interface GPUComputePassTimestampWrites {}
  interface GPUComputePipeline {}
  interface GPUDevice {}
  interface Response {}
  interface URL {}
}

/** Which adapter to prefer, where there are several; as WebGPU names them. */
export type PowerPreference = "low-power" | "high-performance";
