import { checkCheckpoint, openModel } from "./support/checkpoint.js";
import { assert, suite } from "./support/harness.js";
import { padded, randomRows } from "./support/rows.js";

const FAMILIES = ["gpt2", "llama", "llama3-rope", "qwen2", "qwen3"].map((name) => `tests/fixtures/${name}`);

for (const path of FAMILIES) await checkCheckpoint(path);
await checkCheckpoint("models/gpt2-brown", undefined, { chrome: "the tiny GPT-2 stands for it" });

const laws = suite("decoder-only laws");

for (const path of FAMILIES) {
  laws(`${path}: a row of a ragged batch is the row alone, by greedy and by beam search`, async () => {
    const m = await openModel(path);
    const { V } = m.architecture;
    for (const [seed, lengths] of [[1], [5, 1, 9], [2, 12, 7, 1, 3, 16, 4, 8, 6]].entries()) {
      const rows = randomRows(lengths, seed, V);
      for (const options of [{ num_beams: 1 }, { num_beams: 3, num_return_sequences: 2 }]) {
        const together = await m.generate({ input_ids: rows }, { ...options, max_new_tokens: 9, output_scores: true });
        const each = options.num_return_sequences ?? 1;
        for (const [b, row] of rows.entries()) {
          const solo = await m.generate({ input_ids: [row] }, { ...options, max_new_tokens: 9, output_scores: true });
          for (let rank = 0; rank < each; rank++) {
            const [from, to] = [Math.max(...lengths) - row.length, together.lengths[b * each + rank]];
            assert.equal(
              together.sequences[b * each + rank].slice(from, to),
              solo.sequences[rank].slice(0, solo.lengths[rank]),
            );
            assert.equal(together.token_scores?.[b * each + rank], solo.token_scores?.[rank]); // bit for bit
          }
        }
      }
    }
  });

  laws(`${path}: padded left, padded right and plain rows are the same`, async () => {
    const m = await openModel(path);
    const rows = randomRows([3, 7, 1, 5], 9, m.architecture.V);
    const options = { num_beams: 2, max_new_tokens: 6 };
    const plain = await m.generate({ input_ids: rows }, options);
    for (const side of ["left", "right"] as const) {
      const got = await m.generate(padded(rows, side, 4), options);
      const lead = (b: number): number => (side === "left" ? 7 - rows[b].length : 0); // comes back as it was given
      assert.equal(
        got.sequences,
        plain.sequences.map((row, b) => row.map((id, t) => (t < lead(b) ? 4 : id))),
      );
      assert.equal(got.sequences_scores, plain.sequences_scores);
    }
  });

  laws(`${path}: what generate says of its tokens is what score says`, async () => {
    const m = await openModel(path);
    const rows = randomRows([3, 8, 1], 11, m.architecture.V);
    const { sequences, lengths, token_scores } = await m.generate(
      { input_ids: rows },
      { max_new_tokens: 7, output_scores: true },
    );
    const targets = sequences.map((row, b) => row.slice(8, lengths[b]));
    const scored = await m.score({ input_ids: rows }, targets);
    scored.forEach((list, b) =>
      list.forEach((value, t) => {
        assert.ok(Math.abs(value - (token_scores?.[b][t] ?? NaN)) < 1e-5, `row ${b}, token ${t}`);
      }),
    );
  });
}
