// How likely a model finds texts that are given: the log-probability of each token, in one pass without a loop.
import { pipeline } from "wgformer";

const write = await pipeline("text-generation", "models/gpt2-brown");
const prompt = "It was a long";
const continuations = [" time", " table"];

// The ids of a text come first in what is generated after it.
const idsOf = async (text) => (await write(text, { max_new_tokens: 1 }))[0].token_ids.slice(0, -1);
const prefix = await idsOf(prompt);
for (const continuation of continuations) {
  const target = (await idsOf(prompt + continuation)).slice(prefix.length);
  const [scores] = await write.model.score({ input_ids: [prefix] }, [target]);
  console.log(`${scores.reduce((sum, score) => sum + score, 0).toFixed(2)} ${prompt}${continuation}`);
}
write.dispose();

// Prints:
// -0.95 It was a long time
// -6.07 It was a long table
