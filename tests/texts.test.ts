import { InputError, OptionError, type Tokenizer } from "../src/index.js";
import { continuationOf, createDetokenizer } from "../src/model/text/detokenizer.js";
import { readTokenizer } from "../src/model/text/tokenizer.js";
import { assert, randoms, readJson, refuses, suite } from "./support/harness.js";

const test = suite("texts and tokens");

interface Reference {
  readonly ids: number[];
  /** Start and end of each token in turn. */
  readonly offsets: number[];
  readonly words: (number | null)[];
  readonly decoded: string;
}

interface Pair {
  readonly text: string;
  readonly pair: string;
  readonly limit: number | null;
  readonly side: string;
  readonly references: Readonly<
    Record<string, { ids: number[]; types: number[]; sequences: (number | null)[]; words: (number | null)[] }>
  >;
}

/** What the Rust library makes of texts, by the name of the tokenizer (tests/oracle/train_tokenizers.py). */
interface Texts {
  readonly texts: string[];
  readonly references: Readonly<Record<string, Reference[]>>;
  readonly pairs: Pair[];
}

const FOLDER = "tests/fixtures/tokenizers";

async function openDefinition(definition: unknown, config: unknown = {}): Promise<Tokenizer> {
  const files: Readonly<Record<string, unknown>> = { "tokenizer.json": definition, "tokenizer_config.json": config };
  const checkpoint = { label: "tokenizer", json: async (file: string) => files[file] };
  return (await readTokenizer(checkpoint as never)) as Tokenizer;
}

const open = async (name: string, config: unknown = {}): Promise<Tokenizer> =>
  openDefinition(await readJson(`${FOLDER}/${name}.json`), config);

test("texts in all scripts get the ids, places and words of the Rust library, by every kind of tokenizer", async () => {
  const { texts, references } = await readJson<Texts>(`${FOLDER}/texts.json`);
  assert.is(texts.length, 62);
  assert.is(Object.keys(references).length, 8);
  for (const [name, wanted] of Object.entries(references)) {
    const tokenizer = await open(name);
    wanted.forEach(({ ids, offsets, words }, index) => {
      const encoding = tokenizer.encode(texts[index]);
      const where = `${name}: ${JSON.stringify(texts[index])}`;
      assert.equal(encoding.ids, ids, where);
      assert.equal(encoding.offsets.flat(), offsets, where);
      assert.equal(encoding.word_ids, words, where);
      for (const places of [encoding.tokens, encoding.token_type_ids, encoding.sequence_ids])
        assert.is(places.length, ids.length);
      assert.is(encoding.unknown, ids.filter((id) => id === tokenizer.unk_token_id).length, where);
    });
  }
});

test("tokens become the text of the Rust library, at once and piece by piece", async () => {
  const { texts, references } = await readJson<Texts>(`${FOLDER}/texts.json`);
  for (const [name, wanted] of Object.entries(references))
    for (const cleans of [false, true]) {
      const tokenizer = await open(name, {
        clean_up_tokenization_spaces: cleans,
        clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output: cleans,
      });
      wanted.forEach(({ ids, decoded }, index) => {
        const where = `${name}: ${JSON.stringify(texts[index])}`;
        const whole = tokenizer.decode(ids, { skip_special_tokens: true });
        if (!cleans) assert.is(whole, decoded, where);
        const detokenize = createDetokenizer(tokenizer, []);
        let text = "";
        ids.forEach((_, t) => {
          text += detokenize(ids.slice(0, t + 1), t === ids.length - 1);
          assert.ok(whole.startsWith(text), `${where} at token ${t}: ${text}`);
        });
        assert.is(text, whole, where);
      });
    }
});

test("a long text comes whole, piece by piece, whichever tokens it has", async () => {
  const { references } = await readJson<Texts>(`${FOLDER}/texts.json`);
  const random = randoms(5);
  for (const name of Object.keys(references)) {
    const tokenizer = await open(name, { clean_up_tokenization_spaces: true });
    const known = references[name].flatMap(({ ids }) => ids);
    for (const draw of [
      (t: number) => known[t % known.length],
      () => known[Math.floor(((random() + 1) / 2) * known.length)],
    ]) {
      const ids = Array.from({ length: 900 }, (_, t) => draw(t) ?? known[0]);
      const detokenize = createDetokenizer(tokenizer, ids.slice(0, 5));
      const whole = continuationOf(tokenizer, ids.slice(0, 5), ids);
      const pieces = ids.map((_, t) => detokenize(ids.slice(0, t + 1), t === ids.length - 1));
      assert.is(pieces.join(""), whole, name);
    }
  }
});

