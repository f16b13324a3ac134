import {
  type ChatMessage,
  type ContentPart,
  type Conversation,
  type GenerationTask,
  InputError,
  OptionError,
  pipeline,
} from "../src/index.js";
import { assert, device, folder, readJson, refuses, suite } from "./support/harness.js";
import { fixture } from "./support/letters.js";

const test = suite("chat", { chrome: "conversations are texts, which Node reads alike", deno: "the same" });

// The letters of the fixtures' tokenizer, and its marks in the places of those of a chat.
const TEMPLATE = `{{ bos_token }}{% for message in messages %}{{ message.role[0] }}{% if tools %} {{ tools | length }}{% endif %} {{ message.content }}{{ eos_token }}{% endfor %}{% if add_generation_prompt %}a {% endif %}{{ mood }}`;
const SPECIAL = { unk_token: "[UNK]", bos_token: "[CLS]", eos_token: "[SEP]" };
const letters = async (name: string, chat_template = TEMPLATE): Promise<GenerationTask> =>
  pipeline("text-generation", fixture(name, { "tokenizer_config.json": { ...SPECIAL, chat_template } }), {
    gpu: await device(),
  });

// A template for gpt2-brown, which has none.
const PROSE = `{% for message in messages %}{{ message.role | capitalize }}:{{ message.content }}\n{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}`;
let opening: Promise<GenerationTask> | undefined; // by the first test that needs it, and disposed of by the last
const prose = (): Promise<GenerationTask> =>
  (opening ??= device().then((gpu) => pipeline("text-generation", folder("models/gpt2-brown"), { gpu })));

const user = (content: string): ChatMessage => ({ role: "user", content });
const HELLO: Conversation = [user("hello there")];
const LONGER: Conversation = [
  { role: "system", content: "be kind" },
  user("a"),
  { role: "assistant", content: "b c" },
  user("d"),
];

test("a reply is what generate() gives for the ids of the template", async () => {
  for (const name of ["llama"]) {
    const task = await letters(name);
    for (const options of [{}, { num_beams: 3 }, { do_sample: true, seed: 4, num_return_sequences: 2 }]) {
      for (const messages of [HELLO, LONGER]) {
        const all = { ...options, max_new_tokens: 8 };
        const ids = await task.tokenizer.apply_chat_template(messages, { add_generation_prompt: true, tokenize: true });
        assert.is(ids.filter((id) => id === 2).length, 1, "one start token");
        const { sequences, lengths, finish_reasons } = await task.model.generate({ input_ids: [ids] }, all);
        const replies = await task(messages, all);
        const texts = await task(messages, { ...all, return_full_text: false });
        for (const [row, { generated_text, token_ids, usage, finish_reason }] of replies.entries()) {
          assert.equal(token_ids, sequences[row].slice(0, lengths[row]), name);
          const content = task.tokenizer.decode(token_ids.slice(ids.length), { skip_special_tokens: true });
          assert.equal(generated_text, [...messages, { role: "assistant", content }]);
          assert.is(texts[row].generated_text, content);
          const completion_tokens = token_ids.length - ids.length;
          assert.equal(usage, { prompt_tokens: ids.length, completion_tokens, total_tokens: token_ids.length });
          assert.is(finish_reason, finish_reasons[row]);
        }
      }
    }
    task.dispose();
  }
});

test("a list of conversations gives each what it gives alone, and options reach the template", async () => {
  const task = await letters("llama");
  const options = { max_new_tokens: 5, tools: [{ a: 1 }, { b: 2 }], chat_template_kwargs: { mood: "x" } };
  const [first, second] = await task([HELLO, LONGER], options);
  assert.equal([first, second], [await task(HELLO, options), await task(LONGER, options)]);
  const text = await task.tokenizer.apply_chat_template(HELLO, {
    tools: options.tools,
    chat_template_kwargs: options.chat_template_kwargs,
    add_generation_prompt: true,
  });
  assert.is(text, "[CLS]u 2 hello there[SEP]a x");
  const { ids } = task.tokenizer.encode(text, { add_special_tokens: false });
  assert.equal(first[0].token_ids.slice(0, ids.length), ids);
  assert.equal(await task([]), []);
  // a reply may be long where nobody says how long, but there are 128 positions
  const [{ finish_reason, usage }] = await task(HELLO, { eos_token_id: 90, suppress_tokens: [90] });
  assert.equal([finish_reason, usage.total_tokens], ["length", 129]);
  const chat = task.chat({ eos_token_id: 90, suppress_tokens: [90] });
  assert.is((await chat.send(HELLO)).usage.total_tokens, 129);
  chat.dispose();
  task.dispose();
});

