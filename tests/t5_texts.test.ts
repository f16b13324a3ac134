import { pipeline, type Tokenizer } from "../src/index.js";
import { readTokenizer } from "../src/model/text/tokenizer.js";
import { assert, device, folder, readJson, suite } from "./support/harness.js";

const test = suite("texts of T5", {
  chrome: "the pipelines of every checkpoint would take minutes; marian stands for all",
});

/** What Transformers reads and writes (tests/oracle/t5_texts.py). */
interface Case {
  readonly text: string;
  readonly ids: number[];
  /** The text of the ids without special tokens, and with them. */
  readonly decoded: string;
  readonly whole: string;
  /** Ids that are generated for the text by 3 beams, and their text without special tokens. */
  readonly generated?: number[];
  readonly answer?: string;
}

const FOLDER = "tests/fixtures/t5-texts";
const { cases } = await readJson<{ cases: Case[] }>(`${FOLDER}/texts.json`);

for (const hub of [false, true])
  test(`texts and sentinels are read and written as by Transformers, by a tokenizer.json ${hub ? "of the Hub" : "of Transformers 5"}`, async () => {
    const json = async (name: string): Promise<unknown> => {
      const file = await readJson<object>(`${FOLDER}/${name}`);
      return hub && name === "tokenizer.json" ? { ...file, ...(await readJson<object>(`${FOLDER}/hub.json`)) } : file;
    };
    const known = new Set(["tokenizer.json", "tokenizer_config.json"]);
    const checkpoint = { label: "t5", json: async (name: string) => (known.has(name) ? json(name) : undefined) };
    const tokenizer = (await readTokenizer(checkpoint as never)) as Tokenizer;
    for (const { text, ids, decoded, whole } of cases) {
      assert.equal(tokenizer.encode(text).ids, ids, text);
      assert.is(tokenizer.decode(ids, { skip_special_tokens: true }), decoded, text);
      assert.is(tokenizer.decode(ids), whole, text);
    }
  });

test("text2text gives the ids and texts of Transformers", async () => {
  const write = await pipeline("text2text", folder(FOLDER), { gpu: await device() });
  const asked = cases.filter(({ generated }) => generated);
  assert.is(asked.length, 6);
  const suppress_tokens = [2, ...Array.from({ length: 9 }, (_, i) => 609 + i)]; // rows beyond the tokenizer's
  const options = { num_beams: 3, max_new_tokens: 12, suppress_tokens, allow_unknown: true };
  const results = await write(
    asked.map(({ text }) => text),
    options,
  );
  asked.forEach(({ generated, answer }, b) => {
    assert.equal(results[b][0].token_ids, generated);
    assert.is(results[b][0].generated_text, answer);
  });
  write.dispose();
});
