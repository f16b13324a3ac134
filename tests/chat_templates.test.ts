import { CheckpointError, type Conversation, InputError, loadTokenizer, OptionError } from "../src/index.js";
import { strftime } from "../src/model/text/python.js";
import { assert, folder, readFile, readJson, refuses, suite } from "./support/harness.js";

const test = suite("chat templates", { chrome: "texts are the same in all runtimes", deno: "the same" });

interface Cases {
  readonly special: Readonly<Record<string, string>>;
  readonly marks: readonly string[];
  readonly ids: Readonly<Record<string, number>>;
  readonly conversations: readonly Conversation[];
  readonly options: readonly Readonly<Record<string, unknown>>[];
  readonly cases: readonly (readonly [
    name: string,
    conversation: number,
    option: number,
    text: string | null,
    ids?: number[],
  ])[];
}

const cases = await readJson<Cases>("tests/fixtures/chat/cases.json");
const textOf = async (path: string): Promise<string> => new TextDecoder().decode(await readFile(path));

/** A tokenizer with these files, texts or JSON, beside those of a small Qwen. */
const tokenizerWith = async (files: Readonly<Record<string, unknown>> = {}, config: object = {}) => {
  const all: Readonly<Record<string, unknown>> = {
    "tokenizer.json": await textOf("tests/fixtures/tokenizers/qwen.json"),
    "tokenizer_config.json": { ...cases.special, additional_special_tokens: cases.marks, ...config },
    ...files,
  };
  return loadTokenizer((name) => {
    const found = all[name];
    return found === undefined ? undefined : new Blob([typeof found === "string" ? found : JSON.stringify(found)]);
  });
};

const HELLO: Conversation = [{ role: "user", content: "Hello" }];

test("texts and ids are those of Transformers", async () => {
  const tokenizer = await tokenizerWith();
  for (const [name, id] of Object.entries(cases.ids)) assert.is(tokenizer.token_to_id(name), id, name);
  const names = [...new Set(cases.cases.map(([name]) => name))];
  const templates = new Map<string, string>();
  for (const name of names) templates.set(name, await textOf(`tests/fixtures/chat/${name}.jinja`));
  let compared = 0;
  for (const [name, c, o, text, ids] of cases.cases) {
    const { tools, documents, add_generation_prompt, continue_final_message, ...rest } = cases.options[o] as Record<
      string,
      never
    >;
    const chat_template_kwargs = { date_string: "01 Feb 2026", ...rest };
    const options = { tools, documents, add_generation_prompt, continue_final_message, chat_template_kwargs };
    const given = { ...options, chat_template: templates.get(name) };
    const rendered = tokenizer.apply_chat_template(cases.conversations[c], given);
    // Transformers does not make one text of parts.
    const hasParts = cases.conversations[c].some(({ content }) => Array.isArray(content)) && name !== "parts";
    if (text !== null && !hasParts) assert.is(await rendered, text, `${name}: conversation ${c}, options ${o}`);
    else if (!hasParts) await refuses(() => rendered, InputError, /^apply_chat_template: |^messages: /);
    else await rendered.catch(() => undefined);
    if (ids && !hasParts)
      assert.equal(await tokenizer.apply_chat_template(cases.conversations[c], { ...given, tokenize: true }), ids);
    compared += Number(!hasParts);
  }
  assert.ok(compared > 300, String(compared));
});

test("the template comes from the files in the order of Transformers", async () => {
  const says = (word: string) => `${word}{{ bos_token }}`;
  const sources: readonly (readonly [files: Readonly<Record<string, unknown>>, config: object, options: object, want: string])[] = [
    [{ "chat_template.jinja": says("file") }, { chat_template: says("config") }, {}, "file<s>"],
    [{ "chat_template.json": { chat_template: says("json") } }, { chat_template: says("config") }, {}, "config<s>"],
    [{ "chat_template.json": { chat_template: says("json") } }, {}, {}, "json<s>"],
    [{}, { chat_template: [{ name: "default", template: "a" }, { name: "tool_use", template: "b" }] }, {}, "a"],
    [{}, { chat_template: [{ name: "default", template: "a" }, { name: "tool_use", template: "b" }] }, { tools: [] }, "b"],
    [{}, { chat_template: [{ name: "default", template: "a" }, { name: "rag", template: "c" }] }, { chat_template: "rag" }, "c"],
    [{ "additional_chat_templates/tool_use.jinja": "d", "chat_template.jinja": "e" }, {}, { tools: [{}] }, "d"],
    [{ "additional_chat_templates/rag.jinja": "f" }, {}, { chat_template: "rag" }, "f"],
    [{}, {}, { chat_template: "{{ messages[0].content }}!" }, "Hello!"],
  ]; // prettier-ignore
  for (const [files, config, options, want] of sources) {
    const tokenizer = await tokenizerWith(files, config);
    assert.is(await tokenizer.apply_chat_template(HELLO, options), want);
  }
  assert.is(await (await tokenizerWith()).has_chat_template(), false);
  assert.is(await (await tokenizerWith({ "chat_template.jinja": "a" })).has_chat_template(), true);
});

test("what is no template is refused as such", async () => {
  for (const chat_template of [5, true, [null], [5], [{ name: "default" }], [["default", "a"]], { default: 5 }]) {
    const tokenizer = await tokenizerWith({}, { chat_template });
    await refuses(
      () => tokenizer.apply_chat_template(HELLO),
      CheckpointError,
      /: chat_template must be a template, or a/,
    );
  }
  for (const chat_template of [null, {}, []])
    assert.is(await (await tokenizerWith({}, { chat_template })).has_chat_template(), false);
});

