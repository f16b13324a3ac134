import { load, type Model } from "../src/index.js";
import { seed } from "./support/campaign.js";
import { assert, device, readFile, readJson, runtime, share, suite } from "./support/harness.js";

/**
 * What Transformers generates with six tiny checkpoints of odd sizes, under random sets of options. The references, and
 * how they were chosen: tests/oracle/differential.py.
 */
const FAMILIES = ["gpt2", "llama", "llama-heads", "qwen2", "qwen3", "marian"];
const FOLDER = "tests/differential";

type Defaults = "own" | "other" | "none";
type Rows = number[][];
/** Number of the set of options; inputs, masks as texts of 0 and 1; rows of the result; their scores. */
type Case = readonly [
  set: number,
  inputs: { readonly input_ids: Rows; readonly attention_mask?: readonly string[]; readonly decoder_input_ids?: Rows },
  rows: Rows,
  scores?: readonly number[],
];

/** A checkpoint with its own generation_config.json, another one, or none, so that config.json speaks. */
async function open(family: string, defaults: Defaults): Promise<Model> {
  const files: Readonly<Record<string, string | undefined>> = {
    "config.json": "config.json",
    "model.safetensors": "model.safetensors",
    "generation_config.json": { own: "generation_config.json", other: "other_generation_config.json", none: undefined }[
      defaults
    ],
  };
  const source = async (name: string): Promise<Uint8Array<ArrayBuffer> | undefined> =>
    files[name] === undefined ? undefined : readFile(`${FOLDER}/${family}/${files[name]}`);
  return load(source, { gpu: await device() });
}

const bits = (masks: readonly string[]): Rows => masks.map((mask) => Array.from(mask, Number));

const near = (score: number, want: number): boolean => Math.abs(score - want) < 1e-4 * Math.max(1, Math.abs(want));

/** What differs in a case, as a text; undefined when nothing does. */
async function difference(model: Model, [, inputs, rows, scores]: Case, options: object): Promise<string | undefined> {
  const { attention_mask, ...ids } = inputs;
  const given = { ...ids, ...(attention_mask && { attention_mask: bits(attention_mask) }) };
  try {
    const { sequences, sequences_scores } = await model.generate(given, options);
    const same =
      JSON.stringify(sequences) === JSON.stringify(rows) &&
      sequences_scores?.length === scores?.length &&
      (sequences_scores ?? []).every((score, r) => near(score, scores![r]));
    if (same) return undefined;
    return `want ${JSON.stringify(rows)} ${String(scores)}\n got ${JSON.stringify(sequences)} ${String(sequences_scores)}`;
  } catch (error) {
    return String(error);
  }
}

const TOGETHER = 8; // calls that run at once
const part = { node: 2, deno: share, chrome: 3 * share }[runtime]; // of this many cases one runs, by the seed
const CHROME = { chrome: "the pipelines of every checkpoint would take minutes; marian stands for all" };

const test = suite("differences from Transformers");
for (const family of FAMILIES)
  test(
    `${family}: no tokens but those of Transformers`,
    async () => {
      const sets = await readJson<[Defaults, object][]>(`${FOLDER}/sets.json`);
      const cases = await readJson<Case[]>(`${FOLDER}/${family}/cases.json`);
      const chosen = cases.filter((_, index) => index % part === seed % part);
      const faults: string[] = [];
      for (const defaults of ["own", "other", "none"] as const) {
        const own = chosen.filter(([set]) => sets[set][0] === defaults);
        const model = await open(family, defaults);
        const worker = async (): Promise<void> => {
          for (let one = own.shift(); one; one = own.shift()) {
            const options = sets[one[0]][1];
            const fault = await difference(model, one, options);
            if (fault)
              faults.push(`set ${one[0]} ${defaults} ${JSON.stringify(options)} ${JSON.stringify(one[1])}\n${fault}`);
          }
        };
        await Promise.all(Array.from({ length: TOGETHER }, worker));
        model.dispose();
      }
      const told = `${faults.length} of ${chosen.length} cases differ:\n${faults.slice(0, 5).join("\n")}`;
      assert.is(faults.length, 0, told);
      assert.ok(chosen.length > 0);
    },
    family === "marian" ? {} : CHROME,
  );
