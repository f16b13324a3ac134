import {
  type GenerateInputs,
  load,
  type Model,
  OptionError,
  pipeline,
  type SearchStep,
  type SentenceStep,
} from "../src/index.js";
import type { CallOptions } from "../src/model/model.js";
import { assert, device, folder, readJson, refuses, suite } from "./support/harness.js";

const test = suite("steps of a search", {
  chrome: "Node shows it: the device runs nothing new",
  deno: "Node shows it",
});
const open = async (name: string): Promise<Model> =>
  load(folder(`tests/differential/${name}`), { gpu: await device() });

type Candidate = [token: number, parent: number, logprob: number, score: number, fate: string, beamOrReason?: unknown];
type Sentence = [group: number, Candidate[], [number, number][], [number[], number][], done?: string];
type Top = [token: number, logprob: number];

/** What tests/oracle/steps.py found. */
interface Reference {
  readonly steps: readonly [family: string, source: number[], options: object, steps: Sentence[][]][];
  /** The best tokens of each step of each result, and then the log-probability of the token itself. */
  readonly tops: readonly [
    family: string,
    source: number[],
    options: object,
    rows: number[][],
    tops: (Top | number)[][][],
  ][];
}
const reference = readJson<Reference>("tests/fixtures/steps.json");

const inputsOf = (source: number[]) => ({ input_ids: [source], attention_mask: [source.map(() => 1)] });
const near = (got: number, want: number, told: string): void =>
  assert.ok(Math.abs(got - want) < 5e-5 * Math.max(1, Math.abs(want)), `${told}: ${want}, got ${got}`);

/** Throws unless a step did to a sentence what it must. */
function checkSentence(got: SentenceStep, [group, candidates, beams, finished, done]: Sentence, told: string): void {
  assert.is(got.sentence, group, told);
  assert.is(got.done, done, told);
  const fate = ({ fate, beam, reason }: SentenceStep["candidates"][number]): unknown[] => [fate, beam ?? reason];
  assert.equal(
    got.candidates.map((one) => [one.token_id, one.parent, ...fate(one)]),
    candidates.map(([token, parent, , , fate, more]) => [token, parent, fate, more]),
    told,
  );
  got.candidates.forEach((one, i) => {
    near(one.logprob, candidates[i][2], `${told}: log-probability of candidate ${i}`);
    near(one.score, candidates[i][3], `${told}: score of candidate ${i}`);
  });
  assert.equal(
    got.beams.map((beam) => [beam.token_id, beam.parent]),
    beams,
    told,
  );
  for (const one of got.candidates.filter(({ beam }) => beam !== undefined))
    assert.is(got.beams[one.beam!].score, one.score, told);
  assert.equal(
    got.finished.map(({ token_ids }) => token_ids),
    finished.map(([ids]) => ids),
    told,
  );
  got.finished.forEach((one, i) => near(one.score, finished[i][1], `${told}: score of hypothesis ${i}`));
}

for (const family of ["marian", "gpt2", "llama"])
  test(`${family}: every candidate, parent, score and fate of another search`, async () => {
    const model = await open(family);
    const fates = new Set<unknown>();
    const cases = (await reference).steps.filter(([name]) => name === family);
    for (const [index, [, source, options, wanted]] of cases.entries()) {
      const seen: SearchStep[] = [];
      const told = JSON.stringify([source, options]);
      const inputs = inputsOf(source);
      const watched = await model.generate(inputs, { ...options, onStep: (step) => void seen.push(step) });
      assert.is(seen.length, wanted.length, told);
      seen.forEach(({ step, sentences }, t) => {
        assert.is(step, t + 1);
        assert.is(sentences.length, wanted[t].length, told);
        sentences.forEach((one, i) => checkSentence(one, wanted[t][i], `${told} step ${step}`));
        for (const { candidates, done } of sentences)
          [done, ...candidates.flatMap(({ fate, reason }) => [fate, reason])].forEach((one) => fates.add(one));
      });
      if (index % 3) continue;
      const { stats, ...alone } = await model.generate(inputs, options);
      assert.equal(watched.stats.launches, stats.launches, told);
      assert.equal(
        { ...watched, stats: undefined },
        { ...alone, stats: undefined },
        `${told}: as it is without a hook`,
      );
    }
    const all = [
      "kept",
      "finished",
      "rank",
      "worse",
      "done",
      "diversity",
      "max_length",
      "ended",
      "no_better",
      "early_stopping",
    ];
    for (const one of family === "marian" ? all : ["kept", "finished", "rank", "done"]) assert.ok(fates.has(one), one);
    model.dispose();
  });

