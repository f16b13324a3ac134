// Text that continues a prompt, shown as it is written: first the likeliest words, then random ones from a seed.
import { pipeline } from "wgformer";

const write = await pipeline("text-generation", "models/gpt2-brown");
for (const options of [{ max_new_tokens: 12 }, { max_new_tokens: 12, do_sample: true, top_p: 0.9, seed: 3 }]) {
  process.stdout.write("The jury said");
  for await (const { text } of write.stream("The jury said", options)) process.stdout.write(text);
  console.log();
}
write.dispose();

// Prints:
// The jury said, "I don't know what I'm going to do
// The jury said, "It's not an opportunity to recall anybody
