// Text to text by beam search: the three best pronunciations of each word, with their scores.
import { pipeline } from "wgformer";

const pronounce = await pipeline("text2text", "models/g2p-en");
const words = ["transformer", "beam"];
const results = await pronounce(words, { num_beams: 4, num_return_sequences: 3 });
for (const [index, hypotheses] of results.entries()) {
  console.log(words[index]);
  for (const { generated_text, score } of hypotheses) console.log(`  ${score?.toFixed(2)} ${generated_text}`);
}
pronounce.dispose();

// Prints:
// transformer
//   -0.08 T R AE0 N S F AO1 R M ER0
//   -0.39 T R AE2 N S F AO1 R M ER0
//   -0.42 T R AE1 N S F AO2 R M ER0
// beam
//   -0.07 B IY1 M
//   -1.48 B EY1 M
//   -1.53 B AH0 M
