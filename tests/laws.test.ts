import { InputError, load, type Model } from "../src/index.js";
import type { DecoderCore } from "../src/model/core.js";
import { forward } from "../src/model/decode/forward.js";
import { planCall } from "../src/model/decode/generate.js";
import { decodeAlone } from "../src/model/loop/decode.js";
import type { DecoderArchitecture } from "../src/model/graph/architecture.js";
import { decoderPrompt, lmHead, sourceKeys } from "../src/model/graph/decoder.js";
import { encoder } from "../src/model/graph/encoder.js";
import { packRows, packSpans } from "../src/model/inputs.js";
import { record } from "../src/runtime/plan.js";
import { tensor } from "../src/runtime/tensor.js";
import { verify } from "../src/runtime/verify.js";
import { assert, device, randoms, refuses, suite } from "./support/harness.js";
import { worstError } from "./support/golden.js";
import { padded } from "./support/rows.js";
import { tinyMarian } from "./support/tiny.js";

const test = suite("laws");
const D = 32;
const V = 61;
let loading: Promise<Model> | undefined;
const model = async (): Promise<Model> =>
  (loading ??= load(tinyMarian({ D, V, layers: 2 }, 11), { gpu: await device() }));

/** Random token rows of these lengths. */
function sentences(lengths: readonly number[], seed: number): number[][] {
  const random = randoms(seed);
  return lengths.map((length) => Array.from({ length }, () => 1 + Math.floor(((random() + 1) / 2) * (V - 2))));
}

test("packed, padded on either side, and solo rows have the same encoder states, bit for bit", async () => {
  const m = await model();
  const rows = sentences([1, 7, 3, 12, 2, 30], 1);
  const packed = await m.encode({ input_ids: rows });
  for (const side of ["left", "right"] as const) {
    const {
      last_hidden_state: { dims, data },
    } = await m.encode(padded(rows, side, V - 1));
    const shift = side === "left" ? 30 : 0;
    rows.forEach(({ length }, b) => {
      const from = (b * 30 + (shift && 30 - length)) * D;
      assert.equal(
        data.slice(from, from + length * D),
        packed.last_hidden_state.data.slice(b * 30 * D, (b * 30 + length) * D),
      );
    });
    assert.equal(dims, [6, 30, D]);
  }
  for (const [b, row] of rows.entries()) {
    const solo = await m.encode({ input_ids: [row] });
    assert.equal(
      solo.last_hidden_state.data,
      packed.last_hidden_state.data.slice(b * 30 * D, (b * 30 + row.length) * D),
    );
  }
});

test("the decoder over a whole target gives what its steps give", async () => {
  const m = await model();
  const [sources, targets] = [sentences([5, 9, 2], 2), sentences([8, 8, 8], 3)];
  const { logits } = await m.forward({ input_ids: sources, decoder_input_ids: targets });
  const decoder = await m.decoder({ input_ids: sources }, { max_length: 8 });
  for (let t = 0; t < 8; t++) {
    const step = await decoder.step(targets.map((row) => row[t]));
    const want = Float32Array.from(
      { length: 3 * V },
      (_, i) => logits!.data[(Math.floor(i / V) * 8 + t) * V + (i % V)],
    );
    const error = worstError(step, { dims: [3, V], data: want });
    assert.ok(error < 1e-5, `step ${t} is ${error} off`);
  }
  decoder.dispose();
});

