import { type Mat4, mat4 } from "wgpu-matrix";
import { type Gpu, tensor } from "../../../src/index.js";
import { colourAt } from "../../support/colour.js";
import type { AttentionData } from "./sources.js";
import cells from "./cells.wgsl";

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
  /** The device that it draws on. */
  readonly device: GPUDevice;
  /** Draws into a canvas as large as its style says. */
  draw(canvas: HTMLCanvasElement, scene: Scene): void;
  /** Frees the tensor, and what belongs to canvases. */
  dispose(): void;
}

const [UNIFORM, COPY_TARGET] = [0x40, 0x8]; // GPUBufferUsage
const STOPS = 6; // of the colours, in cells.wgsl
const BYTES = 64 + 16 * STOPS + 32; // of its struct View

/** A canvas, and the uniforms that it is drawn with. */
interface Surface {
  readonly target: GPUCanvasContext;
  readonly uniforms: GPUBuffer;
  readonly group: GPUBindGroup;
}

/** Uploads the weights and compiles what draws them. Throws DeviceError. */
export async function createPainter(gpu: Gpu, { weights, sizes }: AttentionData): Promise<Painter> {
  const { L, H, T, S } = sizes;
  const { device, memory } = gpu;
  const held = tensor("attention", "f32", [L * H, T, S]);
  gpu.write(held, weights);
  const format = navigator.gpu.getPreferredCanvasFormat();
  const module = device.createShaderModule({ label: "cells", code: cells });
  const pipeline = await device.createRenderPipelineAsync({
    label: "cells",
    layout: "auto",
    vertex: { module, entryPoint: "corner" },
    fragment: { module, entryPoint: "shade", targets: [{ format }] },
  });
  const surfaces = new Map<HTMLCanvasElement, Surface>();
  const surfaceOf = (canvas: HTMLCanvasElement): Surface => {
    const known = surfaces.get(canvas);
    if (known) return known;
    const target = canvas.getContext("webgpu") as GPUCanvasContext;
    target.configure({ device, format, alphaMode: "premultiplied" });
    const uniforms = memory.create("cells", BYTES, UNIFORM | COPY_TARGET, "uniforms");
    const entries = [uniforms, memory.buffer(held)].map((buffer, binding) => ({ binding, resource: { buffer } }));
    const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
    const made = { target, uniforms, group };
    surfaces.set(canvas, made);
    return made;
  };
  return {
    device,
    draw(canvas, scene) {
      const { clientWidth: width, clientHeight: height } = canvas;
      if (!width || !height) return; // its tab is hidden
      canvas.width = Math.round(width * devicePixelRatio);
      canvas.height = Math.round(height * devicePixelRatio);
      const { target, uniforms, group } = surfaceOf(canvas);
      const clip = mat4.multiply(mat4.ortho(0, width, height, 0, -1, 1), scene.view);
      memory.writeBytes(uniforms, 0, packView(clip, scene, T, S));
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginRenderPass({
        colorAttachments: [{ view: target.getCurrentTexture().createView(), loadOp: "clear", storeOp: "store" }],
      });
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.draw(6, scene.count * T * S);
      pass.end();
      device.queue.submit([encoder.finish()]);
    },
    dispose() {
      if (gpu.device !== device) return; // it was lost, and all on it
      for (const { target, uniforms } of surfaces.values()) {
        target.unconfigure();
        memory.release(uniforms);
      }
      memory.free([held]);
    },
  };
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
