// Seeded mutations of tiny checkpoints. Every outcome is the result of the unchanged checkpoint, a finite result where the
// change may change it, or a WgformerError with a short message; and all memory comes back.
import { load, type Model } from "../src/index.js";
import { WgformerError } from "../src/runtime/errors.js";
import { assert, device, randoms, readFile, readJson, share, suite } from "./support/harness.js";
import { sampleInputs } from "./support/samples.js";
import { inMemory } from "./support/safetensors.js";

const test = suite("hostile checkpoints");

const CASES = Math.ceil(120 / share); // of each kind
const FIXTURES = [
  "distilbert",
  "bert-sequence-classifier",
  "roberta",
  "gpt2",
  "llama",
  "qwen3",
  "marian",
  "mbart",
  "m2m_100",
  "umt5",
  "whisper",
];

interface Fixture {
  readonly name: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly weights: Uint8Array<ArrayBuffer>;
  /** Bytes of the header, with its length. */
  readonly base: number;
}

async function open(name: string): Promise<Fixture> {
  const weights = await readFile(`tests/fixtures/${name}/model.safetensors`);
  const base = 8 + Number(new DataView(weights.buffer).getBigUint64(0, true));
  return { name, weights, base, config: await readJson(`tests/fixtures/${name}/config.json`) };
}

const fixtures = await Promise.all(FIXTURES.map(open));

async function outputs({ architecture, forward }: Model): Promise<number[]> {
  const { encoder, decoder, V } = architecture;
  const inputs = sampleInputs(architecture, [[5 % V, 9 % V, 3 % V]]);
  const found = await forward(encoder && decoder ? { ...inputs, decoder_input_ids: [[1, 2]] } : inputs);
  return Object.values(found).flatMap(({ data }: { data: Float32Array }) => [...data]);
}

const baselines = new Map<string, Promise<number[]>>();

async function outputsOf(files: Readonly<Record<string, object>>): Promise<number[]> {
  const gpu = await device();
  const before = gpu.use().weight;
  try {
    const model = await load(inMemory(files), { gpu });
    try {
      return await outputs(model);
    } finally {
      model.dispose();
    }
  } finally {
    assert.is(gpu.use().weight, before, "all weights must be freed");
  }
}

type Files = Record<string, object>;
/** Changes the files of a fixture in some way; `below(n)` draws a whole number from 0 to n - 1. */
type Mutation = (files: Files, fixture: Fixture, below: (n: number) => number) => void;

/** Runs mutations and checks their outcomes. With `exact`, a result must be that of the unchanged checkpoint. */
function campaign(title: string, exact: boolean, mutate: Mutation, seed: number): void {
  test(title, async () => {
    const random = randoms(seed);
    const below = (n: number): number => Math.floor(((random() + 1) / 2) * n) % n;
    const counts = { "the same result": 0, "another finite result": 0, "typed error": 0 };
    for (let i = 0; i < CASES; i++) {
      const fixture = fixtures[below(fixtures.length)];
      const { name, config, weights } = fixture;
      const files: Files = { "config.json": { ...config }, "model.safetensors": weights.slice() };
      if (!baselines.has(name)) baselines.set(name, outputsOf({ ...files }));
      const baseline = await baselines.get(name);
      mutate(files, fixture, below);
      const about = `seed ${seed}, case ${i}, ${name}`;
      try {
        const found = await outputsOf(files);
        // A checkpoint that has lost its pooler gives all but pooler_output.
        const same = found.length > 0 && found.every((value, at) => value === baseline?.[at]);
        if (exact) assert.ok(same, `${about}: must be refused or give the same result`);
        assert.ok(found.every(Number.isFinite), `${about}: must be finite`);
        counts[same ? "the same result" : "another finite result"]++;
      } catch (error) {
        if (!(error instanceof WgformerError)) throw new Error(`${about}: ${String(error)}`, { cause: error });
        assert.ok(error.message.length < 8192, `${about}: a message of ${error.message.length} characters`);
        counts["typed error"]++;
      }
    }
    const said = Object.entries(counts).filter(([, count]) => count);
    console.log(`hostile checkpoints: ${title}: ${said.map(([kind, count]) => `${count} ${kind}`).join(", ")}`);
  });
}

const NUMBERS = [0, -1, 1, 2, 3, 7, 1.5, 1e-30, 255, 65536, 2 ** 31, 2 ** 32, 2 ** 53, 1e9, 1e15, 1e300, -1e9];
const VALUES = [...NUMBERS, null, true, false, "", "abc", "x".repeat(1e5), [], [1], {}, { a: [{}] }, ["relu"], "1"];

