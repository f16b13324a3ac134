import type OpenAI from "openai";
import { assert, readFile, suite } from "./support/harness.js";
import { aiSDK, errorOf, MODELS, openAI, post, server, TEMPLATE } from "./support/served.js";

const elsewhere = "the clients and the listening server run in Node";
const test = suite("serve", { deno: elsewhere, chrome: elsewhere });

interface Served {
  readonly url: string;
  readonly client: OpenAI;
  close(): Promise<unknown>;
}

let opening: Promise<Served> | undefined; // by the first test, closed by the last
const served = (): Promise<Served> =>
  (opening ??= (async () => {
    const { createServer, serve } = await server();
    const listening = await serve(await createServer(MODELS, { chat_template: TEMPLATE, max_texts: 6 }), { port: 0 });
    return { ...listening, client: await openAI(listening.url) };
  })());

const SAID = ", \"I don't know what I'm going to do";
const GREEDY = { model: "brown", prompt: "The jury said", max_tokens: 12, temperature: 0 } as const;
const USAGE = { prompt_tokens: 4, completion_tokens: 12, total_tokens: 16 };
const HELLO: OpenAI.ChatCompletionMessageParam[] = [{ role: "user", content: "Hello" }];

test("models are listed, with what they answer", async () => {
  const { client, url } = await served();
  const listed = (await client.models.list()).data as unknown as { id: string; task: string; routes: string[] }[];
  assert.equal(
    listed.map(({ id, task, routes }) => [id, task, routes.map((route) => route.replace("/v1/", ""))]),
    [
      ["brown", "text-generation", ["completions", "chat/completions"]],
      ["g2p", "text2text", ["completions"]],
      ["vectors", "feature-extraction", ["embeddings", "rerank"]],
      ["states", "feature-extraction", ["embeddings", "rerank"]],
      ["ranks", "text-ranking", ["rerank"]],
      ["speech", "automatic-speech-recognition", ["audio/transcriptions"]],
    ],
  );
  assert.is((await client.models.retrieve("brown")).owned_by, "wgformer");
  assert.is((await fetch(`${url}/v1/models/none`)).status, 404);
  assert.equal(await (await fetch(`${url}/health`)).json(), { status: "ok", models: Object.keys(MODELS) });
});

