import { type Mat4, mat4 } from "wgpu-matrix";
import { type Gpu, tensor } from "../../../src/index.js";
import { colourAt } from "../../support/colour.js";
import cells from "./cells.wgsl";
import type { AttentionData } from "./sources.js";

/** A token of the rows, of the columns, or a cell. */
export interface Mark {
  /** The row: a query. */
  readonly t?: number;
  /** The column: a key. */
  readonly s?: number;
}

/** What to draw: `count` heads from `first` on, so many panels side by side, and `gap` cells between them. */
export interface Scene {
  /** From cells to pixels of the style sheet. */
  readonly view: Mat4;
  readonly first: number;
  readonly count: number;
  readonly columns: number;
  readonly gap: number;
  /** What is left free of a cell on each side. */
  readonly inset: number;
  readonly mark: Mark;
}

/** Draws attention weights from a tensor on the device of the model that computed them. */
export interface Painter {
  /** Draws into a canvas as large as its style says. While a frame is under way, only the last of later ones is kept. */
  draw(canvas: HTMLCanvasElement, scene: Scene): void;
  /** Resolves when all canvases show what they were last drawn with. */
  drawn(): Promise<unknown>;
  /** Frees the tensor, and all that it is drawn with. */
  dispose(): void;
}

const [COPY_SOURCE, COPY_TARGET, UNIFORM] = [0x4, 0x8, 0x40]; // GPUBufferUsage
const TEXTURE = 0x10 | 0x1; // GPUTextureUsage: drawn into, and copied from
const STOPS = 6; // of the colours, in cells.wgsl
const BYTES = 64 + 16 * STOPS + 32; // of its struct View

/** The size of a frame in pixels of the device, its rows padded as copies of textures need it. */
interface Frame {
  readonly width: number;
  readonly height: number;
  readonly padded: number;
}

/**
 * Uploads the weights and compiles what draws them. `fault` is told why a frame could not be drawn. Pixels come back to
 * a plain canvas: to show a canvas of WebGPU ends the whole device where Chrome computes on the CPU. Throws DeviceError.
 */
export async function createPainter(
  gpu: Gpu,
  { weights, sizes: { L, H, T, S } }: AttentionData,
  fault: (error: unknown) => void,
): Promise<Painter> {
  const { device, memory } = gpu;
  const held = tensor("attention", "f32", [L * H, T, S]);
  gpu.write(held, weights);
  const pipeline = await compile(device);
  const uniforms = memory.create("cells", BYTES, UNIFORM | COPY_TARGET, "uniforms");
  const entries = [uniforms, memory.buffer(held)].map((buffer, binding) => ({ binding, resource: { buffer } }));
  const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
  let disposed = false;

  const render = async (canvas: HTMLCanvasElement, scene: Scene): Promise<void> => {
    const { clientWidth, clientHeight } = canvas;
    if (!clientWidth || !clientHeight) return; // its tab is hidden
    const frame = frameOf(clientWidth, clientHeight);
    const { width, height, padded } = frame;
    const texture = device.createTexture({ size: [width, height], format: "rgba8unorm", usage: TEXTURE });
    const pixels = memory.create("pixels", 4 * padded * height, COPY_SOURCE | COPY_TARGET, "activation");
    const clip = mat4.multiply(mat4.ortho(0, clientWidth, clientHeight, 0, -1, 1), scene.view);
    memory.writeBytes(uniforms, 0, packView(clip, scene, T, S));
    const encode = (encoder: GPUCommandEncoder): void => {
      const view = texture.createView();
      const pass = encoder.beginRenderPass({ colorAttachments: [{ view, loadOp: "clear", storeOp: "store" }] });
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.draw(6, scene.count * T * S);
      pass.end();
      encoder.copyTextureToBuffer({ texture }, { buffer: pixels, bytesPerRow: 4 * padded }, [width, height]);
    };
    try {
      const shown = { tensor: tensor("pixels", "u32", [height, padded]), buffer: pixels, offset: 0 };
      const [words] = await gpu.submit(encode, [shown]);
      show(canvas, frame, words.buffer);
    } finally {
      texture.destroy();
      if (gpu.device === device) memory.release(pixels);
    }
  };
  const next = new Map<HTMLCanvasElement, Scene | undefined>(); // of canvases that are being drawn
  const underWay = new Set<Promise<unknown>>();
  const drawAll = async (canvas: HTMLCanvasElement, first: Scene): Promise<void> => {
    let scene: Scene | undefined = first;
    while (scene && !disposed) {
      next.set(canvas, undefined);
      await render(canvas, scene);
      scene = next.get(canvas);
    }
  };
  return {
    draw(canvas, scene) {
      if (next.has(canvas)) return void next.set(canvas, scene);
      const drawing = drawAll(canvas, scene)
        .catch((error: unknown) => disposed || fault(error))
        .finally(() => (next.delete(canvas), underWay.delete(drawing)));
      underWay.add(drawing);
    },
    drawn: () => Promise.all(underWay),
    dispose() {
      disposed = true;
      if (gpu.device !== device) return; // it was lost, and all on it
      memory.release(uniforms);
      memory.free([held]);
    },
  };
}

const compile = (device: GPUDevice): Promise<GPURenderPipeline> => {
  const module = device.createShaderModule({ label: "cells", code: cells });
  return device.createRenderPipelineAsync({
    label: "cells",
    layout: "auto",
    vertex: { module, entryPoint: "corner" },
    fragment: { module, entryPoint: "shade", targets: [{ format: "rgba8unorm" }] },
  });
};

function frameOf(clientWidth: number, clientHeight: number): Frame {
  const [width, height] = [clientWidth, clientHeight].map((size) => Math.max(1, Math.round(size * devicePixelRatio)));
  return { width, height, padded: Math.ceil(width / 64) * 64 };
}

function show(canvas: HTMLCanvasElement, { width, height, padded }: Frame, pixels: ArrayBuffer): void {
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d")?.putImageData(new ImageData(new Uint8ClampedArray(pixels), padded, height), 0, 0);
}

/** The uniforms, laid out as struct View in cells.wgsl. */
function packView(clip: Mat4, { first, columns, gap, inset, mark }: Scene, T: number, S: number): ArrayBuffer {
  const bytes = new ArrayBuffer(BYTES);
  const [floats, words, signed] = [new Float32Array(bytes), new Uint32Array(bytes), new Int32Array(bytes)];
  floats.set(clip, 0);
  for (let stop = 0; stop < STOPS; stop++)
    floats.set([...colourAt(stop / (STOPS - 1)).map((byte) => byte / 255), 1], 16 + 4 * stop);
  const rest = 16 + 4 * STOPS;
  words.set([T, S, first, columns], rest);
  floats.set([gap, inset], rest + 4);
  signed.set([mark.t ?? -1, mark.s ?? -1], rest + 6);
  return bytes;
}
