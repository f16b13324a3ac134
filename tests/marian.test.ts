import { pipeline } from "../src/index.js";
import { checkCheckpoint } from "./support/checkpoint.js";
import { assert, device, folder, readFile, share, suite } from "./support/harness.js";

await checkCheckpoint("tests/fixtures/marian");
await checkCheckpoint("models/g2p-en");

const words = suite("g2p-en, held-out words", { chrome: "Node and Deno show it" });

/** Percent of words that come out wrong: of 1,000, as the README says, and of every tenth of them. */
const ERROR_RATE = { 1: 28.2, 10: 28 }[share];

words("has the word error rate of its README with 4 beams", async () => {
  const lines = new TextDecoder()
    .decode(await readFile("models/g2p-en/heldout.tsv"))
    .trim()
    .split("\n");
  const entries = lines
    .slice(0, 1000)
    .filter((_, index) => index % share === 0)
    .map((line) => line.split("\t"));
  const speak = await pipeline("text2text", folder("models/g2p-en"), { gpu: await device() });
  try {
    const results = await speak(
      entries.map(([word]) => word),
      { num_beams: 4 },
    );
    const wrong = results.filter(([best], index) => !entries[index].slice(1).includes(best.generated_text)).length;
    const rate = (100 * wrong) / results.length;
    assert.ok(Math.abs(rate - ERROR_RATE) < 0.1, `word error rate must be ${ERROR_RATE}%, got ${rate}%`);
  } finally {
    speak.dispose();
  }
});
