import { pipeline } from "../src/index.js";
import { assert, device, folder, readFile, share, suite } from "./support/harness.js";

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
