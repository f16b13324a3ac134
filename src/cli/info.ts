import { gpu as openGpu, load } from "../index.js";

const megabytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`;

/** `wgformer info`: the adapter, what it offers, and the variants that were measured on it. */
export async function info(): Promise<void> {
  const gpu = await openGpu();
  try {
    const { limits, features } = gpu.device;
    const { description, vendor, architecture, software } = gpu.info;
    const choices = Object.entries(gpu.tuning.choices());
    const lines = {
      adapter: description,
      vendor: [vendor, architecture].filter(Boolean).join(", "),
      class: software ? "cpu" : "gpu",
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
    for (const [name, text] of Object.entries(lines)) console.log(`${name.padEnd(16)} ${text || "-"}`);
    for (const [key, { variant, constants }] of choices)
      console.log(`  ${key.padEnd(52)} ${variant} ${JSON.stringify(constants)}`);
  } finally {
    gpu.dispose();
  }
}

/** `wgformer tune`: measures the layers of a model, prints the fastest of each and where all are kept. */
export async function tune(model: string, dtype: unknown, rows: unknown): Promise<void> {
  const loaded = await load(model, { dtype: dtype as never });
  try {
    await loaded.tune({
      ...(rows !== undefined && { rows: [rows].flat().map(Number) }),
      progress: ({ key, tuned: { variant, constants }, speedup, loaded: done, total }) =>
        console.log(
          `${done}/${total}  ${key.padEnd(52)} ${variant} ${JSON.stringify(constants)}  ${speedup.toFixed(2)} times as fast`,
        ),
    });
    console.log(`kept in ${loaded.gpu.tuning.place}`);
  } finally {
    loaded.dispose();
  }
}
