import { readTokenizer, type Tokenizer } from "../src/model/text/tokenizer.js";
import { campaign, outcome } from "./support/campaign.js";
import { assert, readJson, suite } from "./support/harness.js";

const test = suite("tokenizer files");

const NAMES = ["gpt2", "roberta", "qwen", "unigram", "llama", "words", "bert-cased"];
const VALUES = [null, undefined, 5, -1, 1e9, 0.5, "a", "", "\\", true, [], {}, [null], { type: "Sequence" }];
const TEXT = "The cat costs €5, naïve 😀 [MASK] \u0301 .";

type Node = Record<string, unknown>;
const isNode = (value: unknown): value is Node => typeof value === "object" && value !== null;

test("a tokenizer file with any value in any place works or is refused by a typed error", async () => {
  const files = await Promise.all(NAMES.map((name) => readJson<Node>(`tests/fixtures/tokenizers/${name}.json`)));
  await campaign("tokenizer files", { cases: 1500, seconds: 10 }, async ({ pick, chance }) => {
    const definition = structuredClone(pick(files));
    const config: Node = {};
    let node: Node = definition;
    let name = pick(Object.keys(node));
    for (let inner = node[name]; isNode(inner) && Object.keys(inner).length && chance(0.8); inner = node[name]) {
      node = inner;
      name = pick(Object.keys(inner));
    }
    if (chance(0.8)) node[name] = pick(VALUES);
    else config[pick(["unk_token", "bos_token", "model_max_length", "added_tokens_decoder", "truncation_side", "add_bos_token"])] = pick(VALUES); // prettier-ignore
    const json = async (file: string) => (file === "tokenizer.json" ? definition : config);
    return outcome(async () => {
      const tokenizer = (await readTokenizer({ label: "x", json } as never)) as Tokenizer;
      const { ids, offsets, token_type_ids } = tokenizer.encode(TEXT, { text_pair: "b" });
      for (const whole of [...ids, ...token_type_ids]) assert.ok(Number.isSafeInteger(whole) && whole >= 0);
      for (const [start, end] of offsets) assert.ok(0 <= start && start <= end && end <= TEXT.length);
      assert.type(tokenizer.decode(ids), "string");
      assert.type(tokenizer.decode(ids, { skip_special_tokens: true }), "string");
    });
  });
});
