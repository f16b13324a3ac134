import { type Mat4, mat4, vec3 } from "wgpu-matrix";

/** A place in pixels of a canvas, or in cells. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** The extent of what is shown. */
export interface Extent {
  readonly width: number;
  readonly height: number;
}

/** The transform that shows all of `content` (in cells) in a canvas (in pixels), in its middle and at most `most` pixels a cell. */
export function fit(content: Extent, canvas: Extent, most = Infinity): Mat4 {
  const scale = Math.min(most, canvas.width / content.width, canvas.height / content.height);
  const left = (canvas.width - scale * content.width) / 2;
  const top = (canvas.height - scale * content.height) / 2;
  return mat4.scale(mat4.translation([left, top, 0]), [scale, scale, 1]);
}

/** The transform after a drag by so many pixels. */
export const pan = (view: Mat4, { x, y }: Point): Mat4 => mat4.multiply(mat4.translation([x, y, 0]), view);

/** The transform after a zoom by `factor` that leaves a pixel where it is. */
export function zoom(view: Mat4, factor: number, { x, y }: Point): Mat4 {
  const about = mat4.translate(mat4.scale(mat4.translation([x, y, 0]), [factor, factor, 1]), [-x, -y, 0]);
  return mat4.multiply(about, view);
}

const moved = (by: Mat4, { x, y }: Point): Point => {
  const [toX, toY] = vec3.transformMat4([x, y, 0], by);
  return { x: toX, y: toY };
};

/** The pixel of a place in cells. */
export const toPixel = (view: Mat4, place: Point): Point => moved(view, place);

/** The place in cells of a pixel. */
export const toCell = (view: Mat4, pixel: Point): Point => moved(mat4.inverse(view), pixel);

/** Pixels a cell. */
export const scaleOf = (view: Mat4): number => view[0];
