import { type Gpu, gpu as openGpu } from "../src/runtime/gpu.js";
import { checkCheckpoint } from "./support/checkpoint.js";

let opening: Promise<Gpu> | undefined;
const gpu = (): Promise<Gpu> => (opening ??= openGpu({ adapter: "gpu", features: ["timestamp-query"], guard: true }));

/** Norms ride in the linear layers behind them on GPUs, but for the last. */
const BUDGETS = {
  marian: { layer: 11, outside: 4 },
  gpt2: { layer: 5, outside: 5 },
  llama: { layer: 5, outside: 5 },
  m2m_100: { layer: 8, outside: 5, encoder: 5 },
};
const CHROME = { chrome: "the kernels' own tests run these variants there, and Node and Deno whole models" };

for (const [family, budget] of Object.entries(BUDGETS))
  await checkCheckpoint(`tests/fixtures/${family}`, { title: "in variants for GPUs", gpu, budget }, CHROME);