for (const family of ["marian", "gpt2"])
  test(`${family}: the best tokens of each step as Transformers has them`, async () => {
    const model = await open(family);
    for (const [, source, options, rows, tops] of (await reference).tops.filter(([name]) => name === family)) {
      const told = JSON.stringify([source, options]);
      const call = { ...options, output_scores: true };
      const { top_logprobs = [], token_scores = [], sequences, lengths } = await model.generate(inputsOf(source), call);
      const drawn = "do_sample" in options; // another path from the second token on
      rows.forEach((row, r) => {
        if (!drawn) assert.equal(sequences[r].slice(lengths[r] - row.length, lengths[r]), row, told);
        assert.is(top_logprobs[r].length, token_scores[r].length);
        tops[r].slice(0, drawn ? 1 : undefined).forEach((step, t) => {
          const best = step.slice(0, -1) as Top[];
          assert.equal(
            top_logprobs[r][t].map(({ token_id }) => token_id),
            best.map(([id]) => id),
            `${told} row ${r} token ${t}`,
          );
          top_logprobs[r][t].forEach(({ logprob }, i) => near(logprob, best[i][1], `${told} row ${r} token ${t}`));
          if (!drawn) near(token_scores[r][t], step[step.length - 1] as number, told);
        });
      });
      top_logprobs.forEach((row, r) =>
        row.forEach((best, t) => {
          const own = best.find(({ token_id }) => token_id === sequences[r][lengths[r] - row.length + t]);
          if (own) near(own.logprob, token_scores[r][t], `${told}: the token itself`);
        }),
      );
    }
    model.dispose();
  });

const SOURCES = Array.from({ length: 16 }, (_, b) =>
  Array.from({ length: 1 + (b % 7) }, (_, i) => 1 + ((13 * b + 29 * i) % 84)),
);
const MOST = Array.from({ length: 90 }, (_, i) => i);

/** The steps of a call. */
async function watch(model: Model, inputs: GenerateInputs, options: CallOptions): Promise<SearchStep[]> {
  const seen: SearchStep[] = [];
  await model.generate(inputs, { ...options, onStep: (step) => void seen.push(step) });
  return seen;
}

test("steps and best tokens of a row of a batch are those that it has alone, also after sentences were left out", async () => {
  const model = await open("marian");
  const own = { search: "opennmt", length_penalty: 0.6, eos_token_id: MOST } as const;
  const options = { ...own, num_beams: 3, max_new_tokens: 40, top_logprobs: 3 };
  const steps: SearchStep[] = [];
  const result = await model.generate({ input_ids: SOURCES }, { ...options, onStep: (step) => void steps.push(step) });
  assert.ok(result.stats.compactions > 0);
  for (const b of [0, 9]) {
    const alone = await watch(model, { input_ids: [SOURCES[b]] }, options);
    assert.equal(
      steps.flatMap(({ sentences }) => sentences.filter(({ row }) => row === b)),
      alone.map(({ sentences: [one] }) => ({ ...one, row: b })),
      `row ${b}`,
    );
    const { top_logprobs } = await model.generate({ input_ids: [SOURCES[b]] }, options);
    assert.equal(result.top_logprobs![b], top_logprobs![0]);
  }
  model.dispose();
});

test("parents lead from every hypothesis to its tokens", async () => {
  const model = await open("marian");
  for (const search of ["transformers", "opennmt"] as const) {
    const options = { num_beams: 4, search, eos_token_id: MOST.slice(0, 30), max_new_tokens: 12 };
    const steps = (await watch(model, { input_ids: [SOURCES[5]] }, options)).map(({ sentences: [one] }) => one);
    for (const { token_ids, step, parent } of steps[steps.length - 1].finished) {
      const path = [token_ids[step - 1]];
      for (let s = step - 2, w = parent; s >= 0; w = steps[s--].beams[w].parent)
        path.unshift(steps[s].beams[w].token_id);
      assert.equal(path, token_ids, search);
    }
  }
  model.dispose();
});

test("samples are sentences of their input, with the token that was drawn; alternatives say which they are", async () => {
  const model = await open("gpt2");
  const sampled = { do_sample: true, num_return_sequences: 3, seed: 5, max_new_tokens: 4 };
  const drawn = await watch(
    model,
    {
      input_ids: [
        [5, 9],
        [7, 3],
      ],
    },
    sampled,
  );
  assert.equal(
    drawn[0].sentences.map(({ row, sentence }) => [row, sentence]),
    [0, 1].flatMap((row) => [0, 1, 2].map((sentence) => [row, sentence])),
  );
  const { sequences } = await model.generate(
    {
      input_ids: [
        [5, 9],
        [7, 3],
      ],
    },
    sampled,
  );
  drawn[1].sentences.forEach(({ row, sentence, candidates: [one], beams: [beam] }) => {
    assert.is(one.token_id, sequences[3 * row + sentence][3]);
    assert.equal([one.fate, one.score], ["kept", beam.score]);
  });
  const options = {
    return_alternatives: true,
    num_return_sequences: 3,
    num_beams: 2,
    max_new_tokens: 3,
    top_logprobs: 2,
  };
  const [first, ...rest] = await watch(model, { input_ids: [[5, 9]] }, options);
  assert.equal(
    first.sentences.map(({ row, alternative, done }) => [row, alternative, done]),
    [[0, undefined, "max_length"]],
  );
  assert.equal(
    rest[0].sentences.map(({ row, alternative }) => [row, alternative]),
    [
      [0, 0],
      [0, 1],
      [0, 2],
    ],
  );
  const found = await model.generate({ input_ids: [[5, 9]] }, options);
  assert.equal(
    found.sequences.map((row) => row[2]),
    first.sentences[0].finished.map(({ token_ids }) => token_ids[0]),
  );
  assert.equal(rest.at(-1)!.sentences[1].finished[0].token_ids, found.sequences[1].slice(2));
  assert.ok(found.top_logprobs!.every((row) => row.length === 3 && row.every((best) => best.length === 2)));
  model.dispose();
});

