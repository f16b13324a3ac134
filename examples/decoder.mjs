// Level two, the Decoder: the caller owns the loop. Here a greedy one, which picks the likeliest token of each step.
import { readFile } from "node:fs/promises";
import { load } from "wgformer";

const model = await load("models/g2p-en");
const { vocab } = JSON.parse(await readFile("models/g2p-en/tokenizer.json", "utf8")).model;
const [start, end] = [vocab["<pad>"], vocab["</s>"]]; // as generation_config.json says

const input_ids = [[...Array.from("decoder", (letter) => vocab[letter]), end]];
const decoder = await model.decoder({ input_ids }, { max_length: 20 });
const ids = [start];
while (ids[ids.length - 1] !== end && ids.length < 20) {
  const { data } = await decoder.step([ids[ids.length - 1]]); // logits f32[1,V]
  ids.push(data.indexOf(Math.max(...data)));
}
const tokens = Object.keys(vocab);
console.log(ids.map((id) => tokens.find((token) => vocab[token] === id)).join(" "));
decoder.dispose();
model.dispose();

// Prints:
// <pad> D EH1 K AH0 D ER0 </s>
