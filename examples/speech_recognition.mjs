// Speech to text: two recordings, the three best transcripts of one by beam search, and its text as it is heard.
import { pipeline } from "wgformer";

const transcribe = await pipeline("automatic-speech-recognition", "models/moonshine-tiny");
const files = ["tests/fixtures/audio/coffee.wav", "tests/fixtures/audio/train.wav"];
for (const { text } of await transcribe(files)) console.log(text);

const { alternatives = [] } = await transcribe(files[0], { num_beams: 3, num_return_sequences: 3 });
for (const { text, score } of alternatives) console.log(`  ${score?.toFixed(2)} ${text}`);

for await (const { text, final } of transcribe.stream(files[1])) if (final) console.log(text);
transcribe.dispose();

// Prints:
// I would like a cup of coffee and a glass of water.
// The train will leave the station in ten minutes.
//   -0.15 I would like a cup of coffee and a glass of water.
//   -0.20 I would like a couple of coffee and a glass of water.
//   -0.25 I will like a couple of coffee and a glass of water.
// The train will leave the station in ten minutes.
