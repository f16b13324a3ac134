// The tokenizer of Moonshine: LLaMA's 32,000 tokens and merges, which the package carries in llama-tokenizer-js, and 768
// tokens that stand for nothing (Jeffries et al. 2024, arXiv:2410.15608, section 3.1).

const RESERVED = 768;
const SPACE = "\u2581"; // what SentencePiece writes for a space

/**
 * tokenizer.json by the text of the package's bundle, whose two longest strings are the tokens, a line each, and the
 * merges, two ids of 16 bits each; both are base64. Throws if they are not.
 * @param {string} bundle
 */
export function readTokenizer(bundle) {
  const tables = Array.from(bundle.matchAll(/[A-Za-z0-9+/=]{200000,}/g), ([text]) => Buffer.from(text, "base64"));
  const tokens = (tables[0] ?? "").toString("utf8").split("\n");
  if (tables.length !== 2 || tokens.length !== 32000 || tokens[2] !== "</s>")
    throw new Error("moonshine-tiny: the bundle of the package must hold LLaMA's tokens and merges, and does not");
  const pair = (/** @type {number} */ at) =>
    [tables[1].readUInt16LE(at), tables[1].readUInt16LE(at + 2)].map((id) => tokens[id]);
  const special = ["<unk>", "<s>", "</s>"].map((content, id) => added(id, content));
  const reserved = Array.from({ length: RESERVED }, (_, i) => added(tokens.length + i, `<<ST_${i}>>`));
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: [...special, ...reserved],
    normalizer: {
      type: "Sequence",
      normalizers: [
        { type: "Prepend", prepend: SPACE },
        { type: "Replace", pattern: { String: " " }, content: SPACE },
      ],
    },
    pre_tokenizer: null,
    post_processor: {
      type: "TemplateProcessing",
      single: [{ SpecialToken: { id: "<s>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
      pair: [
        { SpecialToken: { id: "<s>", type_id: 0 } },
        { Sequence: { id: "A", type_id: 0 } },
        { SpecialToken: { id: "<s>", type_id: 1 } },
        { Sequence: { id: "B", type_id: 1 } },
      ],
      special_tokens: { "<s>": { id: "<s>", ids: [1], tokens: ["<s>"] } },
    },
    decoder: {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { String: SPACE }, content: " " },
        { type: "ByteFallback" },
        { type: "Fuse" },
        { type: "Strip", content: " ", start: 1, stop: 0 },
      ],
    },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: "<unk>",
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: true,
      byte_fallback: true,
      ignore_merges: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: Array.from({ length: Math.floor(tables[1].length / 4) }, (_, i) => pair(4 * i)),
    },
  };
}

/**
 * @param {number} id
 * @param {string} content
 */
const added = (id, content) => ({
  id,
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
});