test("a completion: at once and in pieces, with true counts", async () => {
  const { client } = await served();
  const { choices, usage, object, model } = await client.completions.create(GREEDY);
  assert.equal([object, model, usage], ["text_completion", "brown", USAGE]);
  assert.equal(choices, [{ index: 0, text: SAID, logprobs: null, finish_reason: "length" } as never]);
  for (const include_usage of [true, false]) {
    const stream = await client.completions.create({ ...GREEDY, stream: true, stream_options: { include_usage } });
    const chunks: OpenAI.Completion[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    const texts = chunks.flatMap(({ choices }) => choices.map(({ text }) => text));
    assert.is(texts.join(""), SAID);
    assert.ok(texts.length > 5, "must come in pieces");
    const last = chunks.at(-1);
    assert.equal(include_usage ? last?.usage : chunks.find(({ usage }) => usage), include_usage ? USAGE : undefined);
    assert.equal(
      chunks.flatMap(({ choices }) => choices.flatMap(({ finish_reason }) => finish_reason ?? [])),
      ["length"],
    );
  }
});

test("prompts may be several, and token ids", async () => {
  const { client } = await served();
  const ids = [464, 11].map((id) => id % 4096);
  const { choices, usage } = await client.completions.create({ ...GREEDY, prompt: [ids, [ids[0]]], max_tokens: 3 });
  assert.equal([choices.length, usage?.prompt_tokens, usage?.completion_tokens], [2, 3, 6]);
  const texts = await client.completions.create({ ...GREEDY, prompt: ["The jury said", "The jury said"] });
  assert.equal(
    texts.choices.map(({ text, index }) => [index, text]),
    [
      [0, SAID],
      [1, SAID],
    ],
  );
  assert.is(texts.usage?.prompt_tokens, 8);
});

test("a seed gives the same results again, another one others; n gives several", async () => {
  const { client } = await served();
  const drawn = async (seed: number): Promise<string[]> => {
    const asked = { ...GREEDY, prompt: ["The jury said", "It was"], temperature: 1, n: 2, seed, top_p: 0.9 };
    return (await client.completions.create(asked)).choices.map(({ text }) => text);
  };
  const [first, again, other] = [await drawn(7), await drawn(7), await drawn(8)];
  assert.equal([first.length, new Set(first).size, first], [4, 4, again]);
  assert.not.equal(first, other);
});

test("log-probabilities of the tokens, and of the best in their places", async () => {
  const { client } = await served();
  const { choices } = await client.completions.create({ ...GREEDY, logprobs: 2 });
  const { tokens = [], token_logprobs = [], top_logprobs, text_offset } = choices[0].logprobs ?? {};
  assert.is(tokens.join(""), SAID);
  assert.equal(text_offset?.slice(0, 4), [0, 1, 3, 4]);
  tokens.forEach((token, t) => {
    const best = Object.entries(top_logprobs?.[t] ?? {});
    assert.is(best.length, 2);
    assert.is(best[0][0], token);
    assert.ok(Math.abs(best[0][1] - token_logprobs[t]) < 1e-5 && best[1][1] <= best[0][1]);
  });
  const chat = {
    model: "brown",
    messages: HELLO,
    max_completion_tokens: 5,
    logprobs: true,
    top_logprobs: 1,
    seed: 1,
  } as const;
  const whole = (await client.chat.completions.create(chat)).choices[0];
  const content = whole.logprobs?.content ?? [];
  assert.is(content.map(({ token }) => token).join(""), whole.message.content);
  assert.equal(content[0].bytes, [...new TextEncoder().encode(content[0].token)]);
  const pieces: typeof content = [];
  for await (const { choices } of await client.chat.completions.create({ ...chat, stream: true }))
    pieces.push(...(choices[0].logprobs?.content ?? []));
  assert.equal(pieces, content);
});

test("a stop string ends a result and is no part of it, whatever pieces it comes in", async () => {
  const { client } = await served();
  for (const stop of ["know", ["t know what", "never"]]) {
    const want = SAID.slice(0, SAID.indexOf([stop].flat()[0]));
    const asked = { ...GREEDY, stop };
    const { choices, usage } = await client.completions.create(asked);
    assert.equal([choices[0].text, choices[0].finish_reason], [want, "stop"]);
    assert.ok((usage?.completion_tokens ?? 12) < 12);
    let text = "";
    for await (const { choices } of await client.completions.create({ ...asked, stream: true }))
      text += choices[0].text;
    assert.is(text, want);
  }
});

test("beams, with their scores", async () => {
  const { client } = await served();
  const asked = { model: "g2p", prompt: "transformer", max_tokens: 30, num_beams: 4, n: 3, length_penalty: 1 };
  const { choices } = await client.completions.create(asked);
  assert.equal(
    choices.map(({ text }) => text),
    ["T R AE0 N S F AO1 R M ER0", "T R AE2 N S F AO1 R M ER0", "T R AE1 N S F AO2 R M ER0"],
  );
  const scores = choices.map((choice) => (choice as unknown as { score: number }).score.toFixed(4));
  assert.equal(scores, ["-0.0816", "-0.3855", "-0.4202"]);
});

test("a chat: roles, parts, a reply at once and in pieces", async () => {
  const { client } = await served();
  const parts = [{ type: "text", text: "Hello" }] as const;
  const asked = { model: "brown", max_completion_tokens: 12, temperature: 0 } as const;
  const reply = await client.chat.completions.create({ ...asked, messages: HELLO });
  const [{ message, finish_reason }] = reply.choices;
  assert.equal([reply.object, message.role, finish_reason], ["chat.completion", "assistant", "length"]);
  const same = await client.chat.completions.create({ ...asked, messages: [{ role: "user", content: [...parts] }] });
  assert.is(same.choices[0].message.content, message.content);
  const stream = await client.chat.completions.create({
    ...asked,
    messages: HELLO,
    stream: true,
    stream_options: { include_usage: true },
  });
  const chunks: OpenAI.ChatCompletionChunk[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  assert.equal(chunks[0].choices[0].delta, { role: "assistant", content: "" });
  assert.is(chunks.map(({ choices }) => choices[0]?.delta.content ?? "").join(""), message.content);
  assert.equal(chunks.at(-1)?.usage, reply.usage);
  const developer = [{ role: "developer", content: "Be kind" } as const, ...HELLO];
  const system = [{ role: "system", content: "Be kind" } as const, ...HELLO];
  const [one, other] = [developer, system].map((messages) => client.chat.completions.create({ ...asked, messages }));
  assert.is((await one).choices[0].message.content, (await other).choices[0].message.content);
});

test("the AI SDK: texts, streams, completions and vectors", async () => {
  const { url, client } = await served();
  const { ai, models } = await aiSDK(url);
  const asked = { model: models.chatModel("brown"), prompt: "Hello", temperature: 0, maxOutputTokens: 8 } as const;
  const { text, usage, finishReason } = await ai.generateText(asked);
  const { choices } = await client.chat.completions.create({
    model: "brown",
    messages: HELLO,
    temperature: 0,
    max_completion_tokens: 8,
  });
  assert.equal([text, usage.outputTokens, finishReason], [choices[0].message.content, 8, "length"]);
  const stream = ai.streamText(asked);
  let streamed = "";
  for await (const piece of stream.textStream) streamed += piece;
  assert.equal([streamed, (await stream.usage).totalTokens], [text, usage.totalTokens]);
  const completion = { model: models.completionModel("brown"), prompt: "The jury said", maxOutputTokens: 5 };
  assert.ok((await ai.generateText({ ...completion, temperature: 0.7 })).text);
  const values = ["a bird", "c"];
  const { embeddings, usage: read } = await ai.embedMany({ model: models.embeddingModel("vectors"), values });
  const { data } = await client.embeddings.create({ model: "vectors", input: values });
  assert.equal(
    embeddings,
    data.map(({ embedding }) => Array.from(embedding)),
  );
  assert.is(read.tokens, 10);
});

test("vectors: numbers and base64 are the same; dimensions are the first; texts too long are refused or shortened", async () => {
  const { url, client } = await served();
  const asked = { model: "vectors", input: ["a bird", "two birds", "c"] };
  const read = async (more: object): Promise<number[][]> => {
    const response = await post(`${url}/v1/embeddings`, { ...asked, ...more });
    const { data, usage } = (await response.json()) as OpenAI.CreateEmbeddingResponse;
    assert.equal(
      data.map(({ index }) => index),
      [0, 1, 2],
    );
    assert.equal(usage, { prompt_tokens: 20, total_tokens: 20 });
    return data.map(({ embedding }) => embedding);
  };
  const vectors = await read({});
  for (const vector of vectors) assert.ok(Math.abs(Math.hypot(...vector) - 1) < 1e-5);
  const decoded = await client.embeddings.create(asked); // which asks for base64
  assert.equal(
    decoded.data.map(({ embedding }) => Array.from(embedding)),
    vectors,
  );
  const [whole, short] = [await read({ normalize: false }), await read({ normalize: false, dimensions: 8 })];
  assert.equal(
    short,
    whole.map((vector) => vector.slice(0, 8)),
  );
  const long = { model: "vectors", input: "a".repeat(30) };
  assert.is((await post(`${url}/v1/embeddings`, long)).status, 400);
  const cut = await (await post(`${url}/v1/embeddings`, { ...long, truncation: true })).json();
  assert.is((cut as OpenAI.CreateEmbeddingResponse).usage.prompt_tokens, 12);
});

test("documents are ranked by a cross-encoder, or by their vectors", async () => {
  const { url, client } = await served();
  const documents = ["a bird", { text: "two birds" }, "c"];
  const asked = { model: "ranks", query: "birds", documents, return_documents: true };
  const answer = (await (await post(`${url}/v1/rerank`, asked)).json()) as {
    results: { index: number; relevance_score: number; document: { text: string } }[];
    usage: object;
  };
  const scores = answer.results.map(({ relevance_score }) => relevance_score);
  assert.equal(
    [...scores].sort((a, b) => b - a),
    scores,
  );
  for (const { index, document } of answer.results) assert.is(document.text, ["a bird", "two birds", "c"][index]);
  const two = (await (await post(`${url}/v1/rerank`, { ...asked, top_n: 2 })).json()) as typeof answer;
  assert.equal(two.results, answer.results.slice(0, 2));
  assert.equal(answer.usage, { prompt_tokens: 38, total_tokens: 38 });
  const near = (await (await post(`${url}/v1/rerank`, { ...asked, model: "vectors" })).json()) as typeof answer;
  const { data } = await client.embeddings.create({
    model: "vectors",
    input: ["birds", "a bird", "two birds", "c"],
  });
  const [query, ...others] = data.map(({ embedding }) => embedding);
  for (const { index, relevance_score } of near.results) {
    const cosine = others[index].reduce((sum, value, d) => sum + value * query[d], 0);
    assert.ok(Math.abs(cosine - relevance_score) < 1e-5);
  }
});

test("transcripts in all formats", async () => {
  const { client, url } = await served();
  const file = new File([await readFile("tests/fixtures/audio/speech.wav")], "speech.wav");
  const asked = { model: "speech", file, language: "en" } as const;
  const text = "-j the thej-jjj";
  assert.equal((await client.audio.transcriptions.create(asked)).text, text);
  assert.is(await client.audio.transcriptions.create({ ...asked, response_format: "text" }), `${text}\n` as never);
  const verbose = await client.audio.transcriptions.create({
    ...asked,
    response_format: "verbose_json",
    timestamp_granularities: ["word"],
  });
  assert.equal([verbose.language, verbose.duration.toFixed(2), verbose.segments?.length], ["en", "3.24", 5]);
  assert.equal(verbose.words?.length, 6);
  const srt = await client.audio.transcriptions.create({ ...asked, response_format: "srt" });
  assert.equal(srt.split("\n").slice(0, 5), ["1", "00:00:00,100 --> 00:00:00,900", "-", "", "2"]);
  const vtt = await client.audio.transcriptions.create({ ...asked, response_format: "vtt" });
  assert.equal(vtt.split("\n").slice(0, 4), ["WEBVTT", "", "00:00:00.100 --> 00:00:00.900", "-"]);
  const form = new FormData();
  form.set("model", "speech");
  form.set("file", new File(["no recording"], "speech.mp3"));
  const told = await errorOf(await fetch(`${url}/v1/audio/transcriptions`, { method: "POST", body: form }));
  assert.equal([told.type, told.param], ["invalid_request_error", "file"]);
});

test("requests of all kinds at once get what each gets alone", async () => {
  const { url } = await served();
  const prose = { model: "brown", prompt: "The jury said", max_tokens: 10 };
  const bodies: readonly (readonly [route: string, body: object])[] = [
    ["completions", { ...prose, temperature: 0 }],
    ["completions", { ...prose, prompt: ["It was", "The jury said that"], seed: 3, n: 2, top_k: 20 }],
    ["completions", { ...prose, num_beams: 4, n: 2, length_penalty: 2, logprobs: 2 }],
    ["completions", { ...prose, temperature: 0, repetition_penalty: 1.3, stop: "." }],
    ["chat/completions", { model: "brown", messages: HELLO, max_tokens: 8, seed: 5, min_p: 0.05 }],
    ["completions", { model: "g2p", prompt: "transformer", num_beams: 3, max_tokens: 20 }],
    ["embeddings", { model: "vectors", input: ["a bird", "c"] }],
    ["rerank", { model: "ranks", query: "birds", documents: ["a bird", "c"] }],
  ];
  const ask = async ([route, body]: (typeof bodies)[number]): Promise<unknown> => {
    const response = await post(`${url}/v1/${route}`, body);
    assert.is(response.status, 200, route);
    const { id: _, created: _created, ...rest } = (await response.json()) as Record<string, unknown>;
    return rest;
  };
  const alone: unknown[] = [];
  for (const body of bodies) alone.push(await ask(body));
  assert.equal(await Promise.all([...bodies, ...bodies].map(ask)), [...alone, ...alone]);
});

const TOOL = { type: "function", function: { name: "f" } };
const REFUSALS: readonly (readonly [
  path: string,
  body: object,
  param: string | null,
  code: string,
  status?: number,
])[] = [
  ["completions", { prompt: "a" }, "model", "missing_parameter"],
  ["completions", { model: "none", prompt: "a" }, "model", "model_not_found", 404],
  ["completions", { model: "speech", prompt: "a" }, "model", "model_not_supported"],
  ["chat/completions", { model: "g2p", messages: HELLO }, "model", "model_not_supported"],
  ["completions", { model: "brown" }, "prompt", "missing_parameter"],
  ["completions", { model: "brown", prompt: [] }, "prompt", "invalid_value"],
  ["completions", { model: "brown", prompt: [[99999]] }, "prompt", "invalid_value"],
  ["completions", { model: "brown", prompt: Array(7).fill("a") }, "prompt", "invalid_value"],
  ["completions", { model: "brown", prompt: "a", max_token: 3 }, "max_token", "unknown_parameter"],
  ["completions", { model: "brown", prompt: "a", max_tokens: 9999 }, "max_tokens", "invalid_value"],
  ["completions", { model: "brown", prompt: "a", max_tokens: 300 }, "max_tokens", "invalid_value"],
  ["completions", { model: "brown", prompt: "a", frequency_penalty: 1 }, "frequency_penalty", "unsupported_parameter"],
  ["completions", { model: "brown", prompt: "a", echo: true }, "echo", "unsupported_parameter"],
  ["completions", { model: "brown", prompt: "a", top_p: 2 }, "top_p", "invalid_value"],
  ["completions", { model: "brown", prompt: "a", temperature: -1 }, "temperature", "invalid_value"],
  ["completions", { model: "brown", prompt: "a", num_beams: 4, temperature: 1 }, "num_beams", "invalid_value"],
  ["completions", { model: "brown", prompt: "a", temperature: 0, n: 2 }, "n", "invalid_value"],
  ["completions", { model: "brown", prompt: "a", stream_options: { more: true } }, "stream_options", "invalid_value"],
  ["completions", { model: "brown", prompt: "a", stream_options: {} }, "stream_options", "invalid_value"],
  ["completions", { model: "brown", prompt: "a", stop: [""] }, "stop", "invalid_value"],
  [
    "completions",
    { model: "g2p", prompt: "a", num_beams: 4, num_beam_groups: 2, diversity_penalty: 1, stream: true },
    "num_beam_groups",
    "invalid_value",
  ],
  ["chat/completions", { model: "brown", messages: [] }, "messages", "invalid_value"],
  ["chat/completions", { model: "brown", messages: [{ role: 1 }] }, "messages", "invalid_value"],
  ["chat/completions", { model: "brown", messages: HELLO, tools: [TOOL] }, "tools", "unsupported_parameter"],
  [
    "chat/completions",
    { model: "brown", messages: HELLO, response_format: { type: "json_object" } },
    "response_format",
    "unsupported_parameter",
  ],
  ["chat/completions", { model: "brown", messages: HELLO, top_logprobs: 2 }, "top_logprobs", "invalid_value"],
  ["chat/completions", { model: "brown", messages: HELLO, chat_template: "x" }, "chat_template", "unknown_parameter"],
  ["embeddings", { model: "vectors", input: [1, 2] }, "input", "invalid_value"],
  ["embeddings", { model: "vectors", input: "a", pooling: "most" }, "pooling", "invalid_value"],
  ["embeddings", { model: "vectors", input: "a", dimensions: 4096 }, "dimensions", "invalid_value"],
  ["embeddings", { model: "states", input: "a" }, "pooling", "missing_parameter"],
  ["embeddings", { model: "vectors", input: "a".repeat(50) }, null, "invalid_value"],
  ["rerank", { model: "ranks", query: "a", documents: [{ url: "b" }] }, "documents", "invalid_value"],
];

test("what a request must not ask is refused by its name", async () => {
  const { url } = await served();
  for (const [path, body, param, code, status = 400] of REFUSALS) {
    const response = await post(`${url}/v1/${path}`, body);
    assert.is(response.status, status, JSON.stringify(body).slice(0, 200));
    const told = await errorOf(response);
    const type = status === 404 ? "not_found_error" : "invalid_request_error";
    assert.equal([told.type, told.param, told.code], [type, param, code], told.message);
    assert.ok(told.message.length > 10);
  }
});

test("what changes nothing is taken", async () => {
  const { client } = await served();
  const neutral = {
    frequency_penalty: 0,
    logit_bias: {},
    suffix: null,
    stop: [],
    best_of: 1,
    echo: false,
    seed: 3,
    top_p: 0.5,
    user: "me",
  };
  assert.is((await client.completions.create({ ...GREEDY, ...neutral })).choices[0].text, SAID);
});

test("the server is closed", async () => {
  assert.equal(await (await served()).close(), { finished: 0, cut: 0 });
});