test("replies are those of the pipeline of Transformers", async () => {
  type Replies = { template: string; cases: [Conversation, { return_full_text?: boolean }, unknown[]][] };
  const { template, cases } = await readJson<Replies>("tests/fixtures/chat/replies.json");
  const task = await prose();
  for (const [messages, options, wanted] of cases) {
    const results = await task(messages, { ...options, chat_template: template, max_new_tokens: 10 });
    assert.equal(results.map(({ generated_text }) => generated_text), wanted); // prettier-ignore
  }
});

test("a stop string may be a special token", async () => {
  const task = await letters("llama");
  const forced = [9, 10, 3, 11]; // 3 is [SEP], which ends nothing here
  const logits_processor = ([row]: readonly number[][], [scores]: readonly Float32Array[]) => {
    const id = forced[row.length - prompt.length];
    scores.fill(-1e9).fill(0, id, id + 1);
  };
  const prompt = await task.tokenizer.apply_chat_template(HELLO, { add_generation_prompt: true, tokenize: true });
  const options = { max_new_tokens: 4, eos_token_id: 90, logits_processor, stop_strings: "[SEP]" };
  const [{ token_ids, finish_reason, usage }] = await task(HELLO, options);
  assert.equal(token_ids.slice(prompt.length), forced.slice(0, 3));
  assert.equal([finish_reason, usage.completion_tokens], ["stop", 3]);
  task.dispose();
});

test("a message of the assistant at the end is continued, unless options say otherwise", async () => {
  const task = await prose();
  const begun: Conversation = [user("What did the jury say?"), { role: "assistant", content: "The jury said" }];
  const options = { max_new_tokens: 6, chat_template: PROSE };
  const [{ generated_text, token_ids }] = await task(begun, options);
  const [{ generated_text: plain }] = await task("User:What did the jury say?\nAssistant:The jury said", {
    max_new_tokens: 6,
  });
  assert.is(generated_text.length, 2);
  assert.is(`User:What did the jury say?\nAssistant:${generated_text[1].content as string}`, plain);
  assert.is(task.tokenizer.decode(token_ids), plain);
  const [{ generated_text: reply }] = await task(begun, { ...options, return_full_text: false });
  assert.is(`The jury said${reply}`, generated_text[1].content);
  const [{ generated_text: after }] = await task(begun, { ...options, continue_final_message: false });
  assert.equal(after.map(({ role }) => role), ["user", "assistant", "assistant"]); // prettier-ignore
  const parts: Conversation = [user("a"), { role: "assistant", content: [{ type: "text", text: "The jury said" }] }];
  const [{ generated_text: longer }] = await task(parts, options);
  assert.match((longer[1].content as readonly ContentPart[])[0].text ?? "", /^The jury said ?\S/);
  let streamed = "";
  for await (const { text } of task.stream(begun, options)) streamed += text;
  assert.is(streamed, reply);
});

test("a stream gives the results by rows, and at its end how they ended", async () => {
  const task = await prose();
  const texts = ["The jury said", "It was"];
  for (const options of [
    {},
    { num_beams: 3 },
    { num_beams: 4, num_return_sequences: 3 },
    { do_sample: true, seed: 1, num_return_sequences: 3 },
    { stop_strings: [" the", ","] },
  ]) {
    const all = { ...options, max_new_tokens: 9 };
    const results = (await task(texts, { ...all, return_full_text: false })).flat();
    const rows = results.map(() => ({ text: "", token_ids: [] as number[], ends: 0 }));
    for await (const { row, text, token_ids, finish_reason, usage } of task.stream(texts, all)) {
      assert.is(rows[row].ends, 0, "the last event of a row is its last");
      rows[row].text += text;
      rows[row].token_ids.push(...token_ids);
      if (!usage) continue;
      rows[row].ends++;
      assert.equal(usage, results[row].usage);
      assert.is(finish_reason, results[row].finish_reason);
    }
    for (const [row, { generated_text, token_ids, usage, finish_reason }] of results.entries()) {
      assert.is(rows[row].text, generated_text);
      assert.equal(rows[row].token_ids, token_ids.slice(usage.prompt_tokens));
      assert.is(rows[row].ends, 1);
      if (!("stop_strings" in options)) assert.is(finish_reason, usage.completion_tokens < 9 ? "stop" : "length");
      else assert.is(finish_reason, /[,]| the/.test(generated_text) ? "stop" : "length", generated_text);
    }
  }
});

