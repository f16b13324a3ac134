// Level one, the Encoder: texts as vectors, and which text is most like another.
import { pipeline } from "wgformer";

const embed = await pipeline("feature-extraction", "models/bert-pos");
const texts = ["The boat sails at dawn.", "A ship leaves in the morning.", "He quickly wrote seven letters."];
const vectors = (await embed(texts, { pooling: "mean", normalize: true })).map(({ embedding = [] }) =>
  Array.from(embedding),
);

// The vectors have length 1, so their dot product is the cosine of the angle between them.
const cosine = (a, b) => a.reduce((sum, value, index) => sum + value * b[index], 0);
console.log(`${vectors.length} vectors of ${vectors[0].length} numbers`);
console.log(`${cosine(vectors[0], vectors[1]).toFixed(2)}  ${texts[0]} ${texts[1]}`);
console.log(`${cosine(vectors[0], vectors[2]).toFixed(2)}  ${texts[0]} ${texts[2]}`);
embed.dispose();

// Prints:
// 3 vectors of 192 numbers
// 0.83  The boat sails at dawn. A ship leaves in the morning.
// 0.30  The boat sails at dawn. He quickly wrote seven letters.
