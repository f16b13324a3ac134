import { type CallSizes, predict } from "./predict.js";
import { type Figures, findDevice } from "./devices.js";
import type { Expected } from "./expected.js";
import { SHAPES, shapeOf } from "./shapes.js";
import { speedOf } from "./speeds.js";

interface Row {
  readonly name: string;
  readonly shape: keyof typeof SHAPES;
  readonly call: CallSizes;
  /** Which plan of the call, and how the label of the launch ends. */
  readonly plan: string;
  readonly label: string;
}

const llama = (call: CallSizes, label: string, plan = "step"): Omit<Row, "name"> => ({
  shape: "llama-3.2-1b",
  call: { ...call, options: { max_new_tokens: 16, ...call.options } },
  plan,
  label,
});
const minilm = { shape: "all-MiniLM-L6-v2", call: { input_length: 128 }, plan: "encode" } as const;

const ROWS: readonly Row[] = [
  { name: "`matmul`, 1 row, bf16", ...llama({}, "fc1") },
  { name: "`matmul`, 1 row, int8", ...llama({ dtype: "int8" }, "fc1") },
  { name: "`matmul`, 1 row, int4", ...llama({ dtype: "int4" }, "fc1") },
  { name: "`matmul`, 4 rows, int4", ...llama({ dtype: "int4", rows: 4 }, "fc1") },
  { name: "`matmul`, 8 rows, int4", ...llama({ dtype: "int4", rows: 8 }, "fc1") },
  { name: "`matmul`, 1 row, 768 x 768", shape: "gpt2", call: {}, plan: "step", label: "out" },
  { name: "`matmul`, 16 rows, 384 x 384", ...minilm, call: { input_length: 16 }, label: "out" },
  { name: "`matmul`, 128 rows, 384 x 1536", ...minilm, label: "fc1" },
  { name: "`matmul`, 512 rows, 2048 x 8192", ...llama({ input_length: 513 }, "fc1", "prompt") },
  { name: "`attention`, 32 sequences of 128", ...minilm, call: { rows: 32, input_length: 128 }, label: "self_attn" },
  { name: "`attention`, a prompt of 512", ...llama({ input_length: 513 }, "self_attn", "prompt") },
  { name: "`attention_step`, 1,000 keys", ...llama({ input_length: 1992 }, "self_attn") },
  { name: "`attention_step`, 4,000 keys", ...llama({ input_length: 7984 }, "self_attn") },
  { name: "`layernorm_residual`, 128 rows", ...minilm, label: "final_norm" },
  { name: "`embed` with a norm, 128 rows", ...minilm, label: "embed" },
  { name: "`topk`, greedy, 128,256 tokens", ...llama({}, "topk") },
  { name: "`sample_parts`, 128,256 tokens", ...llama({ options: { do_sample: true } }, "sample_parts") },
  { name: "`sample`, 128,256 tokens", ...llama({ options: { do_sample: true } }, "sample") },
  { name: "`logits_process`, 4 beams, 58,101 tokens", ...beams("logits_process") },
  { name: "`beam_step`, 4 beams", ...beams("beam_step") },
];

function beams(label: string): Omit<Row, "name"> {
  return { shape: "opus-mt-en-de", call: { options: { num_beams: 4, max_new_tokens: 100 } }, plan: "step", label };
}

const percent = (share: number): string => (share < 0.01 ? "< 1%" : `${(100 * share).toFixed(0)}%`);

const SHOWN = ["M2", "RTX 4070", "Iris Xe"];

/** The share of the roof that launches of known models should reach on three devices, as a table of Markdown. */
export async function shareTable(): Promise<string[]> {
  const devices = SHOWN.map((name) => findDevice(name) as Figures);
  const lines = await Promise.all(
    ROWS.map(async ({ name, shape, call, plan, label }) => {
      const checkpoint = await shapeOf(shape, SHAPES[shape]);
      const found = await Promise.all(
        devices.map(async (figures) => {
          const plans = await predict(checkpoint, call, figures);
          const launches = plans.find((one) => one.name === plan)?.launches ?? [];
          return launches.find((one) => one.label.endsWith(label)) as Expected;
        }),
      );
      const shares = found.map(({ share, bound }) => `${percent(share)} ${bound}`);
      return `| ${[name, found[1].variant, ...shares, speedOf(found[1].kernel, found[1].variant).why].join(" | ")} |`;
    }),
  );
  const titles = ["launch", "variant", ...SHOWN, "why"];
  return [`| ${titles.join(" | ")} |`, `|${"---|".repeat(titles.length)}`, ...lines];
}
