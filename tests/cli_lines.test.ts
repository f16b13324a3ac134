import { type Surroundings, linesOf, wgformer } from "./support/command_line.js";
import { assert, suite } from "./support/harness.js";
import { serveHub } from "./support/hub.js";

const test = suite("lines of the command line", {
  deno: "the command line runs in Node",
  chrome: "the command line runs in Node",
});

/** Runs `body` on the path of a folder that is removed afterwards. */
async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const { mkdtemp, rm } = await import("node:fs/promises");
  const folder = await mkdtemp("build/cli-");
  try {
    await body(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

const records = (lines: readonly string[]) =>
  lines.map((line) => (line ? (JSON.parse(line) as Readonly<Record<string, unknown>>) : undefined));

test("lines stay aligned: blank ones, ones that are no text, ones that the model refuses", async () => {
  const pronounce = Buffer.from("transformer\r\n\nh\xe9llo\nf\xc3\xafve\nbeam", "latin1");
  const { code, lines, errors } = await wgformer(["run", "models/g2p-en"], { input: pronounce });
  assert.equal([code, lines], [1, ["T R AE0 N S F AO1 R M ER0", "", "", "", "B IY1 M"]]);
  assert.is(errors[0], "wgformer: line 3: must be text in UTF-8");
  assert.match(errors[1], /^wgformer: line 4: text: "fïve" must consist of what the model's vocabulary knows/);
  assert.is(errors.length, 2);
});

test("lines in UTF-16 of either order, with a byte order mark and carriage returns, are the lines in UTF-8", async () => {
  const text = "\ufeffShe sails Ċ.\r\n\r\nHe sails.\r\n"; // the letter has the byte of a line's end
  const little = Buffer.from(text, "utf16le");
  const inputs = [text, little, Buffer.from(little).swap16()];
  const all = await Promise.all(inputs.map((input) => linesOf(["run", "models/bert-pos"], input)));
  assert.is(new Set(all.map(String)).size, 1);
  assert.equal([all[0].length, all[0][1], all[0][2]], [3, "", "He/PRON sails/VERB ./PUNCT"]);
  assert.match(all[0][0], /^She\/PRON sails\/VERB /);
});

test("lines of JSON have their index, their id, their options, or an error", async () => {
  const input = [
    '{"text":"beam","id":"a"}',
    '"cat"',
    "",
    '{"text":"cat","options":{"num_return_sequences":2}}',
    '{"txt":"cat"}',
    '{"text":"cat","options":{"num_beam":2}}',
    '{"text":"f\u00efve","id":7}',
    "{",
  ];
  const words = ["run", "models/g2p-en", "--jsonl", "--batch-size", "2"];
  const { code, lines, errors } = await wgformer(words, { input: input.join("\n") });
  const [first, second, blank, several, ...bad] = records(lines);
  assert.is(code, 1);
  assert.equal([first?.index, first?.id, first?.generated_text], [0, "a", "B IY1 M"]);
  assert.equal([second?.index, second?.generated_text, blank], [1, "K AE1 T", undefined]);
  assert.is((several as { results: unknown[] }).results.length, 2);
  const told = bad.map((record) => [record?.index, record?.id, record?.error]);
  assert.equal(told.slice(0, 2), [
    [4, undefined, "the line: txt is not supported; did you mean text?"],
    [5, undefined, "run: --num_beam is no option of text2text; did you mean --num_beams?"],
  ]);
  assert.equal([told[2][0], told[2][1], told[3][0]], [6, 7, 7]);
  assert.equal(
    errors,
    bad.map((record) => `wgformer: line ${Number(record?.index) + 1}: ${String(record?.error)}`),
  );
});

test("an output that was cut off goes on after its last whole line, if it fits", async () => {
  const { readFile, writeFile } = await import("node:fs/promises");
  await inFolder(async (folder) => {
    const [input, output] = [`${folder}/in.txt`, `${folder}/out.jsonl`];
    await writeFile(input, "She sails.\n\nHe sails.\nIt was dawn.\nNo.\n");
    const words = ["run", "models/bert-pos", "--input", input, "--output", output];
    assert.equal(await linesOf(words), []);
    const whole = await readFile(output, "utf8");
    assert.equal(
      records(whole.split("\n")).map((record) => record?.index),
      [0, undefined, 2, 3, 4, undefined],
    );
    for (const cut of [5, whole.indexOf("\n") + 2, whole.length]) {
      await writeFile(output, whole.slice(0, cut));
      assert.equal(await linesOf([...words, "--resume"]), []);
      assert.is(await readFile(output, "utf8"), whole, `cut at ${cut}`);
    }
    await writeFile(input, "She sails.\n");
    const shorter = await wgformer([...words, "--resume"]);
    assert.match(shorter.errors[0], /the output must have at most the 1 lines of the input, it has 5; remove it$/);
    await writeFile(input, "She sails.\n\nHe sails.\nIt was dawn.\nYes.\n");
    const other = await wgformer([...words, "--resume"]);
    assert.is(other.code, 1);
    assert.match(other.errors[0], /out\.jsonl: line 5 must be what this command gives for line 5 of the input/);
    assert.is(await readFile(output, "utf8"), whole);
  });
});

test("results of early lines are there before later lines are read", async () => {
  const { PassThrough } = await import("node:stream");
  const input = new PassThrough();
  let read = 0;
  const running = wgformer(["run", "models/bert-pos", "--batch_size", "1"], {
    input,
    onOutput(text) {
      read += text.split("\n").length - 1;
      if (read === 4) input.end("last\n");
    },
  });
  input.write("one\ntwo\nthree\nfour\n"); // four batches of one line are read together
  assert.is((await running).lines.length, 5);
});

test("one text is written as it is generated, and several hypotheses as a list", async () => {
  const pieces: string[] = [];
  const words = ["run", "models/gpt2-brown", "The jury said", "-n", "8"];
  const { lines } = await wgformer(words, { onOutput: (text) => pieces.push(text) });
  assert.ok(pieces.length > 5);
  assert.equal(lines, [pieces.join("").trimEnd()]);
  assert.match(lines[0], /^The jury said\S* \S/);
  assert.is((await linesOf([...words, "--num_beams", "2"])).length, 3); // the text, and its hypotheses
});

test("on a terminal without a text, lines are asked for, and a bad one ends nothing", async () => {
  const { PassThrough } = await import("node:stream");
  const input = new PassThrough();
  const around: Surroundings = { input, isTTY: true };
  input.end("beam\nfïve\n\ncat\n");
  const { code, lines, errors } = await wgformer(["run", "models/g2p-en", "--num_return_sequences=1"], around);
  assert.equal([code, lines], [0, ["B IY1 M", "K AE1 T"]]);
  assert.match(errors.join("\n"), /> .*wgformer: .*"ï" is not in it/s);
});

const TEMPLATE =
  "{% for m in messages %}{{ m.role }}:{{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}";
const CHAT = ["chat", "models/gpt2-brown", "--chat_template", TEMPLATE];

test("chat: each line is a message, and a reply sees what was said before", async () => {
  const words = [...CHAT, "-n", "12"];
  const [first, second, ...more] = await linesOf(words, "Hello\n\nAnd then?\n");
  assert.equal(more, []);
  assert.is.not(first, second);
  assert.is.not((await linesOf([...words, "--system", "And then?"], "Hello\n"))[0], first);
  const none = await wgformer(["chat", "models/gpt2-brown"]);
  assert.equal(
    [none.code, none.errors],
    [
      1,
      [
        "wgformer: chat: models/gpt2-brown must have a chat template, it has none; give --chat_template, or use wgformer run",
      ],
    ],
  );
});

test("chat on a terminal: commands, and Ctrl-C stops a reply and keeps the chat", async () => {
  const { PassThrough } = await import("node:stream");
  const { readFile } = await import("node:fs/promises");
  await inFolder(async (folder) => {
    const input = new PassThrough();
    const file = `${folder}/said.json`;
    let stopped = false;
    const running = wgformer(CHAT, {
      input,
      isTTY: true,
      onOutput() {
        if (stopped) return;
        stopped = true;
        input.write("\x03");
        setTimeout(() => input.end(`/save ${file}\n/sav\n/reset\n/save ${folder}/none/a.json\n/exit\n`), 500);
      },
    });
    input.write("/system Be kind.\nHello\n");
    const { code, lines, errors } = await running;
    const told = errors.join("\n");
    assert.is(code, 0);
    const saved = JSON.parse(await readFile(file, "utf8")) as { role: string; content: string }[];
    assert.equal(saved.slice(0, 2), [
      { role: "system", content: "Be kind." },
      { role: "user", content: "Hello" },
    ]);
    assert.equal([saved.length, saved[2].role, lines[0]], [3, "assistant", saved[2].content]);
    assert.match(told, /\/sav is no command; did you mean \/save\?/);
    assert.match(told, /wgformer: .*none\/a\.json cannot be written, /);
  });
});

test("embed: vectors of lines in JSON, and as an array for NumPy", async () => {
  const { readFile } = await import("node:fs/promises");
  const words = ["embed", "models/bert-pos", "--normalize"];
  const [first, blank, second] = records(await linesOf(words, "A man eats.\n\nYes\n"));
  const vectors = [first, second].map((record) => record?.embedding as number[]);
  assert.equal([blank, vectors[0].length], [undefined, 192]);
  for (const vector of vectors) assert.ok(Math.abs(Math.hypot(...vector) - 1) < 1e-5);
  await inFolder(async (folder) => {
    await linesOf([...words, "--output", `${folder}/v.npy`], "\nA man eats.\nYes\n");
    const file = await readFile(`${folder}/v.npy`);
    const header = file.subarray(10, 128).toString("latin1");
    assert.equal([...file.subarray(0, 10)], [0x93, ...Buffer.from("NUMPY"), 1, 0, 118, 0]);
    assert.match(header, /^\{'descr': '<f4', 'fortran_order': False, 'shape': \( +3, 192\), \} +\n$/);
    const rows = new Float32Array(new Uint8Array(file.subarray(128)).buffer);
    assert.is(rows.length, 3 * 192);
    assert.ok(rows.subarray(0, 192).every(Number.isNaN));
    assert.equal(
      Array.from(rows.subarray(192, 194), (value) => Number(value.toPrecision(9))),
      vectors[0].slice(0, 2),
    );
  });
});

test("texts that are one input stand side by side, in lines between tabs", async () => {
  const words = ["run", "models/bert-pos", "--task", "sentence-similarity", "--pooling", "mean"];
  const texts = ["She sails.", "She sails.", "No"];
  const [title, same, other] = await linesOf([...words, ...texts]);
  assert.equal([title, same], ["She sails.", "  1.0000  She sails."]);
  const score = /^ {2}(0\.\d{4}) {2}No$/.exec(other)?.[1];
  assert.equal(await linesOf(words, `${texts.join("\t")}\n`), [`1.0000\t0\t${score}\t1`]);
  const line = JSON.stringify({ source_sentence: texts[0], sentences: texts.slice(1) });
  const [record] = records(await linesOf([...words, "--jsonl"], line));
  assert.is((record as { results: number[] }).results[1].toFixed(4), score);
});

test("a model of the Hub is kept, taken from the cache without a request, listed, and removed", async () => {
  const { readdir, readFile } = await import("node:fs/promises");
  const names = (await readdir("models/bert-pos")).filter((name) => /\.(json|safetensors)$/.test(name));
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  for (const name of names) files.set(name, new Uint8Array(await readFile(`models/bert-pos/${name}`)));
  const commit = "c".repeat(40);
  await inFolder((folder) =>
    serveHub({ "org/tagger": { branches: { main: commit }, commits: { [commit]: files } } }, async ({ url, log }) => {
      const run = ["run", "org/tagger", "She sails.", "--cache_dir", folder];
      const offline = await wgformer([...run, "--local-files-only"]);
      assert.is(offline.code, 1);
      assert.match(offline.errors[0], /^wgformer: org\/tagger/);
      assert.equal(await linesOf([...run, "--endpoint", url]), ["She/PRON sails/VERB ./PUNCT"]);
      const asked = log.length;
      assert.equal(await linesOf([...run, "--endpoint", url, "--local_files_only"]), ["She/PRON sails/VERB ./PUNCT"]);
      assert.is(log.length, asked);
      const [model, revision] = await linesOf(["cache", "list", "--cache_dir", folder]);
      assert.match(model, /^ *\d+\.\d MB  \d{4}-\d\d-\d\d  org\/tagger$/);
      assert.match(revision, /^ *\d+\.\d MB +c{12}  main$/);
      assert.match(
        (await linesOf(["cache", "rm", "org/tagger", "--cache_dir", folder]))[0],
        /^org\/tagger: \d+\.\d MB freed$/,
      );
      assert.equal(await linesOf(["cache", "list", "--cache_dir", folder]), []);
      assert.is((await wgformer(["cache", "rm", "org/tagger", "--cache_dir", folder])).code, 1);
    }),
  );
});

test("score: the parts of a text add up, after a prompt as well, and targets of an encoder-decoder", async () => {
  interface Score {
    readonly token_ids: number[];
    readonly log_probs: number[];
    readonly log_prob: number;
    readonly perplexity: number;
  }
  const decoder = ["score", "models/gpt2-brown", "--jsonl"];
  const texts = ['"The jury said"', '{"prompt":"The","text":" jury said"}', '{"text":""}'].join("\n");
  const { code, lines, errors } = await wgformer(decoder, { input: texts });
  const [whole, rest] = records(lines) as unknown as Score[];
  assert.is(code, 1);
  assert.match(errors[0], /^wgformer: line 3: text: must have a token that can be scored, it has none$/);
  assert.is(whole.token_ids.length, rest.token_ids.length + 1);
  for (const { log_probs, log_prob, perplexity } of [whole, rest]) {
    assert.ok(Math.abs(log_probs.reduce((sum, one) => sum + one, 0) - log_prob) < 1e-9);
    assert.ok(Math.abs(Math.exp(-log_prob / log_probs.length) - perplexity) < 1e-9);
  }
  const target = '{"text":"transformer","target":[100,87,84,34,75,85,62,41,84,74,56,0]}';
  const [line] = await linesOf(["score", "models/g2p-en", "--jsonl"], target);
  assert.ok((JSON.parse(line) as Score).perplexity < 3);
  const missing = await wgformer(["score", "models/g2p-en", "word"]);
  assert.match(missing.errors[0], /line 1: target: must be given with a model that has an encoder$/);
});