/** The bytes of a safetensors file with another header. */
function withHeader({ weights, base }: Fixture, text: string): Uint8Array<ArrayBuffer> {
  const header = new TextEncoder().encode(text);
  const bytes = new Uint8Array(8 + header.length + weights.length - base);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true);
  bytes.set(header, 8);
  bytes.set(weights.subarray(base), 8 + header.length);
  return bytes;
}

const headerOf = ({ weights, base }: Fixture): string => new TextDecoder().decode(weights.subarray(8, base));

campaign(
  "bytes of the header",
  true,
  (files, { base }, below) => {
    const bytes = files["model.safetensors"] as Uint8Array;
    for (let n = 1 + below(3); n > 0; n--) bytes[below(base)] = below(256);
  },
  1,
);
campaign(
  "fields of the header",
  true,
  (files, fixture, below) => {
    const header = JSON.parse(headerOf(fixture)) as Record<string, Record<string, unknown>>;
    const names = Object.keys(header);
    const name = names[below(names.length)];
    const value = VALUES[below(VALUES.length)];
    const changes = [
      () => (header[name] = value as never),
      () => (header[name].shape = value),
      () => (header[name].shape = [value, value]),
      () => (header[name].dtype = below(2) ? value : ["F16", "BF16", "I32", "F8_E4M3", "F64"][below(5)]),
      () => (header[name].data_offsets = [value, value]),
      () => (header[name].data_offsets = header[names[below(names.length)]].data_offsets),
      () => delete header[name],
      () => Object.assign(header, { __metadata__: value }),
      () => ([header[name], header[`${name}x`]] = [header[`${name}x`], header[name]]),
      () => (header["x".repeat(1e5)] = { dtype: "F32", shape: [0], data_offsets: [0, 0] }),
    ];
    changes[below(changes.length)]();
    files["model.safetensors"] = withHeader(fixture, JSON.stringify(header));
  },
  2,
);
campaign(
  "text of the header",
  true,
  (files, fixture, below) => {
    const text = headerOf(fixture);
    const [start, length] = [below(text.length), below(80)];
    const pieces = ["", "{", "}", "[", '"', ",", "\\", "\u0000", "1e999", "null", "[".repeat(1e5), '{"a":'.repeat(5e4)];
    const piece = below(4) ? pieces[below(pieces.length)] : text.slice(start, start + length);
    const changed = text.slice(0, start) + piece + text.slice(start + (below(2) ? length : 0));
    files["model.safetensors"] = withHeader(fixture, changed);
  },
  3,
);
campaign(
  "the length of the file",
  true,
  (files, { weights, base }, below) => {
    const ends = [below(weights.length), below(base + 16), weights.length - 1 - below(8), below(9)];
    const grown = new Uint8Array(weights.length + 1 + below(100));
    grown.set(weights);
    files["model.safetensors"] = below(5) ? weights.slice(0, ends[below(4)]) : grown;
  },
  4,
);
campaign(
  "numbers that are none",
  true,
  (files, { weights, base }, below) => {
    const view = new DataView((files["model.safetensors"] as Uint8Array).buffer);
    const bad = [NaN, Infinity, -Infinity];
    view.setFloat32(base + 4 * below((weights.length - base) / 4), bad[below(3)], true);
  },
  5,
);
campaign(
  "fields of the config",
  false,
  (files, { config }, below) => {
    const keys = [...Object.keys(config), "num_labels", "id2label", "quantization_config", "rope_scaling", "head_dim"];
    const changed = { ...config };
    for (let n = 1 + below(2); n > 0; n--) changed[keys[below(keys.length)]] = VALUES[below(VALUES.length)];
    files["config.json"] = changed;
  },
  6,
);
campaign(
  "text of the config and the index",
  false,
  (files, { config, weights }, below) => {
    const name = ["config.json", "generation_config.json", "model.safetensors.index.json"][below(3)];
    const value = name === "config.json" ? config : { weight_map: { a: "model-1.safetensors", b: "x/2.safetensors" } };
    const text = JSON.stringify(value);
    const [start, length] = [below(text.length), below(20)];
    const pieces = ["", "{", "}", "[", '"', "..", "/", "\\\\", "\\u0000", "http://x", "[".repeat(1e5), "9".repeat(400)];
    const changed = text.slice(0, start) + pieces[below(pieces.length)] + text.slice(start + (below(2) ? length : 0));
    files[name] = new TextEncoder().encode(changed);
    if (name !== "model.safetensors.index.json") return;
    delete files["model.safetensors"];
    Object.assign(files, {
      "model-1.safetensors": weights,
      "x/2.safetensors": withHeader({ weights, base: weights.length } as never, "{}"),
    });
  },
  7,
);
