import { pipeline } from "../src/index.js";
import { checkCheckpoint, folder } from "./support/checkpoint.js";
import { assert, device, readFile, suite } from "./support/harness.js";

await checkCheckpoint("tests/fixtures/marian");
await checkCheckpoint("models/g2p-en");

const words = suite("g2p-en, 1,000 held-out words");

words("has the word error rate of its README with 4 beams: 28.2%", async () => {
  const lines = new TextDecoder()
    .decode(await readFile("models/g2p-en/heldout.tsv"))
    .trim()
    .split("\n")
    .slice(0, 1000);
  const entries = lines.map((line) => line.split("\t"));
  const speak = await pipeline("text2text", folder("models/g2p-en"), { gpu: await device() });
  try {
    const results = await speak(
      entries.map(([word]) => word),
      { num_beams: 4 },
    );
    const wrong = results.filter(([best], index) => !entries[index].slice(1).includes(best.generated_text)).length;
    assert.ok(Math.abs(wrong / 10 - 28.2) < 0.1, `word error rate is ${wrong / 10}%`);
  } finally {
    speak.dispose();
  }
});
