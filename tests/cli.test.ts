import { campaign, type Dice } from "./support/campaign.js";
import { linesOf, wgformer } from "./support/command_line.js";
import { assert, suite } from "./support/harness.js";

const test = suite("command line", { deno: "the command line runs in Node", chrome: "the command line runs in Node" });

test("run: the hypotheses of a text, and what was measured on standard error", async () => {
  const want = [
    "transformer",
    "   -0.0816  T R AE0 N S F AO1 R M ER0",
    "   -0.3855  T R AE2 N S F AO1 R M ER0",
    "   -0.4202  T R AE1 N S F AO2 R M ER0",
    "   -0.4209  T R AE0 N Z F AO1 R M ER0",
  ];
  const { code, lines, errors } = await wgformer(["run", "models/g2p-en", "transformer", "--stats"]);
  assert.equal([code, lines], [0, want]);
  assert.is(errors.length, 3);
  assert.match(errors[1], /^\d+ tokens\/s, \d+\.\d\d ms a step$/);
  assert.is(errors[2], "launches: 37 a step (11 a decoder layer, 4 outside the layers), 7 an encoder layer");
});

test("run: labels of tokens", async () => {
  assert.equal(await linesOf(["run", "models/bert-pos", "The old boat sails at dawn."]), [
    "The/DET old/ADJ boat/NOUN sails/NOUN at/ADP dawn/NOUN ./PUNCT",
  ]);
});

test("run: recordings, with their languages and times", async () => {
  const file = "tests/fixtures/audio/speech.wav";
  const model = "tests/fixtures/speech";
  assert.equal(await linesOf(["run", model, file]), [
    `${file}  (en)`,
    "     0.10    0.90  -",
    "     1.02    1.80  j",
    "     1.92    2.70  the the",
    "     2.86    3.14  j",
    "     3.14    3.60  -jjj",
  ]);
  const lines = await linesOf([
    "run",
    model,
    file,
    "--language",
    "German",
    "--num_beams",
    "2",
    "--num_return_sequences",
    "2",
  ]);
  assert.is(lines[0], `${file}  (de)`);
  assert.ok(lines.filter((line) => /^ {2}-\d\.\d{4} {2}/.test(line)).length >= 8);
});

test("generate: a list of requests gives a list of answers", async () => {
  const request = { input_ids: [[5, 6, 7, 0]], options: { num_beams: 2, max_new_tokens: 4 } };
  const [line] = await linesOf(["generate", "models/g2p-en"], JSON.stringify([request, request]));
  const answers = JSON.parse(line) as { sequences: number[][]; sequences_scores: number[] }[];
  assert.equal(answers[0], answers[1]);
  assert.equal(Object.keys(answers[0]), ["sequences", "sequences_scores"]);
  assert.is(answers[0].sequences.length, 1);
});

test("generate and forward: spectra as lists, and as a tensor", async () => {
  const bands = Array.from({ length: 80 }, (_, c) => Array.from({ length: 100 }, (_, t) => Math.sin(c * t)));
  const tensor = { dims: [1, 80, 100], data: bands.flat() };
  const options = { max_new_tokens: 3 };
  const requests = [[bands], tensor].map((input_features) => ({ input_features }));
  const whisper = "tests/fixtures/whisper";
  const generated = await linesOf(["generate", whisper], JSON.stringify(requests.map((one) => ({ ...one, options }))));
  const [one, other] = JSON.parse(generated[0]) as { sequences: number[][] }[];
  assert.equal([one.sequences[0].length, other], [4, one]);
  const states = await linesOf(["forward", whisper], JSON.stringify(requests));
  const [first, second] = JSON.parse(states[0]) as { encoder_last_hidden_state: { dims: number[] } }[];
  assert.equal([first.encoder_last_hidden_state.dims, second], [[1, 50, 64], first]);
  const texts = await wgformer(["generate", whisper], { input: JSON.stringify({ input_ids: [[5]] }) });
  assert.match(texts.errors.join(""), /input_ids: must be absent, whisper reads signals; give input_features$/);
});