test("pieces come as soon as they are final", async () => {
  const tokenizer = await open("gpt2");
  const { ids } = tokenizer.encode("a\u{1f600}b it.");
  const pieces = (name: Tokenizer): string[] => {
    const detokenize = createDetokenizer(name, []);
    return ids.map((_, t) => detokenize(ids.slice(0, t + 1), false));
  };
  const plain = pieces(tokenizer);
  assert.is(plain.join(""), "a\u{1f600}b it.");
  assert.is(plain[0], "a");
  assert.is(plain[1], ""); // the first byte of four
  const half = createDetokenizer(tokenizer, []);
  assert.is(half(ids.slice(0, 2), false) + half(ids.slice(0, 2), true), tokenizer.decode(ids.slice(0, 2)));
});

test("pairs get the segments of the template, and are shortened at either side", async () => {
  const { pairs } = await readJson<Texts>(`${FOLDER}/texts.json`);
  assert.is(pairs.length, 7);
  for (const { text, pair, limit, side, references } of pairs)
    for (const [name, wanted] of Object.entries(references)) {
      const tokenizer = await open(name, { truncation_side: side });
      const where = `${name}: ${text} | ${pair} ${limit} ${side}`;
      const got = tokenizer.encode(text, { text_pair: pair, ...(limit && { max_length: limit }) });
      assert.equal(got.ids, wanted.ids, where);
      assert.equal(got.token_type_ids, wanted.types, where);
      assert.equal(got.sequence_ids, wanted.sequences, where);
      // Shortened at the left, the Rust library counts words from some word before the first kept one.
      if (side === "right") assert.equal(got.word_ids, wanted.words, where);
      const all = tokenizer.encode(text, { text_pair: pair });
      assert.is(got.truncated, all.ids.length - got.ids.length, where);
    }
});

test("of two texts that are both too long, the one of which less was read gets the odd token less", async () => {
  const text = "The quick brown fox jumps over the lazy dog.";
  for (const [name, pair, truncation_side, max_length, ids] of [
    ["gpt2", "It costs €100 today.", "left", 9, [89, 425, 71, 14, 106, 17, 309, 394, 14]],
    ["bert-uncased", "£20 and ¥30, 5€ or 20°C outside.", "right", 10, [2, 231, 317, 295, 3, 1, 245, 1, 8, 3]],
    ["unigram", "don't, it's, we've, they're, I'm, can't, n't", "right", 9, [0, 4, 191, 2, 2, 90, 212, 5, 2]],
  ] as const) {
    const tokenizer = await open(name, { truncation_side });
    assert.equal(tokenizer.encode(text, { text_pair: pair, max_length }).ids, ids, name);
  }
});

test("BPE without an unknown token leaves out what it has not before it merges", async () => {
  const vocab = { q: 0, c: 1, k: 2, qc: 3, qck: 4, a: 5 };
  const { encode } = await openDefinition({ model: { type: "BPE", vocab, merges: ["q c", "qc k"] } });
  const { ids, offsets } = encode("quick zaa");
  assert.equal(ids, [4, 5, 5]);
  // The Rust library gives [0, 3], [3, 4], [4, 5]: it counts only what it kept.
  assert.equal(offsets, [
    [0, 5],
    [7, 8],
    [8, 9],
  ]);
});

test("ranges of byte-level tokens leave out white space that an added token takes along, and halves of characters", async () => {
  const roberta = await open("roberta");
  const masked = roberta.encode("a <mask> b  <mask>");
  assert.equal(masked.ids, [0, 283, 500, 273, 500, 2]);
  assert.equal(masked.offsets.flat(), [0, 0, 0, 1, 2, 8, 9, 10, 12, 18, 0, 0]);
  assert.is(masked.tokens[2], "<mask>");
  const gpt2 = await readJson<Record<string, object>>(`${FOLDER}/gpt2.json`);
  const { encode } = await openDefinition({
    ...gpt2,
    pre_tokenizer: { ...gpt2.pre_tokenizer, add_prefix_space: true },
    post_processor: { ...gpt2.post_processor, add_prefix_space: false },
  });
  assert.equal(encode("😀 😀").offsets.flat(), [2, 2, 0, 2, 0, 2, 3, 5, 3, 5, 3, 5]);
});

test("a pattern that matches nothing does not cut a character in two", async () => {
  for (const Regex of ["^", "$"]) {
    const { encode } = await openDefinition({
      model: { type: "WordLevel", vocab: { "[UNK]": 0 }, unk_token: "[UNK]" },
      pre_tokenizer: { type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false },
    });
    assert.equal(encode("I love you 😀😀 so much.").offsets, [[0, 24]]);
  }
});

test("bytes of a character are held back past special tokens between them", async () => {
  const tokenizer = await open("llama");
  const ids = [90, 2, 216, 388]; // <0x57> </s> <0xD5> and a word
  const detokenize = createDetokenizer(tokenizer, []);
  const text = ids.map((_, t) => detokenize(ids.slice(0, t + 1), t === ids.length - 1)).join("");
  assert.is(text, "\ufffd\ufffd the");
  assert.is(text, tokenizer.decode(ids, { skip_special_tokens: true }));
});