test("turns give what the whole conversation gives, and read what is new alone", async () => {
  for (const [name, options] of [
    ["qwen3", { num_beams: 2 }],
    ["gpt2", { do_sample: true, seed: 7, stop_strings: ["e"] }],
  ] as const) {
    const task = await letters(name);
    const chat = task.chat({ system: "be kind", max_new_tokens: 4, tools: [{}], ...options });
    let known = 0;
    for (const said of ["hi", "so", "and more"]) {
      const before = [...chat.messages, user(said)];
      const { message, text, token_ids, usage, finish_reason } = await chat.send(said);
      const [whole] = await task(before, { max_new_tokens: 4, tools: [{}], ...options });
      assert.equal(chat.messages, whole.generated_text, name);
      assert.equal(message, { role: "assistant", content: text });
      assert.equal(token_ids, whole.token_ids.slice(whole.usage.prompt_tokens));
      assert.is(finish_reason, whole.finish_reason);
      const { prompt_tokens_details, ...rest } = usage;
      assert.equal(rest, whole.usage);
      assert.ok(prompt_tokens_details.cached_tokens >= known, `${name} knows the turns before`);
      known = usage.prompt_tokens - 2; // what begins the reply is another thing once the reply is there
    }
    const memory = task.model.memory();
    chat.dispose();
    await refuses(() => chat.send("a"), InputError, /^chat: must not be used after dispose\(\); open another$/);
    assert.ok(task.model.memory().total < memory.total, "its memory is freed");
    task.dispose();
  }
});

test("a memory grows, and follows a template that rewrites what was said", async () => {
  const task = await prose();
  const cut = `{% for message in messages[-3:] %}{{ message.role }}: {{ message.content }}\n{% endfor %}assistant:`;
  for (const chat_template of [PROSE, cut]) {
    const options = { chat_template, max_new_tokens: 5 };
    const chat = task.chat(options);
    for (const said of ["The jury said it.", "word ".repeat(60), "No.", "And then?"]) {
      const before = [...chat.messages, user(said)];
      await chat.send(said);
      const [{ generated_text }] = await task(before, options);
      assert.equal(chat.messages, generated_text);
    }
    await refuses(
      () => chat.send("word ".repeat(260)),
      InputError,
      /^chat: text: must have at most 256 tokens with special ones, got \d+; shorten it, or leave the oldest messages out$/,
    );
    assert.is(chat.messages.length, 8, "nothing was said");
    chat.dispose();
  }
});

test("a reply that is stopped stays as far as it came, and can be continued", async () => {
  const task = await prose();
  const options = { chat_template: PROSE, max_new_tokens: 12 };
  const [{ generated_text: whole }] = await task(HELLO, { ...options, return_full_text: false });
  const stops = {
    "a signal": async (chat: ReturnType<GenerationTask["chat"]>) => {
      const stop = new AbortController();
      const reason = new Error("enough");
      let text = "";
      try {
        for await (const event of chat.stream("hello there", { signal: stop.signal })) {
          text += event.text;
          if (text.length > 4) stop.abort(reason);
        }
        assert.unreachable();
      } catch (error) {
        assert.is(error, reason);
      }
    },
    "a loop that is left": async (chat: ReturnType<GenerationTask["chat"]>) => {
      let text = "";
      for await (const event of chat.stream("hello there")) {
        text += event.text;
        if (text.length > 4) break;
      }
    },
  };
  for (const [name, stop] of Object.entries(stops)) {
    const chat = task.chat(options);
    await stop(chat);
    const [, partial, ...more] = chat.messages;
    assert.equal(more, []);
    const { content } = partial as { content: string };
    assert.ok(content.length > 4 && whole.startsWith(content) && content.length < whole.length, `${name}: ${content}`);
    await chat.send([], { max_new_tokens: 2 }); // what the assistant began goes on
    const [, longer] = chat.messages;
    assert.ok(whole.startsWith(longer.content as string) && (longer.content as string).length > content.length);
    await chat.send({ role: "tool", content: "22" });
    assert.equal(chat.messages.map(({ role }) => role), ["user", "assistant", "tool", "assistant"]); // prettier-ignore
    chat.dispose();
  }
  const chat = task.chat(options);
  await refuses(() => chat.send("a", { signal: AbortSignal.abort(new RangeError("no")) }), RangeError, /no/);
  assert.equal(chat.messages, []);
  const first = chat.send("a");
  await refuses(
    () => chat.send("b"),
    InputError,
    /^chat: must have ended its reply before the next message; await it$/,
  );
  await first;
  await chat.send("b");
  assert.is(chat.messages.length, 4);
  chat.dispose();
});

