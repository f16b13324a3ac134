import { gpu as openGpu } from "../index.js";
import { print } from "./terminal.js";
import type { Verb } from "./verb.js";

const megabytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`;

/** `wgformer info`: prints the adapter, its limits, and the kernel variants that were measured on it. */
export const info: Verb = {
  usage: "",
  words: [0, 0],
  summary: "the adapter, its limits, and the kernel variants that were measured on it",
  sections: {},
  async run({ terminal }) {
    const gpu = await openGpu();
    try {
      const { limits, features } = gpu.device;
      const { description, vendor, architecture } = gpu.info;
      const choices = Object.entries(gpu.tuning.choices());
      const lines = {
        adapter: description,
        vendor: [vendor, architecture].filter(Boolean).join(", "),
        class: gpu.class.adapter,
        features: [...features]
          .filter((feature) => ["subgroups", "timestamp-query", "shader-f16"].includes(feature))
          .join(", "),
        "largest binding": megabytes(limits.maxStorageBufferBindingSize),
        "largest buffer": megabytes(limits.maxBufferSize),
        "steps in flight": String(gpu.readAhead),
        tuned: choices.length
          ? `${choices.length} kinds of launches, in ${gpu.tuning.place}`
          : "nothing yet; see wgformer tune",
      };
      for (const [name, text] of Object.entries(lines)) await print(terminal, `${name.padEnd(16)} ${text || "-"}`);
      for (const [key, { variant, constants }] of choices)
        await print(terminal, `  ${key.padEnd(52)} ${variant} ${JSON.stringify(constants)}`);
    } finally {
      gpu.dispose();
    }
  },
};