test("events of a stream have the log-probabilities and best tokens that the results have", async () => {
  const model = await open("marian");
  const inputs = { input_ids: SOURCES.slice(0, 3) };
  for (const options of [{ num_beams: 3 }, { do_sample: true, seed: 3, top_p: 0.8 }, { logits_processor: () => {} }]) {
    const all = { ...options, max_new_tokens: 6, top_logprobs: 4, output_scores: true };
    const { token_scores, top_logprobs } = await model.generate(inputs, all);
    const got = inputs.input_ids.map(() => ({ logprobs: [] as number[], tops: [] as unknown[] }));
    for await (const event of model.stream(inputs, all)) {
      assert.is(event.logprobs!.length, event.token_ids.length);
      got[event.row].logprobs.push(...event.logprobs!);
      got[event.row].tops.push(...event.top_logprobs!);
    }
    assert.equal(
      got,
      token_scores!.map((logprobs, row) => ({ logprobs, tops: top_logprobs![row] })),
    );
  }
  for await (const event of model.stream(inputs, { max_new_tokens: 2 })) assert.not("logprobs" in event);
  model.dispose();
});

test("the best tokens of samples take a launch more a step, those of beams none", async () => {
  const model = await open("gpt2");
  const launches = async (options: CallOptions): Promise<number> =>
    (await model.generate({ input_ids: [[5]] }, { max_new_tokens: 2, ...options })).stats.launches.step;
  const [plain, drawn] = [await launches({}), await launches({ do_sample: true })];
  assert.is(await launches({ top_logprobs: 128, onStep: () => {} }), plain);
  assert.is(await launches({ do_sample: true, onStep: () => {} }), drawn);
  assert.is(await launches({ do_sample: true, top_logprobs: 1 }), drawn + 1);
  model.dispose();
});

test("the search waits for the hook; what it throws, and a signal that it aborts, end the call", async () => {
  const model = await open("gpt2");
  const inputs = { input_ids: [[5]] };
  let [inside, calls] = [0, 0];
  const slow = async (): Promise<void> => {
    assert.is(++inside, 1);
    await new Promise((resolve) => setTimeout(resolve, 5));
    [inside, calls] = [inside - 1, calls + 1];
  };
  const { lengths } = await model.generate(inputs, { max_new_tokens: 4, eos_token_id: null, onStep: slow });
  assert.equal([calls, lengths[0]], [4, 5]);
  const fail = (): never => {
    throw new RangeError("enough");
  };
  await refuses(() => model.generate(inputs, { max_new_tokens: 4, onStep: fail }), RangeError, /^enough$/);
  const drain = async (): Promise<void> => {
    for await (const { row } of model.stream(inputs, { onStep: async () => fail() })) assert.is(row, 0);
  };
  await refuses(drain, RangeError, /^enough$/);
  for (const last of [1, 4]) {
    const { signal, abort } = ((controller) => ({
      signal: controller.signal,
      abort: () => controller.abort(new RangeError("stop")),
    }))(new AbortController());
    const onStep = ({ step }: SearchStep): void => (step === last ? abort() : undefined);
    const call = model.generate(inputs, { max_new_tokens: 4, eos_token_id: null, signal, onStep });
    await refuses(() => call, RangeError, /^stop$/);
  }
  await refuses(
    () => model.generate(inputs, { onStep: 5 as never }),
    OptionError,
    /^generate: onStep must be a function/,
  );
  const grouped = { num_beams: 6, num_beam_groups: 3, diversity_penalty: 1, top_logprobs: 125 };
  await refuses(() => model.generate(inputs, grouped), OptionError, /^generate: top_logprobs must be at most 124 with/);
  model.dispose();
});

test("a task says which text a step is about, and gives log-probabilities with its results", async () => {
  const speak = await pipeline("text2text", folder("models/g2p-en"), { gpu: await device() });
  const seen = new Set<number>();
  const onStep = ({ sentences }: SearchStep): void => sentences.forEach(({ row }) => seen.add(row));
  const results = await speak(["a", "read", "transformer"], {
    batch_size: 2,
    onStep,
    top_logprobs: 2,
    output_scores: true,
  });
  assert.equal(
    [...seen].sort((a, b) => a - b),
    [0, 1, 2],
  );
  for (const [{ token_ids, logprobs, top_logprobs }] of results) {
    assert.is(logprobs!.length, token_ids.length - 1);
    assert.equal(
      top_logprobs!.map((best) => best.length),
      logprobs!.map(() => 2),
    );
  }
  let ends: string | undefined;
  const stopping = {
    num_beams: 1,
    stop_strings: "D",
    onStep: ({ sentences: [one] }: SearchStep) => void (ends = one?.done),
  };
  await speak("read", stopping);
  assert.is(ends, "stop_string");
  speak.dispose();
});
