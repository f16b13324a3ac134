import direct from "../../shaders/log_mel.wgsl";
import { defineKernel } from "../runtime/kernel.js";

/**
 * The logarithm of the power of spectra in mel bands: out[n,c] = log10(max(floor, sum_x filters[c,x] * |spectrum[n,x]|^2)),
 * over the bins x of band c alone. spectrum f32[N,2*X]: the real parts of all X bins, then the imaginary ones; filters
 * f32[C,X]; bands u32[C,2] = (first bin, bins); out f32[N,C]. Numerics and source: shaders/log_mel.wgsl.
 */
export const logMel = defineKernel({
  name: "log_mel",
  reads: { spectrum: "f32[N,2*X]", filters: "f32[C,X]", bands: "u32[C,2]" },
  writes: { out: "f32[N,C]" },
  params: ["floor"],
  constants: [],
  variants: [{ name: "direct", wgsl: direct, groups: ({ N, C }) => Math.ceil((N * C) / 64) }],
  bytes: ({ N, C, X }) => 4 * (2 * N * X + N * C + C * X + 2 * C),
  flops: ({ N, X }) => 9 * N * X, // a bin is in two bands
  reference({ N, C, X, floor }, { spectrum, filters, bands, out }) {
    for (let n = 0; n < N; n++) {
      for (let c = 0; c < C; c++) {
        let power = 0;
        for (let x = bands[2 * c]; x < bands[2 * c] + bands[2 * c + 1]; x++)
          power += filters[c * X + x] * (spectrum[2 * n * X + x] ** 2 + spectrum[(2 * n + 1) * X + x] ** 2);
        out[n * C + c] = Math.log10(Math.max(floor, power));
      }
    }
  },
});