test("tokens that tokenizer_config.json names are special, found in texts, and new where there are none", async () => {
  const { encode, decode, token_to_id } = await open("words", {
    eos_token: "cost",
    pad_token: "[PAD]",
    mask_token: { __type: "AddedToken", content: "[M]", lstrip: true, special: true },
    additional_special_tokens: ["<x>"],
    add_bos_token: true,
    add_eos_token: true,
  });
  const last = 202; // the greatest id of the file
  assert.equal(["[PAD]", "[M]", "<x>"].map(token_to_id), [last + 1, last + 2, last + 3]);
  assert.is(decode(encode("the cost").ids, { skip_special_tokens: true }), "the");
  assert.equal(encode("the  [M]<x>").offsets.slice(1), [
    [3, 8],
    [8, 11],
  ]);
  const split = await open("words", { eos_token: "cost", split_special_tokens: true });
  assert.not.ok(split.encode("cost").ids.includes(token_to_id("cost")!));
});

test("special tokens can be left out, of encoding and of decoding", async () => {
  const tokenizer = await open("bert-uncased");
  const { ids } = tokenizer.encode("The Boat", { text_pair: "sails" });
  const inner = tokenizer.encode("The Boat", { text_pair: "sails", add_special_tokens: false });
  assert.equal(
    inner.ids,
    ids.filter((id) => id > 4),
  );
  assert.equal(inner.token_type_ids, [
    ...Array<number>(inner.sequence_ids.indexOf(1)).fill(0),
    ...inner.sequence_ids.filter((one) => one === 1),
  ]);
  assert.is(tokenizer.decode(ids), "[CLS] the boat [SEP] sails [SEP]");
  assert.is(tokenizer.decode(Uint32Array.from(ids), { skip_special_tokens: true }), "the boat sails");
  assert.is(tokenizer.decode(ids.map(BigInt), { skip_special_tokens: true }), "the boat sails");
  assert.is(tokenizer.decode([99999]), "");
  assert.is(tokenizer.decode([]), "");
  assert.is(tokenizer.id_to_token(2), "[CLS]");
  assert.is(tokenizer.token_to_id("[CLS]"), 2);
  assert.is(tokenizer.token_to_id("no such token"), undefined);
  assert.is(tokenizer.id_to_token(99999), undefined);
});

test("BPE is cleaned up only when its call asks for it, as in Transformers", async () => {
  const tokenizer = await open("gpt2", { clean_up_tokenization_spaces: true });
  const { ids } = tokenizer.encode("He said it . It 's n't !");
  assert.is(tokenizer.decode(ids), "He said it . It 's n't !");
  assert.is(tokenizer.decode(ids, { clean_up_tokenization_spaces: true }), "He said it. It'sn't!");
});

test("a capital sigma at the end of a word becomes the same letter as elsewhere", async () => {
  const definition = await readJson<{ model: { vocab: Record<string, number> } }>(`${FOLDER}/bert-uncased.json`);
  const vocab = { ...definition.model.vocab, οδοσ: 900 };
  const json = async (file: string) =>
    file === "tokenizer.json" ? { ...definition, model: { ...definition.model, vocab } } : undefined;
  const tokenizer = (await readTokenizer({ label: "greek", json } as never)) as Tokenizer;
  const { ids, offsets } = tokenizer.encode("ΟΔΟΣ is", { add_special_tokens: false });
  assert.is(ids[0], 900);
  assert.equal(offsets[0], [0, 4]);
});

test("encode and decode refuse what they do not know", async () => {
  const tokenizer = await open("bert-cased");
  for (const bad of [null, 5, {}, ["a"], undefined])
    await refuses(() => tokenizer.encode(bad as never), InputError, /text: must be a string, got /);
  await refuses(() => tokenizer.encode("a", { text_pair: 5 as never }), OptionError, /text_pair must be a text, got 5/);
  await refuses(
    () => tokenizer.encode("a", { padding: true } as never),
    OptionError,
    /encode: padding is not supported/,
  );
  await refuses(() => tokenizer.encode("a", null as never), OptionError, /options must be an object, got null/);
  await refuses(() => tokenizer.encode("a", { add_special_tokens: 1 as never }), OptionError, /must be true or false/);
  await refuses(() => tokenizer.encode("a", { max_length: 0 }), OptionError, /whole number of at least 1, got 0/);
  await refuses(
    () => tokenizer.encode("a", { max_length: 2 }),
    InputError,
    /must have at most 2 tokens with special ones, got 3/,
  );
  for (const bad of [[1.5], [-1], ["a"], [undefined], 5, null, "12"])
    await refuses(() => tokenizer.decode(bad as never), InputError, /ids must be a list of whole numbers, got /);
  await refuses(() => tokenizer.decode([1], { skip: true } as never), OptionError, /decode: skip is not supported/);
});

test("half a surrogate pair is a replacement character, as in UTF-8", async () => {
  for (const name of ["gpt2", "bert-cased", "unigram", "llama"]) {
    const tokenizer = await open(name);
    const [broken, replaced] = ["a\ud800b \udc00", "a\ufffdb \ufffd"].map((text) => tokenizer.encode(text));
    assert.equal(broken, replaced);
  }
});
