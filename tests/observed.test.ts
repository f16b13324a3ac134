import { type HostTensor, InputError, type Model, OptionError } from "../src/index.js";
import type { DecoderCore } from "../src/model/core.js";
import { crossAttentions } from "../src/model/decode/cross_attentions.js";
import { openModel } from "./support/checkpoint.js";
import { readGolden, worstError } from "./support/golden.js";
import { assert, refuses, suite } from "./support/harness.js";

const FOLDER = "tests/fixtures/observed";
const test = suite("vectors, states and attentions", {
  chrome: "the pipelines of seven checkpoints would take minutes; kernels and marian stand for them",
});

/** A case of the references (tests/oracle/observed.py). */
interface Case {
  readonly model: string;
  readonly name: string;
  readonly kind: "forward" | "generate" | "observe" | "attend";
  readonly inputs: Readonly<Record<string, never>> & { readonly vectors?: readonly number[] };
  readonly options?: Readonly<Record<string, unknown>>;
  readonly expected: Readonly<Record<string, string>> & { sequences?: number[][]; sequences_scores?: number[] };
}

/** The vectors of the references: sin(seed + 7b + 3s + d/2 + sd/10) * scale. */
function vectorsOf([B, S, seed, scale = 0.5]: readonly number[], D: number): HostTensor {
  const data = Float32Array.from({ length: B * S * D }, (_, i) => {
    const [b, s, d] = [Math.floor(i / D / S), Math.floor(i / D) % S, i % D];
    return Math.sin(seed + 7 * b + 3 * s + d / 2 + (s * d) / 10) * scale;
  });
  return { dims: [B, S, D], data };
}

const inputsOf = ({ inputs: { vectors, ...others } }: Case, D: number) => ({
  ...others,
  ...(vectors && { inputs_embeds: vectorsOf(vectors, D) }),
});

const golden = await readGolden(FOLDER);
for (const one of golden.cases as unknown as Case[]) {
  test(`${one.model}: ${one.name}`, async () => {
    const m = await openModel(`tests/fixtures/${one.model}`);
    await CHECKS[one.kind](m, one, inputsOf(one, m.architecture.D));
  });
}

type Check = (m: Model, one: Case, inputs: Readonly<Record<string, unknown>>) => Promise<void>;

const forward: Check = async (m, { expected, inputs: { attention_mask } }, inputs) => {
  const got = (await m.forward(inputs)) as Readonly<Record<string, HostTensor>>;
  for (const [name, key] of Object.entries(expected)) {
    const masked = name !== "pooler_output" && !(name === "logits" && m.architecture.encoder);
    const error = worstError(got[name], golden.tensor(key as string), masked ? attention_mask : undefined);
    assert.ok(error < 2e-4, `${name} is ${error} off`); // measured 6e-6
  }
};

const generate: Check = async (m, { options, expected: { sequences, sequences_scores } }, inputs) => {
  const got = await m.generate(inputs, options);
  assert.equal(got.sequences, sequences);
  got.sequences_scores?.forEach((score, row) => assert.ok(Math.abs(score - sequences_scores![row]) < 1e-4));
};

const observe: Check = async (m, { expected, inputs: { attention_mask, decoder_attention_mask } }, inputs) => {
  const options = { output_hidden_states: true, output_attentions: true };
  const got = (await m.forward(inputs, options)) as unknown as Readonly<Record<string, readonly HostTensor[]>>;
  for (const [name, key] of Object.entries(expected)) {
    const { dims, data } = golden.tensor(key as string);
    const size = data.length / dims[0];
    const decodes = name.startsWith("decoder") || name.startsWith("cross");
    const rows = (decodes ? decoder_attention_mask : attention_mask) as number[][];
    const mask = dims.length === 5 ? rows.flatMap((row) => Array<number[]>(dims[2]).fill(row)) : rows; // for each head
    assert.is(got[name].length, dims[0], name);
    got[name].forEach((layer, l) => {
      const want = { dims: dims.slice(1), data: data.subarray(l * size, (l + 1) * size) };
      const largest = want.data.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
      const error = worstError(layer, want, mask) / largest;
      assert.ok(error < 2e-4, `${name}.${l} is ${error} off`);
    });
  }
};

