import { InputError, type Model, OptionError } from "../src/index.js";
import { openModel } from "./support/checkpoint.js";
import { assert, refuses, suite } from "./support/harness.js";
import { randomRows } from "./support/rows.js";

const test = suite("generation");
const HOST = { chrome: "what the host does is the same in Node, and its pipelines compile for seconds" };
const GPT2 = "tests/fixtures/gpt2";
const brown = (): Promise<Model> => openModel("models/gpt2-brown");
const PROMPT = [[464, 1200, 33], [7]];

test("a prompt as long as the cache leaves room for one token", async () => {
  const m = await openModel(GPT2);
  const [row] = randomRows([m.architecture.decoder!.P], 3, m.architecture.V);
  const inputs = { input_ids: [row], attention_mask: [row.map(() => 1)] };
  const { sequences } = await m.generate(inputs, { max_new_tokens: 1 });
  assert.is(sequences[0].length, m.architecture.decoder!.P + 1);
  await refuses(
    () => m.generate(inputs, { max_new_tokens: 2 }),
    OptionError,
    /max_new_tokens must leave at most 96 positions/,
  );
});

test(
  "a long prompt is read in chunks, as a short one is",
  async () => {
    const m = await openModel("tests/fixtures/llama");
    const rows = randomRows(
      Array.from({ length: 40 }, () => 60),
      13,
      m.architecture.V,
    ); // 2,360 rows of prompt, above one chunk
    const together = await m.generate({ input_ids: rows }, { max_new_tokens: 3 });
    for (const b of [0, 34, 39]) {
      const solo = await m.generate({ input_ids: [rows[b]] }, { max_new_tokens: 3 });
      assert.equal(together.sequences[b], solo.sequences[0]);
    }
  },
  HOST,
);

test("the same seed draws the same tokens, whatever the batch beside it", async () => {
  const m = await brown();
  const options = { do_sample: true, seed: 42, max_new_tokens: 8, num_return_sequences: 3, top_p: 0.9 };
  const first = await m.generate({ input_ids: PROMPT }, options);
  assert.equal((await m.generate({ input_ids: PROMPT }, options)).sequences, first.sequences);
  assert.is(new Set(first.sequences.slice(0, 3).map(String)).size, 3);
  const solo = await m.generate({ input_ids: PROMPT.slice(0, 1) }, options);
  assert.equal(solo.sequences, first.sequences.slice(0, 3));
  assert.is(first.stats.seed, 42);
});

test(
  "sampling from the best token alone is greedy search",
  async () => {
    const m = await brown();
    const greedy = await m.generate({ input_ids: PROMPT }, { max_new_tokens: 10 });
    const drawn = await m.generate({ input_ids: PROMPT }, { max_new_tokens: 10, do_sample: true, top_k: 1 });
    assert.equal(drawn.sequences, greedy.sequences);
  },
  HOST,
);

test("streamed tokens add up to the result, by greedy and by beam search, and so does their text", async () => {
  const m = await brown();
  for (const options of [{ num_beams: 1 }, { num_beams: 4 }]) {
    const want = await m.generate({ input_ids: PROMPT }, { ...options, max_new_tokens: 12 });
    const ids: number[][] = [[], []];
    const texts = ["", ""];
    for await (const { row, token_ids, text } of m.stream({ input_ids: PROMPT }, { ...options, max_new_tokens: 12 })) {
      ids[row].push(...token_ids);
      texts[row] += text;
    }
    ids.forEach((row, b) => assert.equal(row, want.sequences[b].slice(3, want.lengths[b])));
    assert.ok(texts.every((text) => text.length > 0));
  }
});

test("leaving the loop of a stream ends its decoding", async () => {
  const m = await brown();
  let events = 0;
  for await (const _ of m.stream({ input_ids: [[7]] }, { max_new_tokens: 200 })) if (++events === 3) break;
  const { sequences } = await m.generate({ input_ids: [[7]] }, { max_new_tokens: 2 });
  assert.is(sequences[0].length, 3);
});

test("a stop string ends its row with the token that completes it", async () => {
  const m = await brown();
  const free = await m.generate({ input_ids: PROMPT }, { max_new_tokens: 20 });
  const texts: string[] = [];
  for await (const { row, text } of m.stream({ input_ids: PROMPT.slice(0, 1) }, { max_new_tokens: 20 }))
    texts.push(row === 0 ? (text ?? "") : "");
  const stop = texts.join("").slice(8, 12);
  const cut = await m.generate({ input_ids: PROMPT }, { max_new_tokens: 20, stop_strings: [stop] });
  assert.ok(cut.lengths[0] < free.lengths[0]);
  assert.equal(cut.sequences[0].slice(0, cut.lengths[0]), free.sequences[0].slice(0, cut.lengths[0]));
  await refuses(
    () => m.generate({ input_ids: PROMPT }, { stop_strings: "a", num_beams: 2, max_new_tokens: 4 }),
    OptionError,
    /num_beams must be 1 with stop_strings/,
  );
});

