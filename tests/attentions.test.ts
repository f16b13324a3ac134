import { attentionsOf, InputError, load, OptionError, pipeline } from "../src/index.js";
import { assert, device, folder, refuses, suite } from "./support/harness.js";

const test = suite("attention of a text", { chrome: "Node shows it", deno: "Node shows it" });

/** Throws unless the weights of each query add up to 1. */
function checkSums({
  dims: [L, H, T, S],
  data,
}: {
  readonly dims: readonly number[];
  readonly data: Float32Array;
}): void {
  assert.is(data.length, L * H * T * S);
  for (let row = 0; row < L * H * T; row++) {
    const sum = data.subarray(row * S, (row + 1) * S).reduce((total, weight) => total + weight, 0);
    assert.ok(Math.abs(sum - 1) < 1e-4, `row ${row}: ${sum}`);
  }
}

test("an encoder-decoder: generated tokens over the text, by which each was chosen", async () => {
  const speak = await pipeline("text2text", folder("models/g2p-en"), { gpu: await device() });
  const { cross, encoder, decoder } = await attentionsOf(speak, "read", { num_beams: 3 });
  assert.equal(
    cross!.queries.map(({ token }) => token),
    ["R", "EH1", "D", "</s>"],
  );
  assert.equal(
    cross!.keys.map(({ start, end }) => (start === undefined ? "" : "read".slice(start, end))).join(""),
    "read",
  );
  assert.equal(decoder!.queries, cross!.queries);
  assert.equal(encoder!.keys, cross!.keys);
  assert.equal(
    decoder!.keys.map(({ token_id }) => token_id).slice(1),
    cross!.queries.map(({ token_id }) => token_id).slice(0, -1),
  );
  const { tokenizer, model } = speak;
  const { ids } = tokenizer.encode("read");
  const { cross_attentions } = await model.generate({ input_ids: [ids] }, { num_beams: 3, output_attentions: true });
  assert.equal(cross!.weights.dims, cross_attentions!.dims.slice(1));
  cross!.weights.data.forEach((weight, i) => assert.ok(Math.abs(weight - cross_attentions!.data[i]) < 1e-6));
  for (const map of [cross, encoder, decoder]) checkSums(map!.weights);
  speak.dispose();
});

test("an encoder: words over one another, as the encoder gives them", async () => {
  const tag = await pipeline("token-classification", folder("models/bert-pos"), { gpu: await device() });
  const text = "The old man the boat.";
  const { encoder, ...others } = await attentionsOf(tag, text);
  assert.equal(others, {});
  const { weights, queries, keys } = encoder!;
  assert.is(queries, keys);
  assert.equal(queries[0].token, "[CLS]");
  assert.not("start" in queries[0]);
  assert.equal(
    queries.flatMap(({ start, end }) => (start === undefined ? [] : text.slice(start, end))),
    ["The", "old", "man", "the", "boat", "."],
  );
  const { attentions } = await tag.model.encode(
    { input_ids: [queries.map(({ token_id }) => token_id)] },
    { output_attentions: true },
  );
  assert.equal(weights.data.slice(-attentions![0].data.length), attentions!.at(-1)!.data);
  checkSums(weights);
  await refuses(
    () => attentionsOf(tag, text, { num_beams: 2 }),
    OptionError,
    /^attentionsOf: num_beams must be absent, bert generates/,
  );
  await refuses(() => attentionsOf(tag, 5 as never), InputError, /^text must|text: must be a/);
  tag.dispose();
});

test("a decoder: tokens over those before them", async () => {
  const write = await pipeline("text-generation", folder("models/gpt2-brown"), { gpu: await device() });
  const { decoder } = await attentionsOf(write, "The jury said");
  const {
    dims: [, , T, S],
    data,
  } = decoder!.weights;
  assert.equal([T, S], [decoder!.queries.length, decoder!.keys.length]);
  for (let row = 0; row < data.length / S; row++)
    for (let s = (row % T) + 1; s < S; s++) assert.is(data[row * S + s], 0);
  checkSums(decoder!.weights);
  await refuses(() => attentionsOf(write, ""), InputError, /must give at least one token/);
  write.dispose();
});

test("a model that hears is refused", async () => {
  const model = await load(folder("tests/fixtures/whisper"), { gpu: await device() });
  await refuses(
    () => attentionsOf({ model, tokenizer: {} as never }, "a"),
    InputError,
    /must read texts, this one hears/,
  );
  model.dispose();
});
