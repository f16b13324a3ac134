import { load, type LoadOptions, memoryPlan, type Model, OptionError } from "../src/index.js";
import { bytesOf } from "../src/runtime/needs.js";
import { assert, device, folder, refuses, suite } from "./support/harness.js";

const test = suite("lm_head_dtype", { chrome: "Node and Deno show it", deno: "Node shows it" });

const BROWN = "models/gpt2-brown";
const TINY = "tests/fixtures/gpt2";
const TEXT =
  "The jury said on Friday that the report of the committee was good, and it was a long time before they left.";

async function loaded<T>(path: string, options: LoadOptions, use: (model: Model) => T | Promise<T>): Promise<T> {
  const model = await load(folder(path), { gpu: await device(), ...options });
  try {
    return await use(model);
  } finally {
    model.dispose();
  }
}

/** The log-probabilities of the tokens of a text. */
async function scores(model: Model): Promise<readonly number[]> {
  const { ids } = (await model.tokenizer)!.encode(TEXT, { add_special_tokens: false });
  const [logProbs] = await model.score({ input_ids: [ids.slice(0, 1)] }, [ids.slice(1)]);
  return [...logProbs];
}

test("the matrix that makes logits is int8, and log-probabilities move by less than 0.02", async () => {
  const want = await loaded(BROWN, {}, scores);
  const got = await loaded(BROWN, { lm_head_dtype: "int8" }, scores);
  const most = Math.max(...want.map((value, i) => Math.abs(value - got[i]))); // measured 0.015
  assert.ok(most > 0 && most < 0.02, `they move by ${most}`);
});

for (const dtype of ["auto", "int4"] as const) {
  test(`a tied table stays as it is with dtype "${dtype}", and memoryPlan counts the copy`, async () => {
    const options = { dtype, lm_head_dtype: "int8" } as const;
    const bytes = await loaded(TINY, options, ({ weights }) => {
      const [table, logits] = ["decoder.embed_tokens.weight", "lm_head.weight"].map(weights.get);
      assert.equal([table.dtype, logits.dtype, logits.shape], [dtype === "auto" ? "f32" : "f16", "i8", table.shape]);
      return bytesOf(weights.tensors);
    });
    assert.is((await memoryPlan(folder(TINY), options)).weights.total, bytes);
  });
}

test("a matrix of its own is quantised in its place", () =>
  loaded("tests/fixtures/marian-untied", { lm_head_dtype: "int8" }, ({ weights }) =>
    assert.equal(
      [...weights.tensors].filter(({ dtype }) => dtype === "i8").map(({ name }) => name),
      ["lm_head.weight"],
    ),
  ));

test("a model without logits and an unknown format are refused", async () => {
  const bert = folder("tests/fixtures/bert");
  await refuses(
    () => memoryPlan(bert, { lm_head_dtype: "int8" }),
    OptionError,
    /^lm_head_dtype: must be absent for bert, which has no lm_head here$/,
  );
  const unknown = { lm_head_dtype: "int3" } as unknown as LoadOptions;
  await refuses(
    () => loaded(TINY, unknown, scores),
    OptionError,
    /^load: lm_head_dtype must be one of int8, got "int3"$/,
  );
});