const attend: Check = async (m, one, inputs) => {
  await generate(m, one, inputs);
  const { cross_attentions: got, lengths } = await m.generate(inputs, { ...one.options, output_attentions: true });
  const want = golden.tensor(one.expected.cross_attentions);
  const [, L, H, T] = want.dims;
  const mask = lengths.flatMap((length) =>
    Array.from({ length: L * H }, () => Array.from({ length: T }, (_, t) => Number(t < length - 1))),
  );
  const error = worstError(got!, want, mask);
  assert.ok(error < 1e-4, `cross_attentions are ${error} off`); // measured 3e-5 in T5, whose scores are not scaled
  assert.equal(cells(got!, mask, 0), [], "zeros after the end of a row");
};

/** The cells other than 0 in rows where the mask is `bit`. */
const cells = ({ dims, data }: HostTensor, mask: number[][], bit: number): number[] => {
  const flat = mask.flat();
  return [...data].filter((value, i) => flat[Math.floor(i / dims[4])] === bit && value !== 0);
};

const CHECKS: Readonly<Record<Case["kind"], Check>> = { forward, generate, observe, attend };

test("chosen heads in any order, sources that several targets share, and states: the weights of the whole pass", async () => {
  const m = await openModel("tests/fixtures/marian");
  const ids = [
    [21, 8, 40, 33, 5, 0],
    [17, 60, 0],
  ];
  const targets = [
    [96, 7, 30],
    [96, 9],
    [96, 5, 44, 2],
  ];
  const sourceOf = [1, 0, 1];
  const { H, depth } = m.architecture.decoder!;
  const heads = [
    { layer: 1, head: 3 },
    { layer: 0, head: 2 },
    { layer: 1, head: 0 },
  ];
  await m.run(async (core) => {
    const decoding = core as DecoderCore;
    const sources = ids.map((own) => ({ ids: own }));
    const all = await crossAttentions(decoding, { targets, sources, sourceOf });
    const { last_hidden_state } = await m.encode({ input_ids: ids });
    const D = m.architecture.D;
    const states = ids.map(({ length }, b) => ({
      states: last_hidden_state.data.slice(b * 6 * D, (b * 6 + length) * D),
      length,
    }));
    for (const own of [sources, states]) {
      const some = await crossAttentions(decoding, { targets, sources: own, sourceOf, heads });
      some.forEach((weights, b) => {
        const size = targets[b].length * ids[sourceOf[b]].length;
        assert.is(all[b].length, depth * H * size);
        heads.forEach(({ layer, head }, x) => {
          const at = (layer * H + head) * size;
          assert.equal(weights.subarray(x * size, (x + 1) * size), all[b].subarray(at, at + size));
        });
      });
    }
    await refuses(
      () => crossAttentions(decoding, { targets, sources, heads: [{ layer: 2, head: 0 }] }),
      InputError,
      /^heads: must be of layers below 2 and heads below 4, got \{"layer":2,"head":0\}$/,
    );
  });
});

test("attentions follow states, padding on the left, and rows that a search did not find", async () => {
  const m = await openModel("tests/fixtures/marian");
  const right = {
    input_ids: [
      [21, 8, 40, 33],
      [17, 60, 0, 0],
    ],
    attention_mask: [
      [1, 1, 1, 1],
      [1, 1, 0, 0],
    ],
  };
  const left = {
    input_ids: [
      [21, 8, 40, 33],
      [0, 0, 17, 60],
    ],
    attention_mask: [
      [1, 1, 1, 1],
      [0, 0, 1, 1],
    ],
  };
  const options = { num_beams: 2, num_return_sequences: 2, max_new_tokens: 5, output_attentions: true };
  const [want, got] = await Promise.all([right, left].map((inputs) => m.generate(inputs, options)));
  const outputs = { ...(await m.encode(left)), attention_mask: left.attention_mask };
  const given = await m.generate({ encoder_outputs: outputs }, options);
  const { dims, data } = want.cross_attentions!;
  assert.equal(given.cross_attentions, got.cross_attentions);
  const moved = data.map((_, i) => {
    const [row, s] = [Math.floor((i / data.length) * 4), i % 4];
    return row < 2 ? data[i] : s < 2 ? 0 : data[i - 2];
  });
  assert.equal(got.cross_attentions, { dims, data: moved });
  const alone = { ...options, max_new_tokens: 1, suppress_tokens: Array.from({ length: 96 }, (_, id) => id) };
  const { sequences, cross_attentions } = await m.generate(right, { ...alone, num_return_sequences: 2 });
  assert.is(cross_attentions!.dims[0], sequences.length);
});

