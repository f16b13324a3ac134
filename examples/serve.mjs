// Models behind HTTP, and the client of the package openai: greedy rows, beams, drawn tokens and a stream at once.
import OpenAI from "openai";
import { createServer, serve } from "wgformer/server";

const models = { prose: "models/gpt2-brown", sounds: "models/g2p-en" };
const server = await createServer(models, { api_key: "secret", engine: { rows: 16 } });
const { url, close } = await serve(server, { port: 0 });
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "secret" });
const { completions } = client;

const prose = { model: "prose", prompt: "The jury said", max_tokens: 12 };
const sounds = { model: "sounds", prompt: "transformer", max_tokens: 30, num_beams: 4, n: 2 };
const streamed = async () => {
  let pieces = 0;
  for await (const { choices } of await completions.create({ ...prose, temperature: 0, stream: true }))
    if (choices[0].text) pieces++;
  return `${pieces} pieces`;
};
const [greedy, drawn, beams, pieces] = await Promise.all([
  completions.create({ ...prose, temperature: 0 }),
  completions.create({ ...prose, seed: 7, n: 2, top_p: 0.9 }),
  completions.create(sounds),
  streamed(),
]);
for (const { choices, usage } of [greedy, drawn, beams])
  console.log(choices.map(({ text }) => JSON.stringify(text)).join(" "), usage?.total_tokens);
console.log(pieces);

const metrics = await (await fetch(`${url}/metrics`, { headers: { authorization: "Bearer secret" } })).text();
console.log(metrics.match(/^wgformer_requests_total\{model="prose",state="finished"\} .*$/m)?.[0]);
console.log(await close());

// Prints:
// ", \"I don't know what I'm going to do" 16
// " he was worthy, \"I am proud of his" " that if he hoped, and the whole person who had" 28
// "T R AE0 N S F AO1 R M ER0" "T R AE2 N S F AO1 R M ER0" 34
// 12 pieces
// wgformer_requests_total{model="prose",state="finished"} 3
// { finished: 0, cut: 0 }
