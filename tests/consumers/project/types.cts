import { load, type Model } from "wgformer";
import kernels = require("wgformer/kernels");
export const open = async (path: string): Promise<Model> =>
  load(path, { dtype: kernels.attention.name === "attention" ? "f32" : "f16" });
