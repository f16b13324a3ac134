import { readFile } from "./harness.js";

const PUNCTUATION = [..."0123456789.,!?'\"()-:;/&%$#@*+=<>"];
export const LETTERS = [..."abcdefghijklmnopqrstuvwxyz"];

/** A WordPiece tokenizer of letters for fixtures, which have 97 tokens and no tokenizer of their own. */
export const TOKENIZER = {
  version: "1.0",
  truncation: null,
  padding: null,
  added_tokens: ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map((content, id) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  })),
  normalizer: {
    type: "BertNormalizer",
    clean_text: true,
    handle_chinese_chars: true,
    strip_accents: null,
    lowercase: true,
  },
  pre_tokenizer: { type: "BertPreTokenizer" },
  post_processor: {
    type: "TemplateProcessing",
    single: [
      { SpecialToken: { id: "[CLS]", type_id: 0 } },
      { Sequence: { id: "A", type_id: 0 } },
      { SpecialToken: { id: "[SEP]", type_id: 0 } },
    ],
    pair: [
      { SpecialToken: { id: "[CLS]", type_id: 0 } },
      { Sequence: { id: "A", type_id: 0 } },
      { SpecialToken: { id: "[SEP]", type_id: 0 } },
      { Sequence: { id: "B", type_id: 1 } },
      { SpecialToken: { id: "[SEP]", type_id: 1 } },
    ],
    special_tokens: Object.fromEntries(["[CLS]", "[SEP]"].map((id, i) => [id, { id, ids: [2 + i], tokens: [id] }])),
  },
  decoder: { type: "WordPiece", prefix: "##", cleanup: true },
  model: {
    type: "WordPiece",
    unk_token: "[UNK]",
    continuing_subword_prefix: "##",
    max_input_chars_per_word: 100,
    vocab: Object.fromEntries(
      [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        ...LETTERS,
        ...LETTERS.map((letter) => `##${letter}`),
        ...PUNCTUATION,
      ].map((token, id) => [token, id]),
    ),
  },
};

/** A fixture with a tokenizer, and other files over it. */
export const fixture =
  (name: string, files: Readonly<Record<string, unknown>> = {}) =>
  async (file: string) => {
    const all: Readonly<Record<string, unknown>> = {
      "tokenizer.json": TOKENIZER,
      "tokenizer_config.json": { unk_token: "[UNK]" },
      ...files,
    };
    if (file in all) return new TextEncoder().encode(JSON.stringify(all[file]));
    if (!["config.json", "model.safetensors"].includes(file)) return undefined;
    return readFile(`tests/fixtures/${name}/${file}`);
  };