test("a list of conversations gives a list, and a template has the special tokens", async () => {
  const tokenizer = await tokenizerWith({
    "chat_template.jinja": "{{ bos_token }}{{ messages[0].content }}{{ eos_token }}",
  });
  const other: Conversation = [{ role: "user", content: "a" }];
  assert.equal(await tokenizer.apply_chat_template([HELLO, other]), ["<s>Hello</s>", "<s>a</s>"]);
  const [ids] = await tokenizer.apply_chat_template([HELLO], { tokenize: true });
  assert.equal(ids, tokenizer.encode("<s>Hello</s>", { add_special_tokens: false }).ids);
  assert.is(ids[0], tokenizer.bos_token_id);
  assert.is(ids.at(-1), tokenizer.eos_token_id);
  assert.equal(tokenizer.special_tokens_map, cases.special);
  assert.ok(tokenizer.all_special_ids.includes(ids[0]));
  assert.is(tokenizer.mask_token_id, undefined);
  assert.is(tokenizer.count("Hello"), tokenizer.encode("Hello").ids.length);
});

test("parts of text are one text where the template takes no parts", async () => {
  const parts: Conversation = [
    {
      role: "user",
      content: [
        { type: "text", text: "a" },
        { type: "text", text: "b" },
      ],
    },
  ];
  const tokenizer = await tokenizerWith();
  const write = async (chat_template: string, messages = parts) =>
    tokenizer.apply_chat_template(messages, { chat_template });
  assert.is(await write("{{ 'says ' + messages[0].content }}"), "says a\nb");
  assert.is(await write("{{ messages[0].content | trim }}"), "a\nb");
  assert.is(await write("{% for part in messages[0].content %}[{{ part.text }}]{% endfor %}"), "[a][b]");
  const image: Conversation = [{ role: "user", content: [{ type: "image" }] }];
  await refuses(
    () => write("{{ 'says ' + messages[0].content }}", image),
    InputError,
    /^messages: message 0 must have parts of type text alone, got "image"; the chat template takes no others$/,
  );
});

test("what is wrong with a message is said", async () => {
  const tokenizer = await tokenizerWith({ "chat_template.jinja": "{{ raise_exception('no ' + messages[0].role) }}" });
  const call = tokenizer.apply_chat_template as unknown as (...given: unknown[]) => Promise<string>;
  const wrong: readonly (readonly [unknown, RegExp])[] = [
    [undefined, /^messages: must be a list of messages, got nothing/],
    ["Hello", /^messages: must be a list of messages, got "Hello"/],
    [[], /^messages: must hold at least one message, got none/],
    [[...HELLO, "Hello"], /^messages: message 1 must be an object with role and content, got "Hello"/],
    [[{ content: "a" }], /^messages: message 0: role must be a text, such as user, got nothing/],
    [[{ role: 5, content: "a" }], /^messages: message 0: role must be a text, such as user, got 5/],
    [
      [...HELLO, { role: "user" }],
      /^messages: message 1: content of "user" must be a text or a list of parts, got nothing/,
    ],
    [
      [{ role: "user", content: 5 }],
      /^messages: message 0: content of "user" must be a text or a list of parts, got 5/,
    ],
    [[{ role: "user", content: ["a"] }], /^messages: message 0: part 0 must be an object with a type, .* got "a"/],
    [[{ role: "user", content: [{ type: "text" }] }], /^messages: message 0: part 0 must have a text, got nothing/],
    [HELLO, /^apply_chat_template: the template refuses these messages: no user$/],
  ];
  for (const [messages, message] of wrong) await refuses(() => call(messages), InputError, message);
  for (const [options, message] of [
    [{ tokenise: true }, /^apply_chat_template: tokenise is not supported; did you mean tokenize\?/],
    [{ tools: [5] }, /^apply_chat_template: tools must be a list of objects, got \[5\]/],
    [{ tools: "a" }, /^apply_chat_template: tools must be a list of objects/],
    [{ chat_template_kwargs: 5 }, /chat_template_kwargs must be an object/],
    [{ continue_final_message: 5 }, /continue_final_message must be true, false or the name of a field/],
    [{ continue_final_message: true, add_generation_prompt: true }, /add_generation_prompt must be false with/],
    [{ chat_template: "rag" }, /chat_template must be a template or the name of one, "default"; got "rag"/],
  ] as const)
    await refuses(() => call(HELLO, options), OptionError, message);
  const endless = { chat_template: "{% for i in range(10 ** 9) %}a{% endfor %}" };
  await refuses(() => call(HELLO, endless), InputError, /range\(\) must have at most 100000 numbers/);
  await refuses(() => call(HELLO, { chat_template: "{% if %}" }), InputError, /the template must be one of Jinja/);
  const none = await tokenizerWith();
  await refuses(
    () => none.apply_chat_template(HELLO),
    InputError,
    /must have a chat template, found none; give one as/,
  );
});

test("a tokenizer needs no weights", async () => {
  const tokenizer = await loadTokenizer(folder("models/gpt2-brown"));
  const { ids } = tokenizer.encode("The jury said");
  assert.is(tokenizer.decode(ids), "The jury said");
  assert.is(tokenizer.count("The jury said"), ids.length);
  await refuses(() => loadTokenizer(() => undefined), Error, /must hold tokenizer.json/);
  await refuses(
    () => loadTokenizer("a", { progres: 1 } as never),
    OptionError,
    /loadTokenizer: progres is not supported/,
  );
});

test("dates are written as Python writes them", () => {
  const date = new Date(2026, 1, 3, 15, 4, 5);
  assert.is(
    strftime(date, "%d %b %Y, %A %B %y-%m %H:%M:%S %I %p %a 100%%"),
    "03 Feb 2026, Tuesday February 26-02 15:04:05 03 PM Tue 100%",
  );
  assert.throws(() => strftime(date, "%Q"), /strftime_now has no %Q/);
});