test("sources given as features that are rows of the token table decode as their ids do", async () => {
  const m = await load(tinyMarian({ D: 16, V, layers: 2 }, 12), { gpu: await device() }); // embeddings times 4: exact
  const ids = sentences([5, 9, 2], 44);
  const [table] = (await m.gpu.read(m.weights.get("encoder.embed_tokens.weight"))) as Float32Array[];
  const scale = m.architecture.encoder!.embeddingScale;
  const features = ids.map((row) => ({
    features: Float32Array.from(row.flatMap((id) => [...table.subarray(id * 16, (id + 1) * 16)].map((x) => x * scale))),
    length: row.length,
  }));
  const options = { num_beams: 3, num_return_sequences: 2, output_scores: true, max_new_tokens: 8 };
  const want = await m.generate({ input_ids: ids }, options);
  const got = await m.run(async (core) => {
    const decoding = core as DecoderCore;
    const decode = decodeAlone(decoding);
    const { job, g } = planCall(decoding, m.generationDefaults, { input_ids: ids }, options);
    await refuses(
      () => decode({ ...job, sources: [{ ids: ids[0] }, ...features.slice(1)] }, g),
      InputError,
      /^encoder: a batch must be all token ids or all features, got 1 of 3 as ids/,
    );
    return decode({ ...job, sources: features }, g);
  });
  got.hypotheses.flat().forEach(({ ids, score, logProbs }, row) => {
    assert.equal([V - 1, ...ids], want.sequences[row].slice(0, want.lengths[row]));
    assert.is(score, want.sequences_scores![row]);
    assert.equal(logProbs, want.token_scores![row]);
  });
  const forwarded = await m.run((core) =>
    forward(core as DecoderCore, { targets: ids, sources: features }, { logits: true }),
  );
  const whole = await m.forward({ input_ids: ids, decoder_input_ids: ids });
  assert.equal(forwarded.targets[0].logits, whole.logits!.data.subarray(0, 5 * V));
  m.dispose();
});

test("steps whose beams change parents give what their whole sequences give", async () => {
  const m = await model();
  const source = sentences([6], 4);
  const decoder = await m.decoder({ input_ids: source }, { max_length: 6, num_beams: 3 });
  const random = randoms(5);
  let beams: number[][] = [[], [], []];
  for (let t = 0; t < 6; t++) {
    const parents = t === 0 ? [0, 1, 2] : [0, 1, 2].map(() => Math.floor(((random() + 1) / 2) * 3));
    const ids = sentences([3], 20 + t)[0];
    beams = parents.map((parent, w) => [...beams[parent], ids[w]]);
    const step = await decoder.step(ids, parents);
    const { logits } = await m.forward({ input_ids: [source[0], source[0], source[0]], decoder_input_ids: beams });
    const last = Float32Array.from(
      { length: 3 * V },
      (_, i) => logits!.data[(Math.floor(i / V) * (t + 1) + t) * V + (i % V)],
    );
    assert.ok(worstError(step, { dims: [3, V], data: last }) < 1e-5);
  }
  decoder.dispose();
});

test("greedy search is the step's best token, again and again", async () => {
  const m = await model();
  const sources = sentences([4, 11, 1, 6], 6);
  const { sequences } = await m.generate({ input_ids: sources }, { num_beams: 1, max_new_tokens: 12 });
  for (const [b, source] of sources.entries()) {
    const decoder = await m.decoder({ input_ids: [source] }, { max_length: 12 });
    const row = [V - 1];
    while (row.length <= 12 && row[row.length - 1] !== 0) {
      const { data } = await decoder.step([row[row.length - 1]]);
      row.push(data.indexOf(Math.max(...data)));
    }
    assert.equal(sequences[b].slice(0, row.length), row);
    assert.ok(sequences[b].slice(row.length).every((id) => id === V - 1));
    decoder.dispose();
  }
});

test("a row of any batch is the row alone, by greedy and by beam search", async () => {
  const m = await model();
  for (let size = 2; size <= 9; size += 3) {
    const sources = sentences(
      Array.from({ length: size }, (_, b) => 1 + ((7 * b + size) % 13)),
      30 + size,
    );
    for (const options of [{ num_beams: 1 }, { num_beams: 3, num_return_sequences: 2 }]) {
      const together = await m.generate({ input_ids: sources }, { ...options, max_new_tokens: 10 });
      const each = options.num_return_sequences ?? 1;
      for (const [b, source] of sources.entries()) {
        const solo = await m.generate({ input_ids: [source] }, { ...options, max_new_tokens: 10 });
        solo.sequences.forEach((row, rank) =>
          assert.equal(together.sequences[b * each + rank].slice(0, row.length), row),
        );
        assert.equal(together.sequences_scores?.slice(b * each, (b + 1) * each), solo.sequences_scores);
      }
    }
  }
});