test("what forward gives of an encoder feeds generate, and attentions come as they are asked for", async () => {
  const input_ids = [[5, 6, 7, 0]];
  const marian = "tests/fixtures/marian";
  const [line] = await linesOf(["forward", marian], JSON.stringify({ input_ids, output_attentions: true }));
  const { encoder_last_hidden_state, encoder_attentions } = JSON.parse(line);
  assert.equal(
    encoder_attentions.map(({ dims }: { dims: number[] }) => dims),
    Array.from({ length: 3 }, () => [1, 4, 4, 4]),
  );
  const options = { num_beams: 2, max_new_tokens: 4, output_attentions: true };
  const encoder_outputs = { last_hidden_state: encoder_last_hidden_state };
  const [fromIds, fromStates] = await linesOf(
    ["generate", marian],
    JSON.stringify([
      { input_ids, options },
      { encoder_outputs, options },
    ]),
  ).then(([answers]) => JSON.parse(answers));
  assert.equal(fromStates, fromIds);
  assert.equal(fromIds.cross_attentions.dims, [1, 2, 4, 4, 4]);
});

test("forward: logits by shape and values", async () => {
  const [line] = await linesOf(["forward", "models/bert-pos"], JSON.stringify({ input_ids: [[2, 7, 3]] }));
  const { logits } = JSON.parse(line) as { logits: { dims: number[]; data: number[] } };
  assert.equal(logits.dims, [1, 3, 16]);
  assert.is(logits.data.length, 48);
});

test("info: the adapter and its limits", async () => {
  const lines = await linesOf(["info"]);
  assert.match(lines[0], /^adapter {10}\S/);
  assert.match(lines.join("\n"), /^largest binding  \d+ MiB$/m);
});

test("verify: every launch agrees, and a tolerance that none can keep names the first", async () => {
  assert.equal(await linesOf(["verify", "models/bert-pos", "--rows", "3"]), [
    "encoder, 3 rows: 29 launches agree within 0.0001",
  ]);
  const words = ["verify", "models/bert-pos", "--rows=3", "--tolerance=1e-12"];
  const { code, lines, errors } = await wgformer(words);
  assert.is(code, 1);
  assert.equal(errors, []);
  assert.match(
    lines.join("\n"),
    /^encoder, 3 rows: launch \d \(\w+ encoder\.\S+\): encoder\.\S+\[\d+\] must be \S+, got \S+$/,
  );
});

test("profile: a table a plan", async () => {
  const lines = await linesOf(["profile", "models/bert-pos", "--rows", "3"]);
  assert.match(lines[2], /^encoder, 3 rows: 29 launches, \d+\.\d{3} ms$/);
  assert.match(lines[3], /^ +ms +% +launches +GB\/s +GFLOP\/s {2}kernel +launch$/);
  const counts = lines.slice(4).map((line) => Number(line.trim().split(/ +/)[2]));
  assert.is(
    counts.reduce((sum, count) => sum + count, 0),
    29,
  );
});

const VERBS = [
  ...["run", "chat", "embed", "score", "serve", "generate", "forward"],
  ...["info", "verify", "profile", "tune", "cache"],
];

test("help: the verbs, the options of each, and those of a task", async () => {
  const overview = await linesOf(["--help"]);
  assert.equal(
    overview.flatMap((line) => line.match(/^ {2}(\w+) /)?.[1] ?? []),
    VERBS,
  );
  assert.equal([await linesOf([]), await linesOf(["help"])], [overview, overview]);
  for (const verb of VERBS) {
    const lines = await linesOf([verb, "-h"]);
    assert.ok(lines[0].startsWith(`wgformer ${verb}`));
    assert.equal(lines, await linesOf(["help", verb]));
    assert.ok([...overview, ...lines].every((line) => line.length <= 96 && !line.includes("undefined")));
  }
  const sampling = await linesOf(["run", "--help", "--task", "text-generation"]);
  assert.ok(sampling.some((line) => /^ {6}--num_beams N +Beams for each prompt, 1 to 32/.test(line)));
  assert.ok(sampling.some((line) => line.startsWith("  -n, --max_new_tokens N")));
  assert.match((await linesOf(["--version"]))[0], /^\d+\.\d+\.\d+/);
});