test(
  "a logits_processor on the host sees the rows and decides",
  async () => {
    const m = await brown();
    const seen: number[] = [];
    const { sequences } = await m.generate(
      { input_ids: PROMPT },
      {
        max_new_tokens: 3,
        logits_processor(ids, scores) {
          seen.push(ids[0].length);
          scores.forEach((row, r) => row.fill(-1e4).fill(5, 100 + ids[r].length, 101 + ids[r].length));
        },
      },
    );
    assert.equal(seen, [3, 4, 5]);
    assert.equal(
      sequences.map((row) => row.slice(3)),
      [
        [103, 104, 105],
        [101, 102, 103],
      ],
    );
    const plain = await m.generate({ input_ids: PROMPT }, { num_beams: 3, max_new_tokens: 6 });
    const idle = await m.generate(
      { input_ids: PROMPT },
      { num_beams: 3, max_new_tokens: 6, logits_processor: () => {} },
    );
    assert.equal(idle.sequences, plain.sequences);
  },
  HOST,
);

test(
  "a past continues as the whole prompt does, also after fork and truncate",
  async () => {
    const m = await brown();
    const [start, middle] = [
      [
        [12, 900, 45, 77],
        [3, 3],
      ],
      [[8, 9], [500]],
    ];
    const whole = start.map((row, b) => [...row, ...middle[b]]);
    const options = { num_beams: 3, max_new_tokens: 7 };
    const want = await m.generate({ input_ids: whole }, options);
    const past = await m.past({ input_ids: start }, { max_length: 64 });
    assert.equal((await m.generate({ past_key_values: past, input_ids: middle }, options)).sequences, want.sequences);
    const twin = await past.fork();
    await twin.append(middle);
    assert.equal((await m.generate({ past_key_values: twin }, options)).sequences, want.sequences);
    await past.append([[1, 2, 3], [4]]);
    past.truncate(4);
    assert.equal(past.ids, [
      [12, 900, 45, 77],
      [3, 3, 4],
    ]);
    const other = await m.generate(
      {
        input_ids: [
          [12, 900, 45, 77],
          [3, 3, 4],
        ],
      },
      options,
    );
    assert.equal((await m.generate({ past_key_values: past }, options)).sequences, other.sequences);
    await refuses(() => past.append([Array(70).fill(1), []]), InputError, /at most max_length=64 tokens/);
    twin.dispose();
    past.dispose();
  },
  HOST,
);

test(
  "presence_penalty and rules act with beams and without",
  async () => {
    const m = await brown();
    const { sequences } = await m.generate({ input_ids: PROMPT }, { max_new_tokens: 12, presence_penalty: 100 });
    sequences.forEach((row, b) => {
      const own = row.slice(3 - PROMPT[b].length).filter((id) => id !== 0);
      assert.is(new Set(own).size, own.length);
    });
  },
  HOST,
);

test("sentences that outlive the others go on alone, and come out the same", async () => {
  const m = await brown();
  const { V } = m.architecture;
  const rows = randomRows(
    Array.from({ length: 24 }, (_, b) => 1 + (b % 5)),
    17,
    V,
  );
  for (const options of [{ num_beams: 1 }, { num_beams: 1, repetition_penalty: 1.2 }]) {
    // End ids that most sentences reach soon, and two or more never.
    const free = await m.generate({ input_ids: rows }, { ...options, max_new_tokens: 40, eos_token_id: V - 1 });
    const generated = free.sequences.map((row) => row.slice(5));
    const ends = new Set<number>();
    for (const id of generated.flatMap((row) => row.slice(2, 12))) {
      const open = generated.filter((row) => !row.some((other) => other === id || ends.has(other)));
      if (open.length >= 2 && ends.size < 30) ends.add(id);
    }
    const long = { ...options, max_new_tokens: 40, eos_token_id: [...ends] };
    const together = await m.generate({ input_ids: rows }, long);
    assert.ok(together.stats.compactions > 0, `${together.stats.steps} steps without a compaction`);
    for (const [b, row] of rows.entries()) {
      const solo = await m.generate({ input_ids: [row] }, long);
      assert.equal(
        together.sequences[b].slice(5 - row.length, together.lengths[b]),
        solo.sequences[0].slice(0, solo.lengths[0]),
      );
      assert.is(together.sequences_scores?.[b], solo.sequences_scores?.[0]);
    }
  }
});

test("an abort during a long generation rejects with its reason, and the model goes on", async () => {
  const m = await brown();
  const abort = new AbortController();
  const running = m.generate({ input_ids: [[7]] }, { max_new_tokens: 240, signal: abort.signal });
  setTimeout(() => abort.abort(new Error("enough")), 60);
  await refuses(() => running, Error, /enough/);
  assert.is((await m.generate({ input_ids: [[7]] }, { max_new_tokens: 2 })).sequences[0].length, 3);
});
