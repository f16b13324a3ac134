// Decoding from encoder output: of this model's encoder here, but any will do whose states have the width that the decoder
// reads. What each generated token attended to comes with it.
import { readFile } from "node:fs/promises";
import { load } from "wgformer";

const model = await load("models/g2p-en");
const { vocab } = JSON.parse(await readFile("models/g2p-en/tokenizer.json", "utf8")).model;
const tokens = Object.keys(vocab);
const name = (id) => tokens.find((token) => vocab[token] === id);

const letters = Array.from("phoneme");
const input_ids = [[...letters.map((letter) => vocab[letter]), vocab["</s>"]]];
const { last_hidden_state } = await model.encode({ input_ids }); // f32[1,8,D]
const { sequences, cross_attentions } = await model.generate(
  { encoder_outputs: { last_hidden_state } },
  { num_beams: 4, output_attentions: true },
);

if (!cross_attentions) throw new Error("cross_attentions come with output_attentions");
const [, L, H, T, S] = cross_attentions.dims; // rows, layers, heads, generated tokens, source columns
for (let t = 0; t < T - 1; t++) {
  const mean = Array.from({ length: S }, (_, s) =>
    Array.from({ length: L * H }, (_, x) => cross_attentions.data[(x * T + t) * S + s]).reduce((a, b) => a + b, 0),
  );
  const best = mean.indexOf(Math.max(...mean));
  console.log(name(sequences[0][t + 1])?.padEnd(4), letters[best] ?? "end", (mean[best] / L / H).toFixed(2));
}
model.dispose();

// Prints:
// F    p 0.70
// OW1  o 0.51
// N    n 0.69
// IY0  e 0.43
// M    m 0.80
