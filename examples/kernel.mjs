// A kernel alone: recorded, run on the device, and compared with its reference.
import { gpu as openGpu, record, tensor, verify } from "wgformer";
import { topk } from "wgformer/kernels";

const gpu = await openGpu();
const logits = tensor("logits", "f32", [2, 8]);
const indices = tensor("indices", "u32", [2, 1, 3]);
// G parts of each row are searched side by side, C candidates are wanted of each.
const plan = record("best", (run) => void run(topk, "topk", { logits, indices }, { G: 1, C: 3 }));

gpu.write(logits, Float32Array.of(0, 5, 1, 4, 2, 3, -1, -2, 7, 7, 0, 1, 9, 2, 8, 3));
const prepared = await gpu.prepare(plan);
const [best] = await prepared.run({ read: [indices] });
console.log(`row 0: ${best.slice(0, 3).join(" ")}, row 1: ${best.slice(3).join(" ")}`);
console.log((await verify(gpu, plan)) ?? "the device and the reference agree");
gpu.dispose();

// Prints:
// row 0: 1 3 5, row 1: 4 6 0
// the device and the reference agree
