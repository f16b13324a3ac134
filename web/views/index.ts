import type { ViewEntry } from "../support/view.js";

/** The views, in the order of their tabs. Each is fetched when its tab is first opened. */
export const VIEWS: readonly ViewEntry[] = [
  { id: "beams", title: "Beam search", open: () => import("./beams.js") },
  { id: "attention", title: "Attention", open: () => import("./attention.js") },
  { id: "write", title: "Write on", open: () => import("./write.js") },
  { id: "model", title: "Any model", open: () => import("./any_model.js") },
  { id: "inside", title: "Inside", open: () => import("./inside.js") },
  { id: "bench", title: "Benchmark", open: () => import("./bench.js") },
];