test("refuses attentions where there are none, vectors beside ids, and vectors that do not fit", async () => {
  const gpt2 = await openModel("tests/fixtures/gpt2");
  const embeds = vectorsOf([1, 3, 1], gpt2.architecture.D);
  await refuses(
    () => gpt2.generate({ inputs_embeds: embeds }, { output_attentions: true }),
    OptionError,
    /^generate: output_attentions must be false, gpt2 has no cross attention; forward\(\) gives attentions$/,
  );
  await refuses(
    () => gpt2.generate({ input_ids: [[1]], inputs_embeds: embeds }),
    InputError,
    /^input_ids: must be absent with inputs_embeds; leave out one of them$/,
  );
  await refuses(
    () => gpt2.generate({ inputs_embeds: vectorsOf([1, 3, 1], 8) }),
    InputError,
    /^inputs_embeds: must be \{ dims: \[B,S,64\], data \}, .* got dims \[1,3,8\] and 24 numbers$/,
  );
  await refuses(
    () => gpt2.forward({ inputs_embeds: vectorsOf([1, 97, 1], 64) }),
    InputError,
    /^inputs_embeds: row 0 must have at most 96 tokens \(max_position_embeddings\), got 97/,
  );
  await refuses(
    () => gpt2.past({ inputs_embeds: embeds }),
    InputError,
    /^past: inputs_embeds is not supported; give input_ids$/,
  );
  const past = await gpt2.past({ input_ids: [[5, 6]] });
  await refuses(
    () => gpt2.generate({ past_key_values: past, inputs_embeds: embeds }),
    InputError,
    /^generate: inputs_embeds must be absent with these past_key_values; leave it out$/,
  );
  past.dispose();
});

test("vectors that are the embeddings of tokens go on as these do: score, stream, sampling, rows that leave early", async () => {
  const m = await openModel("tests/fixtures/llama");
  const { D } = m.architecture;
  const ids = Array.from({ length: 20 }, (_, b) =>
    Array.from({ length: 2 + (b % 5) }, (_, t) => (7 * b + 13 * t + 3) % 90),
  );
  const [table] = (await m.gpu.read(m.weights.get("decoder.embed_tokens.weight"))) as Float32Array[];
  const inputs_embeds = ids.map((row) => row.map((id) => table.subarray(id * D, (id + 1) * D)));
  const targets = ids.map((row) => [...row, 4, 9]);
  assert.equal(await m.score({ inputs_embeds }, targets), await m.score({ input_ids: ids }, targets));
  for (const options of [
    { max_new_tokens: 24 },
    { num_beams: 2, max_new_tokens: 24 },
    { do_sample: true, seed: 5, max_new_tokens: 6 },
  ]) {
    const want = await m.generate({ input_ids: ids }, options);
    const got = await m.generate({ inputs_embeds }, options);
    const width = Math.max(...ids.map(({ length }) => length));
    assert.equal(
      got.sequences,
      want.sequences.map((row) => row.slice(width)),
    );
    assert.equal(
      got.lengths,
      want.lengths.map((length) => length - width),
    );
    assert.equal(got.sequences_scores, want.sequences_scores);
  }
  const events: number[] = [];
  const seen: number[][] = [];
  const logits_processor = (rows: readonly number[][]): void => void seen.push(...rows.map((row) => [...row]));
  const options = { max_new_tokens: 3, logits_processor };
  for await (const event of m.stream({ inputs_embeds: inputs_embeds.slice(0, 1) }, options))
    events.push(...event.token_ids);
  const { sequences } = await m.generate({ input_ids: ids.slice(0, 1) }, { max_new_tokens: 3 });
  assert.equal(events, sequences[0].slice(ids[0].length));
  assert.equal(
    seen,
    [0, 1, 2].map((count) => events.slice(0, count)),
  );
});
