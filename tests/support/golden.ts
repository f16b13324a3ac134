import { readHeader } from "../../src/model/checkpoint/safetensors.js";
import { readFile, readJson } from "./harness.js";

/** One reference case of a checkpoint folder (see tests/fixtures/README.md). */
export interface GoldenCase {
  readonly name: string;
  readonly kind: "forward" | "generate";
  /** Token ids and masks; `input_features` is a tensor, `input_values` a list of them. */
  readonly inputs: Readonly<Record<string, number[][]>>;
  readonly options?: Readonly<Record<string, unknown>>;
  readonly expected: Readonly<Record<string, string>> & {
    readonly sequences: number[][];
    readonly sequences_scores?: number[];
  };
}

export interface Golden {
  readonly cases: readonly GoldenCase[];
  tensor(name: string): { readonly dims: readonly number[]; readonly data: Float32Array };
}

/** The f32 tensors of a safetensors file. */
export async function readTensors(path: string): Promise<Golden["tensor"]> {
  const bytes = await readFile(path);
  const file = { size: bytes.length, read: async (start: number, end: number) => bytes.slice(start, end) };
  const entries = await readHeader(path, file);
  return (name) => {
    const entry = entries.find((candidate) => candidate.name === name);
    if (!entry) throw new Error(`${path} has no ${name}`);
    return { dims: entry.shape, data: new Float32Array(bytes.slice(entry.start, entry.end).buffer) };
  };
}

/** The references of a checkpoint folder. */
export async function readGolden(folder: string): Promise<Golden> {
  const { cases } = await readJson<{ cases: GoldenCase[] }>(`${folder}/golden.json`);
  const tensor = await readTensors(`${folder}/golden.safetensors`);
  const named = (value: unknown): unknown => {
    if (typeof value === "string") return tensor(value);
    const isRagged = Array.isArray(value) && typeof value[0] === "string";
    return isRagged ? value.map((name) => tensor(name as string).data) : value;
  };
  const resolve = (inputs: object): object =>
    Object.fromEntries(Object.entries(inputs).map(([name, value]) => [name, named(value)]));
  return { cases: cases.map((one) => ({ ...one, inputs: resolve(one.inputs) as GoldenCase["inputs"] })), tensor };
}

/** The largest |got - want| over positions whose mask is 1 (over all without a mask). */
export function worstError(
  got: { dims: readonly number[]; data: Float32Array },
  want: { dims: readonly number[]; data: Float32Array },
  mask?: number[][],
): number {
  if (got.dims.join() !== want.dims.join()) throw new Error(`dims must be ${want.dims}, got ${got.dims}`);
  const width = want.dims[want.dims.length - 1];
  const kept = mask?.flat();
  return want.data.reduce((worst, value, i) => {
    if (kept?.[Math.floor(i / width)] === 0) return worst;
    const error = Math.abs(got.data[i] - value);
    return error <= worst ? worst : Number.isNaN(error) ? Infinity : error;
  }, 0);
}