test("every option has a text that says what it does", async () => {
  for (const task of ["text-generation", "automatic-speech-recognition", "token-classification"]) {
    const text = (await linesOf(["run", "-h", "--task", task])).join("\n");
    assert.ok(/^ {2}(-\w,| {3}) --/m.test(text));
    assert.is(/^ {2}(-\w,| {3}) --\S+( \S+)?\s*\n(?! {28}\S).*/m.exec(text)?.[0], undefined);
  }
});

test("requests: byte order marks and UTF-16, of either order", async () => {
  const text = '\ufeff["\u010a"]';
  const little = Buffer.from(text, "utf16le");
  for (const input of [text, little, Buffer.from(little).swap16()])
    assert.equal(await wgformer(["generate", "./models/none"], { input }), {
      code: 2,
      lines: [],
      errors: ['wgformer: generate: a request must be an object, got "\u010a"'],
    });
});

test("what follows -- is text", async () => {
  assert.is((await linesOf(["run", "models/bert-pos", "--", "--", "sails"])).length, 2);
});

test("a number that JSON has not is an error, not null", async () => {
  const { cp, mkdtemp, readFile, rm, writeFile } = await import("node:fs/promises");
  const folder = await mkdtemp("build/cli-");
  try {
    await cp("models/bert-pos", folder, { recursive: true });
    const bytes = await readFile(`${folder}/model.safetensors`);
    bytes.fill(255, bytes.length - 64); // NaN, in whatever tensor is last
    await writeFile(`${folder}/model.safetensors`, bytes);
    const { code, lines, errors } = await wgformer(["forward", folder], {
      input: JSON.stringify({ input_ids: [[2, 7, 3]] }),
    });
    assert.equal([code, lines, errors.length], [1, [], 1]);
    assert.match(errors[0], /^wgformer: .*(finite|NaN)/);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("a process: a reader that has enough ends it quietly, a full disk does not, Ctrl-C is 130", async () => {
  const { spawn, spawnSync } = await import("node:child_process");
  const call = `'${process.execPath}' dist/cli.js`;
  const shell = (line: string) => spawnSync("bash", ["-c", `set -o pipefail; ${line}`], { encoding: "utf8" });
  const quiet = shell(`${call} --help | true`);
  assert.equal([quiet.status, quiet.stderr], [0, ""]);
  const full = shell(`${call} --help > /dev/full`);
  assert.equal([full.status, full.stderr.split("\n").length], [1, 2]);
  assert.match(full.stderr, /^wgformer: the output cannot be written, .*no space/);
  const child = spawn(process.execPath, ["dist/cli.js", "run", "models/gpt2-brown", "The", "-n", "120"]);
  child.stdout.once("data", () => child.kill("SIGINT"));
  assert.is(await new Promise((resolve) => child.once("close", resolve)), 130);
});

const LISTED = `${VERBS.slice(0, -1).join(", ")} or ${VERBS[VERBS.length - 1]}`;

type Refusal = readonly [words: readonly string[], message: string, input?: string | Uint8Array];

// Words that are none of a command line: exit code 2, before anything is loaded.
const USAGE: readonly Refusal[] = [
  ...["constructor", "toString", "__proto__"].map((verb): Refusal => [
    [verb, "models/g2p-en"],
    `the verb must be ${LISTED}, got ${verb}; see wgformer --help`,
  ]),
  [["verfy"], `the verb must be ${LISTED}, got verfy; did you mean verify?`],
  [
    ["verify", "./models/none", "--__proto__", '{"dtype":"int3"}'],
    "verify: --__proto__ is no option; see wgformer verify --help",
  ],
  [["run", "./models/none", "--num_beam", "3"], "run: --num_beam is no option; did you mean --num_beams?"],
  [["run", "./models/none", "--maxNewTokens", "3"], "run: --maxNewTokens is no option; did you mean --max_new_tokens?"],
  [["run", "./models/none", "--progress"], "run: --progress is no option; see wgformer run --help"],
  [["run", "./models/none", "-x"], "run: -x is no option; see wgformer run --help"],
  [["run", "./models/none", "-5"], "run: -5 is no option; texts that begin with - follow --"],
  [["verify", "./models/none", "--row=3"], "verify: --row is no option; did you mean --rows?"],
  [["info", "--dtype", "f16"], "info: --dtype is no option; see wgformer info --help"],
  [["run", "--top_k", "2", "./models/none", "--top-k=3"], "run: --top_k is given twice"],
  [["info", "./models/none"], "info: no word follows, got ./models/none too"],
  [["forward", "./models/none", "words"], "forward: only a model follows, got words too"],
  [["cache", "ls"], "cache: list, or rm with the names of models, must follow, got ls"],
  [["run", ""], "run: a model must be given; see wgformer run --help"],
  [["run", "./models/none", "--num-beams", "40"], "run: --num_beams must be a whole number from 1 to 32, got 40"],
  [["run", "./models/none", "-n"], "run: --max_new_tokens must be a whole number of at least 1, got nothing"],
  [
    ["run", "./models/none", "--prefix", "--do_sample"],
    "run: --prefix must be a text, got --do_sample; write --prefix=--do_sample if that is the value",
  ],
  [["run", "./models/none", "--return_full_text=maybe"], "run: --return_full_text must be true or false, got maybe"],
  [
    ["run", "models/bert-pos", "word", "--num_beams", "2"],
    "run: --num_beams is no option of token-classification; leave it out, or choose another --task",
  ],
  [
    ["run", "./models/none", "word", "--task", "token-classification", "--top_k", "2"],
    "run: --top_k is no option of token-classification; leave it out, or choose another --task",
  ],
  [
    ["run", "./models/none", "word", "--input", "README.md"],
    "run: --input must be absent with texts, got word too; give one of them",
  ],
  [["run", "./models/none", "--resume"], "run: --resume needs --output, the file to go on with"],
  [
    ["run", "./models/none", "--output", "README.md"],
    "run: --output must be a new file, README.md is there; add --resume, or remove it",
  ],
  [
    ["embed", "./models/none", "--output", "a.npy", "--resume"],
    "embed: --resume goes on with lines of JSON, not with .npy",
  ],
  [
    ["tune", "./models/none", "--rows", "1e15"],
    "tune: --rows must be a whole number from 1 to 65536, or a list of such, got 1e15",
  ],
  [
    ["verify", "./models/none", "--rows", "0"],
    "verify: --rows must be a whole number from 1 to 65536, or a list of such, got 0",
  ],
  [["generate", "./models/none"], "generate: a request must be an object, got a list", "[[]]"],
  [
    ["generate", "./models/none"],
    "generate: standard input must have at most 256 MiB; give it in parts",
    new Uint8Array(2 ** 28 + 1),
  ],
  [
    ["generate", "models/g2p-en"],
    "generate: num_beams must be a whole number from 1 to 32, got 40",
    JSON.stringify({ input_ids: [[5, 0]], options: { num_beams: 40 } }),
  ],
];

// What fails: exit code 1.
const FAILURES: readonly Refusal[] = [
  [["run", "tests/fixtures/speech", "no.wav"], 'input 0: audio: "no.wav" must be a file, found none; check the path'],
  [
    ["run", "./models/none", "--input", "none.txt"],
    "none.txt cannot be read, ENOENT: no such file or directory, stat 'none.txt'",
  ],
  [
    ["run", "models/g2p-en"],
    "standard input must be text in UTF-8, or in UTF-16 with a byte order mark; line 1 is none",
    new Uint8Array([0, 255]),
  ],
  [["run", "./models/none", "word"], "./models/none: must be a folder with a checkpoint, there is none of this path"],
];

for (const [code, refusals] of [
  [2, USAGE],
  [1, FAILURES],
] as const)
  for (const [words, message, input] of refusals)
    test(`exit code ${code}: ${words.join(" ")} ${input?.slice(0, 9).toString() ?? ""}`, async () => {
      assert.equal(await wgformer(words, { input }), { code, lines: [], errors: [`wgformer: ${message}`] });
    });

const VERB_WORDS = ["run", "generate", "forward", "info", "verify"]; // tune and profile take long
const MODEL_WORDS = ["models/bert-pos", "tests/fixtures/gpt2", "./models/none", "README.md", "/dev/null"];
const OPTION_WORDS = ["--dtype", "--rows", "--rows={}", "--tolerance=-1", "--top_k", "--num_beams=[]", "--__proto__=1"];
const OTHER_WORDS = ["constructor", "", "help", "--", "-h", "--x", "null", "{}", "[1]", "int4", "1e999", "é\n😀"];

const INPUTS = [
  ...["", "{", "[]", "null", "7", "{}", "[{}]", "[[]]", '"', "\0", "text\n", "[".repeat(1e5)],
  ...['{"input_ids":[[2,7,3]]}', '{"input_ids":null}', '{"input_ids":[[1e9]]}', '[{"input_ids":[[2]],"options":[]}]'],
  ...['{"input_ids":[[2]],"__proto__":{}}', '{"input_ids":[[2]],"options":{"constructor":1}}', '{"input_ids":[]}'],
];

/** A command line that begins well, more often than not. */
function drawWords({ whole, pick, chance }: Dice): string[] {
  const begin = chance(0.8) ? [pick(VERB_WORDS), pick(MODEL_WORDS)] : [];
  const words = [...VERB_WORDS, ...MODEL_WORDS, ...OPTION_WORDS, ...OTHER_WORDS];
  return [...begin, ...Array.from({ length: whole(0, 3) }, () => pick(words))];
}

test("any command line and input end well, or in one line that says why", async () => {
  await campaign("command lines and inputs", { cases: 60, seconds: 5 }, async (dice) => {
    const words = drawWords(dice);
    const { code, lines, errors } = await wgformer(words, { input: dice.pick(INPUTS) });
    const told = `${words.join(" ")}: exit code ${code}, ${[...errors, ...lines].slice(0, 9).join("\n")}`;
    assert.ok(
      code === 0 ? errors.length === 0 : [1, 2].includes(code) && (errors.length > 0 || words[0] === "verify"),
      told,
    );
    for (const line of errors) assert.ok(line.startsWith("wgformer: ") && line.length < 2000, told);
    return code === 0 ? "right" : "refused";
  });
});

test("serve: listens until it is told to stop, and says what became of requests", async () => {
  const stop = new AbortController();
  let url = "";
  const ended = wgformer(["serve", "prose=models/gpt2-brown", "--port", "0", "--rows", "4", "--grace", "5"], {
    signal: stop.signal,
    onOutput: (text) => (url = /http:\S+/.exec(text)?.[0] ?? ""),
  });
  for (let tries = 0; !url && tries < 500; tries++) await new Promise((resolve) => setTimeout(resolve, 20));
  const answer = await fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: "prose", prompt: "The jury said", temperature: 0, max_tokens: 5 }),
  });
  assert.is(((await answer.json()) as { choices: { text: string }[] }).choices[0].text, ", \"I don't");
  stop.abort();
  const { code, lines, errors } = await ended;
  assert.equal([code, lines], [0, [`listening at ${url}`]]);
  assert.equal(errors, [
    "prose: /v1/completions",
    "stopping; requests have 5 s to end, a second Ctrl-C ends them now",
    "0 requests have ended, 0 were cut off",
  ]);
});

test("serve: what it cannot do is told before it listens", async () => {
  for (const [words, message] of [
    [["models/bert-pos"], /must write, embed, rank or hear, its task is token-classification; use wgformer run$/],
    [["models/g2p-en", "models/g2p-en"], /models\/g2p-en is given twice; NAME=MODEL gives one another name$/],
    [["models/g2p-en", "--port", "99999"], /--port must be a whole number from 0 to 65535, got 99999$/],
    [["models/g2p-en", "--chat_template", "none"], /--chat_template must be the path of a file, ENOENT/],
    [["models/g2p-en", "--host", "256.1.1.1", "--rows", "4"], /host and port must be an address to listen at, /],
  ] as const) {
    const { code, lines, errors } = await wgformer(["serve", ...words]);
    assert.ok(code > 0);
    assert.equal(lines, []);
    assert.match(errors.at(-1) ?? "", message);
  }
});