test("what does not fit together is refused", async () => {
  const task = await prose();
  const call = task as unknown as (...given: unknown[]) => Promise<unknown>;
  for (const [input, options, message] of [
    ["a", { tools: [{}] }, /^text-generation: tools must be absent with texts, it is about messages; leave it out$/],
    [HELLO, { tools: 5 }, /^text-generation: tools must be a list of objects, got 5$/],
    [HELLO, { truncation: true }, /^text-generation: truncation must be false with messages/],
    [
      HELLO,
      { enable_thinking: false },
      /^text-generation: enable_thinking is not supported; pass chat_template_kwargs: \{ enable_thinking \}$/,
    ],
    [HELLO, { messages: [] }, /^text-generation: messages is not supported; give them in place of a text$/],
  ] as const)
    await refuses(() => call(input, options), OptionError, message);
  for (const [input, message] of [
    [HELLO, /^text-generation: apply_chat_template: .* must have a chat template, found none/],
    [[{ role: "user" }], /^text-generation: messages: message 0: content of "user" must be a text or a list of parts/],
    [[HELLO, [{ content: "a" }]], /^text-generation: input 1: messages: message 0: role must be a text/],
    [[HELLO, 5], /^text-generation: input 1: text: must be a string, got 5/],
    [[[]], /^text-generation: input 0: messages: must hold at least one message/],
  ] as const)
    await refuses(() => call(input, { ...(input !== HELLO && { chat_template: PROSE }) }), InputError, message);
  await refuses(
    () => task.chat({ num_return_sequences: 2 } as never),
    OptionError,
    /^chat: num_return_sequences must be/,
  );
  await refuses(
    () => task.chat({ sistem: "a" } as never),
    OptionError,
    /^chat: sistem is not supported; did you mean system/,
  );
  await refuses(() => task.chat({ messages: 5 } as never), InputError, /^messages: must be a list of messages, got 5/);
  await refuses(() => task.chat({ messages: [{}] } as never), InputError, /^messages: message 0: role must be a text/);
  task.dispose();
  const bert = fixture("bert");
  await refuses(
    async () => pipeline("text-generation", bert, { gpu: await device() }),
    InputError,
    /^text-generation: the model must be decoder-only, got bert; use pipeline\("feature-extraction", ...\)$/,
  );
});

/** Never called: types say what calls give, and name what is misspelt. */
export async function types(task: GenerationTask): Promise<void> {
  const texts: string = (await task("a"))[0].generated_text;
  const lists: string = (await task(["a", "b"]))[0][0].generated_text;
  const messages: ChatMessage[] = (await task(HELLO))[0].generated_text;
  const reply: string = (await task([{ role: "user", content: "a" }], { return_full_text: false }))[0].generated_text;
  const many: ChatMessage[] = (await task([HELLO, LONGER], { max_new_tokens: 3 }))[0][0].generated_text;
  // @ts-expect-error a misspelt option
  await task("a", { max_newtokens: 3 });
  // @ts-expect-error a misspelt option
  await task(HELLO, { return_full_text: false, tool: [] });
  // @ts-expect-error a message without a role
  await task([{ content: "a" }]);
  assert.ok([texts, lists, messages, reply, many]);
}