test("sources that outlive the others go on alone in a smaller beam search, and come out the same", async () => {
  const m = await model();
  const sources = sentences(
    Array.from({ length: 32 }, (_, b) => 1 + (b % 9)),
    41,
  );
  const eos_token_id = [0, 3, 7, 11, 20, 25, 33, 41, 47, 52]; // most sentences end within ten tokens, some never
  const options = {
    num_beams: 3,
    early_stopping: true,
    max_new_tokens: 36,
    num_return_sequences: 2,
    no_repeat_ngram_size: 4,
    eos_token_id,
  };
  const together = await m.generate({ input_ids: sources }, options);
  assert.ok(together.stats.compactions > 0, `${together.stats.steps} steps without a compaction`);
  for (const [b, source] of sources.entries()) {
    const solo = await m.generate({ input_ids: [source] }, options);
    solo.sequences.forEach((row, rank) =>
      assert.equal(together.sequences[2 * b + rank].slice(0, solo.lengths[rank]), row.slice(0, solo.lengths[rank])),
    );
    assert.equal(together.sequences_scores?.slice(2 * b, 2 * b + 2), solo.sequences_scores);
  }
});

test("diverse beams are those of a plain search on the host", async () => {
  const m = await model();
  const [groups, per, most, penalty] = [3, 2, 7, 0.8];
  for (const source of sentences([4, 1, 9], 43)) {
    const want = await diverse(m, source, groups, per, most, penalty);
    const options = {
      num_beams: groups * per,
      num_beam_groups: groups,
      diversity_penalty: penalty,
      num_return_sequences: 4,
      max_new_tokens: most,
    };
    const { sequences, sequences_scores, lengths } = await m.generate({ input_ids: [source] }, options);
    want.slice(0, 4).forEach(({ ids, score }, rank) => {
      assert.equal(sequences[rank].slice(0, lengths[rank]), ids);
      assert.ok(Math.abs((sequences_scores?.[rank] ?? NaN) - score) < 1e-5);
    });
  }
});

/** Diverse beam search in numbers: groups in turn, each a beam search that loses `penalty` for ids chosen by those before it. */
async function diverse(m: Model, source: number[], groups: number, per: number, most: number, penalty: number) {
  const state = Array.from({ length: groups }, () => ({
    running: [{ ids: [V - 1], sum: 0 }],
    finished: [] as { ids: number[]; score: number }[],
    done: false,
  }));
  for (let length = 1; length <= most; length++) {
    const chosen: number[] = [];
    for (const group of state) {
      if (group.done) continue;
      const { logits } = await m.forward({
        input_ids: group.running.map(() => source),
        decoder_input_ids: group.running.map(({ ids }) => ids),
      });
      const candidates = group.running
        .flatMap(({ ids, sum }, row) => {
          const last = [...logits!.data.slice((row * length + length - 1) * V, (row * length + length) * V)];
          const normaliser = Math.log(last.reduce((total, logit) => total + Math.exp(logit), 0));
          return last.map((logit, id) => ({
            ids: [...ids, id],
            sum: sum + logit - normaliser - penalty * chosen.filter((other) => other === id).length,
          }));
        })
        .sort((a, b) => b.sum - a.sum)
        .slice(0, 2 * per);
      const stops = ({ ids }: { ids: number[] }): boolean => ids[length] === 0 || length === most;
      const ended = candidates.filter((candidate, rank) => stops(candidate) && rank < per);
      group.finished = [...group.finished, ...ended.map(({ ids, sum }) => ({ ids, score: sum / length }))]
        .sort((a, b) => b.score - a.score)
        .slice(0, per);
      group.running = candidates.filter((candidate) => !stops(candidate)).slice(0, per);
      const full = group.finished.length === per;
      group.done = length === most || (full && group.running[0].sum / length <= group.finished[per - 1].score);
      if (!group.done) chosen.push(...group.running.map(({ ids }) => ids[length]));
    }
  }
  return state.flatMap(({ finished }) => finished).sort((a, b) => b.score - a.score);
}

test("two runs are bit-equal", async () => {
  const m = await model();
  const input_ids = sentences([3, 14, 8], 7);
  const [first, second] = [0, 1].map(() =>
    m.generate({ input_ids }, { num_beams: 4, num_return_sequences: 4, max_new_tokens: 14 }),
  );
  assert.equal((await first).sequences, (await second).sequences);
  assert.equal((await first).sequences_scores, (await second).sequences_scores);
});

