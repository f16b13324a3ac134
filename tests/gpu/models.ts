import { SHAPES } from "../../bench/roofline/shapes.js";
import type { Json } from "../../src/model/checkpoint/checkpoint.js";
import type { WeightFormat } from "../../src/model/checkpoint/weight_formats.js";
import type { GenerateOptions } from "../../src/model/decode/options.js";

/** A model that people run, and what they ask of it. */
export interface RealModel {
  /** Its config.json. */
  readonly config: Json;
  readonly formats: readonly WeightFormat[];
  /** Numbers of rows of its encoder, its prompts and its steps. */
  readonly rows: readonly number[];
  /** Tokens of the prompts of its calls. Default 64. */
  readonly prompt?: number;
  /** Options of the calls of `generate()`. */
  readonly calls?: readonly GenerateOptions[];
}

const STEPS = [1, 4, 8];
const SAMPLED = { do_sample: true, temperature: 0.7, top_k: 50, top_p: 0.9 };
const RULED = { repetition_penalty: 1.1, no_repeat_ngram_size: 3 };

/** Models by name. */
export const MODELS: Readonly<Record<string, RealModel>> = {
  gpt2: {
    config: SHAPES.gpt2,
    formats: ["auto", "int8"],
    rows: [...STEPS, 64, 1000],
    calls: [{}, SAMPLED, { ...SAMPLED, top_k: 0 }, RULED, { num_beams: 4, ...RULED }],
  },
  "bert-base": { config: SHAPES["bert-base-uncased"], formats: ["auto"], rows: [8, 128, 2048] },
  "opus-mt": {
    config: SHAPES["opus-mt-en-de"],
    formats: ["auto"],
    rows: [...STEPS, 32, 300],
    calls: [{ num_beams: 4 }, { num_beams: 6, coverage_penalty: 0.2, search: "opennmt" }],
  },
  "llama-1b": {
    config: SHAPES["llama-3.2-1b"],
    formats: ["auto", "int8", "int4"],
    rows: [...STEPS, 64, 1000],
    prompt: 8000,
    calls: [{}, SAMPLED, { num_beams: 4 }],
  },
  "qwen3-0.6b": {
    config: SHAPES["qwen3-0.6b"],
    formats: ["auto", "int4"],
    rows: [...STEPS, 64, 1000],
    calls: [{ do_sample: true, temperature: 0.6, top_k: 20, top_p: 0.95 }],
  },
  "t5-small": {
    config: {
      architectures: ["T5ForConditionalGeneration"],
      model_type: "t5",
      num_layers: 6,
      vocab_size: 32128,
      decoder_start_token_id: 0,
      eos_token_id: 1,
    },
    formats: ["auto"],
    rows: [1, 4, 64],
  },
  "whisper-tiny": {
    config: { model_type: "whisper", torch_dtype: "float16", vocab_size: 51865 },
    formats: ["auto"],
    rows: [1, 4, 8, 500],
    calls: [{}],
  },
  "moonshine-tiny": { config: { model_type: "moonshine" }, formats: ["auto"], rows: [1, 64] },
};
