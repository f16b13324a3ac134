import { type Gpu, type HostTensor, load, type Model } from "../../src/index.js";
import type { DecoderArchitecture } from "../../src/model/graph/architecture.js";
import { type Golden, type GoldenCase, readGolden, worstError } from "./golden.js";
import { assert, device, type Except, folder, readJson, suite } from "./harness.js";
import { sampleInputs } from "./samples.js";

const IDS = [[5, 6, 7, 0]];
/** Those whose logits are of size 10 and more: their errors are told as parts of the largest number. */
const LARGE = new Set(["mbart", "t5-gated"].map((name) => `tests/fixtures/${name}`));
const ENCODERS = new Set(["bert", "roberta", "distilbert"]);

const isGenerative = async (path: string): Promise<boolean> =>
  !ENCODERS.has((await readJson<{ model_type: string }>(`${path}/config.json`)).model_type);

const models = new Map<string, Promise<Model>>();

/** The model of a checkpoint folder on the device that all tests share, loaded once. */
export async function openModel(path: string): Promise<Model> {
  const gpu = await device();
  const model = models.get(path) ?? load(folder(path), { gpu });
  models.set(path, model);
  return model;
}

/** Launches of a decoding step, in a layer and outside the layers, and of an encoder layer. */
type Budget = Readonly<Record<"layer" | "outside", number>> & { readonly encoder?: number };

const budgetOf = ({ encoder, placement }: DecoderArchitecture): Budget => ({
  layer: encoder ? 11 : 7,
  outside: placement === "pre" ? 5 : 4, // the last norm
});

/** How a checkpoint is checked, if not on the device that all tests share. */
interface Setting {
  readonly title: string;
  readonly gpu: () => Promise<Gpu>;
  readonly budget: Budget;
}

/** Declares the tests of a checkpoint folder: all reference cases, launch counts, and that its memory is freed. */
export async function checkCheckpoint(path: string, setting?: Setting, except?: Except): Promise<void> {
  const test = suite(setting ? `${path} ${setting.title}` : path, except);
  const gpu = setting?.gpu ?? device;
  const golden = await readGolden(path);
  let loading: Promise<Model> | undefined;
  const model = async (): Promise<Model> =>
    setting ? (loading ??= load(folder(path), { gpu: await gpu() })) : openModel(path);

  for (const one of golden.cases) {
    const check = one.kind === "forward" ? checkForward : checkGenerate;
    test(one.name, async () => check(await model(), one, golden, LARGE.has(path)));
  }
  if (!(await isGenerative(path))) return;

  test("launches keep to the budget", async () => {
    const { architecture, generate } = await model();
    const { encoder, decoder } = architecture as DecoderArchitecture;
    const budget = setting?.budget ?? budgetOf(architecture as DecoderArchitecture);
    const { layer, outside, encoder: encoderLayer = encoder?.rotary ? 8 : 7 } = budget;
    const options = { num_beams: 4, max_new_tokens: 3, forced_eos_token_id: null }; // a rule would be one more
    const { stats } = await generate(sampleInputs(architecture, IDS), options);
    assert.equal(stats.launches, {
      encoder_layer: encoder ? encoderLayer : 0,
      decoder_layer: layer,
      outside,
      step: layer * decoder.depth + outside,
    });
  });

  test("gives all its memory back", async () => {
    const held = async (): Promise<number> => {
      const { total, staging } = (await gpu()).use(); // staging buffers are kept for the next read
      return total - staging;
    };
    const before = await held();
    const m = await load(folder(path), { gpu: await gpu() });
    await m.generate(sampleInputs(m.architecture, IDS), { num_beams: 2, max_new_tokens: 4 });
    m.dispose();
    assert.is(await held(), before);
  });
}

async function checkForward(
  m: Model,
  { inputs, expected }: GoldenCase,
  golden: Golden,
  relative: boolean,
): Promise<void> {
  const got = (await m.forward(inputs)) as Readonly<Record<string, HostTensor>>;
  assert.equal(Object.keys(got).sort(), Object.keys(expected).sort());
  for (const [output, key] of Object.entries(expected)) {
    // Only results with a row for each token of input_ids are masked, not logits of targets or one row a sentence.
    const masked =
      got[output].dims.length === 3 && !(output === "logits" && m.architecture.encoder && m.architecture.decoder);
    const want = golden.tensor(key as string);
    const scale = relative ? want.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0) : 1;
    const error = worstError(got[output], want, masked ? inputs.attention_mask : undefined);
    assert.ok(error < 2e-4, `${output} is ${error} of its largest number off`);
  }
}

async function checkGenerate(m: Model, { inputs, options, expected }: GoldenCase): Promise<void> {
  const { sequences, sequences_scores } = await m.generate(inputs, options);
  assert.equal(sequences, expected.sequences);
  assert.is(sequences_scores?.length, expected.sequences_scores?.length);
  sequences_scores?.forEach((score, row) => {
    const want = expected.sequences_scores?.[row] ?? NaN;
    // Scores near -300 (length_penalty -1) have rounding errors of about 1e-6 of them, also in the references.
    assert.ok(
      Math.abs(score - want) < 1e-4 * Math.max(1, Math.abs(want)),
      `score of row ${row} must be ${want}, got ${score}`,
    );
  });
}
