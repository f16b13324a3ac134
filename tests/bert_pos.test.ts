import { pipeline } from "../src/index.js";
import { assert, device, folder, randoms, readFile, share, suite } from "./support/harness.js";

const test = suite("bert-pos");

interface Sentence {
  readonly words: string[];
  readonly tags: string[];
  readonly reference: string[];
}

const heldout = async (): Promise<Sentence[]> =>
  new TextDecoder()
    .decode(await readFile("models/bert-pos/heldout.jsonl"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

/** Held-out words and percent of them that are tagged right: of all sentences, as the README says, and of every tenth. */
const HELDOUT = { 1: { words: 27738, accuracy: 95.67 }, 10: { words: 2864, accuracy: 96.33 } }[share];

test("bert-pos tags its held-out words as its README says, and as the reference does", async () => {
  const sentences = (await heldout()).filter((_, index) => index % share === 0);
  const tag = await pipeline("token-classification", folder("models/bert-pos"), { gpu: await device() });
  try {
    const loads: number[] = [];
    const results = await tag(
      sentences.map(({ words }) => ({ words })),
      {
        aggregation_strategy: "first",
        progress: ({ loaded }) => loads.push(loaded),
      },
    );
    let [words, right, same] = [0, 0, 0];
    results.forEach(({ entities, truncated }, s) => {
      assert.is(truncated, 0);
      assert.equal(
        entities.map(({ word }) => word),
        sentences[s].words,
      );
      entities.forEach(({ entity }, index) => {
        words++;
        if (entity === sentences[s].tags[index]) right++;
        if (entity === sentences[s].reference[index]) same++;
      });
    });
    assert.is(loads[loads.length - 1], sentences.length);
    assert.is(words, HELDOUT.words);
    const accuracy = (100 * right) / words;
    assert.ok(Math.abs(accuracy - HELDOUT.accuracy) < 0.1, `accuracy must be ${HELDOUT.accuracy}%, got ${accuracy}%`);
    assert.ok(same / words > 0.9995, `${words - same} of ${words} words differ from the reference`);
  } finally {
    tag.dispose();
  }
});

test("bert-pos tags as its reference with int8 and int4 weights", async () => {
  const sentences = (await heldout()).filter((_, index) => index % (30 * share) === 0);
  // Measured on every tenth sentence, 2,864 words: int8 100.00%, int4 99.90%.
  for (const [dtype, least] of [
    ["int8", 0.999],
    ["int4", 0.99],
  ] as const) {
    const tag = await pipeline("token-classification", folder("models/bert-pos"), { gpu: await device(), dtype });
    const results = await tag(
      sentences.map(({ words }) => ({ words })),
      { aggregation_strategy: "first" },
    );
    const same = results.flatMap(({ entities }, s) =>
      entities.map(({ entity }, index) => Number(entity === sentences[s].reference[index])),
    );
    const agreement = same.reduce((sum, one) => sum + one, 0) / same.length;
    assert.ok(agreement >= least, `${dtype}: ${100 * agreement}% of ${same.length} words`);
    tag.dispose();
  }
});

test("tokens and words are placed in the text", async () => {
  const tag = await pipeline("token-classification", folder("models/bert-pos"), { gpu: await device() });
  const text = "Karamazov  isn't naïve 😀 (x).";
  const tokens = await tag(text);
  assert.equal(tokens.entities.map(({ word }) => word).slice(0, 6), ["K", "ara", "ma", "z", "ov", "isn"]);
  for (const { word, start, end } of tokens.entities) assert.is(text.slice(start, end), word);
  assert.equal(
    tokens.entities.map(({ index }) => index),
    tokens.entities.map((_, i) => i + 1),
  );
  assert.is(tokens.unknown, 2); // the face, and a word with an accent that the vocabulary has not
  for (const aggregation_strategy of ["first", "average", "max"] as const) {
    const { entities } = await tag(text, { aggregation_strategy });
    assert.equal(
      entities.map(({ word }) => word),
      ["Karamazov", "isn", "'", "t", "naïve", "😀", "(", "x", ")", "."],
    );
  }
  const first = await tag(text, { aggregation_strategy: "first" });
  assert.is(first.entities[0].score, tokens.entities[0].score);
  const max = await tag(text, { aggregation_strategy: "max" });
  assert.is(max.entities[0].score, Math.max(...tokens.entities.slice(0, 5).map(({ score }) => score)));
  assert.equal((await tag(text, { ignore_labels: tokens.entities.map(({ entity }) => entity) })).entities, []);
  tag.dispose();
});

/** What Transformers gives: the words of each text, and their labels by the first token. */
const WORDS = [
  ["He said no.", "He/PRON said/VERB no/DET ./PUNCT"],
  ['"Yes," she said.', '"/ADV Yes/ADV ,/PUNCT "/PROPN she/PRON said/VERB ./PUNCT'],
  ["It costs $100.", "It/PRON costs/VERB $/NOUN 100/NUM ./PUNCT"],
  ["It costs €100 today.", "It/PRON costs/VERB €100/NUM today/NOUN ./PUNCT"],
  ["It was 20°C outside.", "It/PRON was/AUX 20°C/NUM outside/ADV ./PUNCT"],
  ["Half is ½ of one.", "Half/DET is/AUX ½/NOUN of/ADP one/NUM ./PUNCT"],
  ["Well… he said no.", "Well/INTJ …/VERB he/PRON said/VERB no/DET ./PUNCT"],
  ["I love you 😀😀 so much.", "I/PRON love/VERB you/PRON 😀😀/ADV so/ADV much/DET ./PUNCT"],
  ["Hi 👍🏽 there.", "Hi/PROPN 👍🏽/ADV there/ADV ./PUNCT"],
  ["In the 🇩🇪 team.", "In/ADP the/DET 🇩🇪/NUM team/NOUN ./PUNCT"],
  ["The \ufffd boat sails.", "The/DET boat/NOUN sails/NOUN ./PUNCT"],
  ["ΟΔΟΣ is here.", "ΟΔΟΣ/NUM is/AUX here/ADV ./PUNCT"],
  ["He said नमस्ते today.", "He/PRON said/VERB नमस्ते/NUM today/NOUN ./PUNCT"],
  ["He said cafe\u0301 today.", "He/PRON said/VERB cafe\u0301/NUM today/NOUN ./PUNCT"],
  ["It costs 5€ today.", "It/PRON costs/VERB 5€/NUM today/NOUN ./PUNCT"],
  ["£20 and ¥30", "£20/NUM and/CCONJ ¥30/NOUN"],
  ["Windows® is here.", "Windows®/NUM is/AUX here/ADV ./PUNCT"],
  ["½ cup", "½/DET cup/NOUN"],
  ["x→y works", "x→y/DET works/NOUN"],
  ["so\u00adft", "so\u00adft/ADJ"],
  ["🇩🇪 flag", "🇩🇪/NUM flag/NOUN"],
  ["I ❤you all.", "I/PRON ❤you/VERB all/DET ./PUNCT"],
  ["I ❤b b", "I/PRON ❤b/VERB b/NOUN"],
  ["good👍job", "good👍job/DET"],
  ["F♯", "F♯/DET"],
] as const;

test("words are those of the pre-tokenizer, whatever the letters, and one text does not touch another", async () => {
  const tag = await pipeline("token-classification", folder("models/bert-pos"), { gpu: await device() });
  const options = { aggregation_strategy: "first", ignore_labels: [] } as const;
  const results = await tag(
    WORDS.map(([text]) => text),
    options,
  );
  for (const [index, [text, wanted]] of WORDS.entries()) {
    const { entities } = results[index];
    assert.is(entities.map(({ word, entity }) => `${word}/${entity}`).join(" "), wanted);
    for (const { word, start, end } of entities) assert.is(text.slice(start, end), word);
  }
  const place = (text: number, word: number): number[] => {
    const { start, end } = results[text].entities[word];
    return [start, end];
  };
  assert.equal(place(3, 2), [9, 13]);
  assert.equal(place(7, 3), [11, 15]);
  tag.dispose();
});

test("any text has places: random characters of all planes", async () => {
  const tag = await pipeline("token-classification", folder("models/bert-pos"), { gpu: await device() });
  const draw = randoms(7);
  const below = (count: number): number => Math.floor(((draw() + 1) / 2) * count);
  const blocks = [
    0x20, 0x20, 0x20, 0xa0, 0x300, 0x590, 0x900, 0x2000, 0x2190, 0x3040, 0x4e00, 0xfe00, 0x1f300, 0xe0000,
  ];
  const texts = Array.from({ length: 500 / share }, () =>
    Array.from({ length: 1 + below(24) }, () => {
      const block = blocks[below(blocks.length)];
      return String.fromCodePoint(block + below(95));
    }).join(""),
  );
  for (const aggregation_strategy of ["none", "first"] as const) {
    const results = await tag(texts, { aggregation_strategy, ignore_labels: [] });
    results.forEach(({ entities }, index) => {
      let at = 0;
      for (const { word, start, end } of entities) {
        assert.is(texts[index].slice(start, end), word);
        assert.ok(at <= start && start < end, JSON.stringify(texts[index]));
        at = end;
      }
    });
  }
  tag.dispose();
});
