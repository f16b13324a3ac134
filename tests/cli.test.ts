import { campaign, type Dice } from "./support/campaign.js";
import { assert, suite } from "./support/harness.js";

const test = suite("command line", { deno: "the command line runs in Node", chrome: "the command line runs in Node" });

interface Outcome {
  readonly code: number | null;
  readonly lines: readonly string[];
  /** Lines on standard error, without the two that Dawn prints for every adapter. */
  readonly errors: readonly string[];
}

/** Runs the built command line with `input` on standard input. */
async function wgformer(words: readonly string[], input: string | Uint8Array = ""): Promise<Outcome> {
  const { spawn } = await import("node:child_process");
  const child = spawn(process.execPath, ["dist/cli.js", ...words]);
  const texts = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk) => (texts.stdout += chunk));
  child.stderr.on("data", (chunk) => (texts.stderr += chunk));
  child.stdin.on("error", () => {}); // it may end before it has read all
  child.stdin.end(input);
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  const [lines, errors] = [texts.stdout, texts.stderr].map((text) => text.split("\n").slice(0, -1));
  return { code, lines, errors: errors.filter((line) => !line.startsWith("Warning: maxDynamic")) };
}

/** Lines of a call that must end well. */
async function linesOf(words: readonly string[], input?: string | Uint8Array): Promise<readonly string[]> {
  const { code, lines, errors } = await wgformer(words, input);
  assert.equal(errors, []);
  assert.is(code, 0);
  return lines;
}