test("wide beams over a tiny vocabulary find what exhaustive search finds", async () => {
  const V = 5;
  const m = await load(tinyMarian({ D: 16, V, layers: 1 }, 3), { gpu: await device() });
  for (const source of [
    [1, 2, 0],
    [3, 0],
    [2, 2, 4, 1, 0],
  ]) {
    const want = await exhaustive(m, source, V, 3);
    const options = { num_beams: 16, num_return_sequences: 10, early_stopping: "never", max_new_tokens: 3 } as const;
    const { sequences, sequences_scores } = await m.generate(
      { input_ids: [source], attention_mask: [source.map(() => 1)] },
      options,
    );
    want.slice(0, 10).forEach(({ ids, score }, rank) => {
      assert.equal(sequences[rank].slice(0, ids.length), ids);
      assert.ok(Math.abs((sequences_scores?.[rank] ?? NaN) - score) < 1e-5);
    });
  }
  m.dispose();
});

/** Every target of at most `most` tokens that ends in the end id or is that long, best average log-probability first. */
async function exhaustive(m: Model, source: number[], V: number, most: number) {
  const found: { ids: number[]; score: number }[] = [];
  let open = [{ ids: [V - 1], sum: 0 }];
  for (let length = 1; length <= most; length++) {
    const { logits } = await m.forward({
      input_ids: open.map(() => source),
      decoder_input_ids: open.map(({ ids }) => ids),
    });
    const next: typeof open = [];
    open.forEach(({ ids, sum }, row) => {
      const last = [...logits!.data.slice((row * length + length - 1) * V, (row * length + length) * V)];
      const normaliser = Math.log(last.reduce((total, logit) => total + Math.exp(logit), 0));
      last.forEach((logit, id) => {
        const candidate = { ids: [...ids, id], sum: sum + logit - normaliser };
        if (id === 0 || length === most) found.push({ ids: candidate.ids, score: candidate.sum / length });
        else next.push(candidate);
      });
    });
    open = next;
  }
  return found.sort((a, b) => b.score - a.score);
}

test("every launch of encoder and decoder agrees with its reference on the GPU's own inputs", async () => {
  const m = await model();
  const gpu = await device();
  const [B, M] = [3, 4];
  const [sources, targets] = [sentences([5, 9, 2], 8), sentences([M, M, M], 9)];
  const state = (name: string, rows: number[][]) => ({
    rows: tensor(`${name}_rows`, "u32", [rows.flat().length, 4]),
    spans: tensor(`${name}_spans`, "u32", [rows.length, 2]),
  });
  const [source, target] = [state("source", sources), state("target", targets)];
  for (const [{ rows, spans }, ids] of [
    [source, sources],
    [target, targets],
  ] as const) {
    gpu.write(rows, packRows(ids));
    gpu.write(spans, packSpans(ids));
  }
  const N = B * M;
  const slotOf = (n: number): number => N - 1 - n;
  const slots = tensor("slots", "u32", [N]);
  gpu.write(
    slots,
    Uint32Array.from({ length: N }, (_, n) => slotOf(n)),
  );
  gpu.write(
    target.rows,
    packRows(targets).map((value, i) => (i % 4 === 3 ? slotOf(Math.floor(i / 4)) : value)),
  );
  const graph = { ...m, architecture: m.architecture as DecoderArchitecture };
  const caches = Array.from({ length: graph.architecture.decoder.depth }, (_, l) =>
    tensor(`cache ${l}`, "f32", [N, 2 * D]),
  );
  const plan = record("forward", (run) => {
    const encoded = encoder(run, graph, source);
    const cross = { kv: sourceKeys(run, graph, encoded), spans: source.spans };
    lmHead(run, graph, decoderPrompt(run, graph, { ...target, past: { caches }, slots, cross }));
  });
  assert.is(await verify(gpu, plan, 2e-5), undefined); // measured 6e-6, in attention
  gpu.memory.free([source.rows, source.spans, target.rows, target.spans, slots, ...caches]);
});
