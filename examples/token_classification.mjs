// Labels for the words of a text, each with its place in the text and how sure the model is.
import { pipeline } from "wgformer";

const tag = await pipeline("token-classification", "models/bert-pos");
const { entities } = await tag("The old boat sails at dawn.", { aggregation_strategy: "first" });
for (const { word, entity, start, end, score } of entities) {
  console.log(`${start}-${end} ${word} ${entity} ${score.toFixed(2)}`);
}
tag.dispose();

// Prints:
// 0-3 The DET 1.00
// 4-7 old ADJ 1.00
// 8-12 boat NOUN 1.00
// 13-18 sails NOUN 0.94
// 19-21 at ADP 1.00
// 22-26 dawn NOUN 0.98
// 26-27 . PUNCT 1.00