test("run: text to text, from words and from standard input", async () => {
  const want = [
    "transformer",
    "   -0.0816  T R AE0 N S F AO1 R M ER0",
    "   -0.3855  T R AE2 N S F AO1 R M ER0",
    "   -0.4202  T R AE1 N S F AO2 R M ER0",
    "   -0.4209  T R AE0 N Z F AO1 R M ER0",
    "",
  ];
  const lines = await linesOf(["run", "models/g2p-en", "transformer"]);
  assert.equal(lines.slice(0, 6), want);
  assert.match(
    lines[lines.length - 1],
    /^launches: 37 a step \(11 a decoder layer, 4 outside the layers\), 7 an encoder layer$/,
  );
  assert.equal((await linesOf(["run", "models/g2p-en", "--num_beams=4"], "transformer\n\n")).slice(0, 6), want);
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
  const texts = await wgformer(["generate", whisper], JSON.stringify({ input_ids: [[5]] }));
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
  const { code, lines, errors } = await wgformer(["verify", "models/bert-pos", "--rows=3", "--tolerance=1e-12"]);
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

test("help: the verbs, and the options of one", async () => {
  const verbs = (await linesOf(["--help"])).flatMap((line) => line.match(/^ {2}wgformer (\w+)/)?.[1] ?? []);
  assert.equal(verbs, ["run", "generate", "forward", "info", "tune", "verify", "profile"]);
  for (const verb of verbs) assert.ok((await linesOf([verb, "--help"]))[0].startsWith(`wgformer ${verb}`));
});

const REQUEST = JSON.stringify({ input_ids: [[5, 6, 7, 0]], options: { max_new_tokens: 2 } });

test("standard input: byte order marks, UTF-16 and carriage returns", async () => {
  const utf16 = new Uint8Array(new Uint16Array([0xfeff, ...[...REQUEST].map((letter) => letter.charCodeAt(0))]).buffer);
  const want = await linesOf(["generate", "models/g2p-en"], REQUEST);
  assert.equal(await linesOf(["generate", "models/g2p-en"], utf16), want);
  assert.equal(
    await linesOf(
      ["generate", "models/g2p-en"],
      utf16.map((_, i) => utf16[i ^ 1]),
    ),
    want,
  );
  assert.equal(await linesOf(["generate", "models/g2p-en"], `\ufeff${REQUEST}`), want);
  const lines = await linesOf(["run", "models/bert-pos"], "\ufeffShe sails.\r\n\r\nHe sails.\r\n");
  assert.equal(lines, ["She/PRON sails/VERB ./PUNCT", "He/PRON sails/VERB ./PUNCT"]);
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
    const { code, lines, errors } = await wgformer(["forward", folder], JSON.stringify({ input_ids: [[2, 7, 3]] }));
    assert.equal([code, lines, errors.length], [1, [], 1]);
    assert.match(errors[0], /^wgformer: .*(finite|NaN)/);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("a reader that has enough ends it quietly, a full disk does not", async () => {
  const { spawnSync } = await import("node:child_process");
  const call = `'${process.execPath}' dist/cli.js --help`;
  const shell = (line: string) => spawnSync("bash", ["-c", `set -o pipefail; ${line}`], { encoding: "utf8" });
  assert.equal([shell(`${call} | true`).status, shell(`${call} | true`).stderr], [0, ""]);
  const full = shell(`${call} > /dev/full`);
  assert.equal([full.status, full.stderr.split("\n").length], [1, 2]);
  assert.match(full.stderr, /^wgformer: the output cannot be written, .*no space/);
});

const VERBS = "run, generate, forward, info, tune, verify or profile";

const REFUSALS: readonly (readonly [readonly string[], string | Uint8Array, string])[] = [
  ...["constructor", "toString", "valueOf", "hasOwnProperty", "__proto__"].map(
    (verb) => [[verb, "models/g2p-en"], "", `the verb must be ${VERBS}, got ${verb}; see wgformer --help`] as const,
  ),
  [
    ["verify", "models/g2p-en", "--__proto__", '{"dtype":"int3"}'],
    "",
    "verify: __proto__ is not supported; supported are help, rows, tolerance, dtype",
  ],
  [
    ["run", "tests/fixtures/speech", "no.wav"],
    "",
    'input 0: audio: "no.wav" must be a file, found none; check the path',
  ],
  [["run", "models/g2p-en", "--num_beam", "3"], "", "run: num_beam is not supported; did you mean num_beams?"],
  [["verify", "models/g2p-en", "--row=3"], "", "verify: row is not supported; did you mean rows?"],
  [["info", "--dtype", "f16"], "", "info: dtype is not supported; supported are help"],
  [["run", "--top_k", "2", "models/g2p-en", "--top_k=3"], "", "--top_k is given twice"],
  [["info", "models/g2p-en"], "", "info: takes no text, got models/g2p-en"],
  [
    ["forward", "models/g2p-en", "words"],
    "",
    "forward: takes no text, got words; a request is read from standard input",
  ],
  [["run", ""], "", "run: a model folder must be given; see wgformer --help"],
  [
    ["run", "models/g2p-en", "--num-beams", "3"],
    "",
    "--num-beams is no option: they are --name, --name value or --name=value; texts follow --",
  ],
  [
    ["tune", "models/g2p-en", "--rows", "1e15"],
    "",
    "tune: rows must be a whole number from 1 to 65536 or a list of such, got 1000000000000000",
  ],
  [["generate", "models/g2p-en"], "[[]]", "generate: a request must be an object, got a list"],
  [
    ["run", "models/g2p-en"],
    new Uint8Array([0x63, 0xff]),
    "run: standard input must be text in UTF-8, or in UTF-16 with a byte order mark",
  ],
  [
    ["generate", "models/g2p-en"],
    new Uint8Array(2 ** 28 + 1),
    "generate: standard input must have at most 256 MiB; give it in parts",
  ],
  [["frobnicate"], "", `the verb must be ${VERBS}, got frobnicate; see wgformer --help`],
  [
    ["run", "./models/none", "word"],
    "",
    "./models/none: must be a checkpoint folder with config.json, model.safetensors and tokenizer.json; found no config.json",
  ],
  [
    ["generate", "models/g2p-en"],
    JSON.stringify({ input_ids: [[5, 0]], options: { num_beams: 40 } }),
    "generate: num_beams must be a whole number from 1 to 32, got 40",
  ],
  [
    ["verify", "models/g2p-en", "--rows", "0"],
    "",
    "verify: rows must be a whole number from 1 to 65536 or a list of such, got 0",
  ],
];

for (const [words, input, message] of REFUSALS) {
  test(`bad input: ${words.join(" ")} ${input.slice(0, 9).toString()}`, async () => {
    const { code, lines, errors } = await wgformer(words, input);
    assert.equal([code, lines, errors], [1, [], [`wgformer: ${message}`]]);
  });
}

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
  await campaign("command lines in a process", { cases: 25, seconds: 6 }, async (dice) => {
    const words = drawWords(dice);
    const { code, lines, errors } = await wgformer(words, dice.pick(INPUTS));
    const told = `${words.join(" ")}: exit code ${code}, ${[...errors, ...lines].slice(0, 9).join("\n")}`;
    assert.ok(code === 0 ? errors.length === 0 : code === 1 && errors.length <= 1, told);
    for (const line of errors) assert.ok(line.startsWith("wgformer: ") && line.length < 2000, told);
    return code === 0 ? "right" : "refused";
  });
});
