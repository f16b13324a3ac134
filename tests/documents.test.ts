import { assert, readFile, runtime, suite } from "./support/harness.js";

/**
 * Samples of the documents: blocks `js` compile, run and print what their comments say, blocks `ts` compile, and the
 * commands of blocks `console` print what stands under them. A comment is output when it stands directly under code. A
 * block that imports nothing goes on with the program before it.
 */
const test = suite("documents", { deno: "samples run in Node", chrome: "samples run in Node" });

const FOLDERS = ["docs", "docs/guide"];
const SIDE_BY_SIDE = 2;

interface Sample {
  readonly kind: "js" | "ts" | "console";
  readonly text: string;
  /** Document and line, as `docs/guide/translate.md:19`. */
  readonly place: string;
}

const FENCE = /^```(js|ts|console)\n([^]*?)^```$/gm;

function samplesOf(document: string, text: string): readonly Sample[] {
  const samples: Sample[] = [];
  for (const { 1: kind, 2: block, index } of text.matchAll(FENCE)) {
    const before = samples.findLastIndex((sample) => sample.kind === kind);
    if (kind === "console" || block.startsWith("import ") || before < 0)
      samples.push({
        kind: kind as Sample["kind"],
        text: block,
        place: `${document}:${text.slice(0, index).split("\n").length}`,
      });
    else samples[before] = { ...samples[before], text: `${samples[before].text}\n${block}` };
  }
  return samples;
}

async function readSamples(): Promise<readonly Sample[]> {
  const { readdir } = await import("node:fs/promises");
  const listed = await Promise.all(
    FOLDERS.map(async (folder) => (await readdir(folder)).map((name) => `${folder}/${name}`)),
  );
  const documents = ["README.md", ...listed.flat().filter((name) => name.endsWith(".md"))];
  const read = async (document: string): Promise<readonly Sample[]> =>
    samplesOf(document, new TextDecoder().decode(await readFile(document)));
  return (await Promise.all(documents.map(read))).flat();
}

/** What a program must print: its comments that stand directly under code. */
function printed(program: string): string {
  let output = false;
  const lines: string[] = [];
  for (const line of program.split("\n")) {
    const comment = line.startsWith("//");
    if (comment && output) lines.push(line.replace(/^\/\/ ?/, ""));
    output = comment ? output : line.trim() !== "";
  }
  return lines.join("\n");
}

/** The commands of a console, each with what it must print. */
const commandsOf = (console: string): readonly (readonly [command: string, output: string])[] =>
  console
    .split(/^\$ /m)
    .slice(1)
    .map((part) => [part.slice(0, part.indexOf("\n")), part.slice(part.indexOf("\n") + 1).trimEnd()] as const);

async function execute(file: string, words: readonly string[]): Promise<string> {
  const { execFile } = await import("node:child_process");
  const { promisify } = await import("node:util");
  return (await promisify(execFile)(file, words)).stdout.trimEnd();
}

/** A command of a console runs in a shell, in which `wgformer` is the command line of `dist/`; it may fail. */
const runCommand = (command: string): Promise<string> =>
  execute("bash", ["-c", `wgformer() { "${process.execPath}" dist/cli.js "$@"; }\n${command}\ntrue`]);

/** Where the program of a sample is written: in the package, whose name it imports. */
const pathOf = ({ place, kind }: Sample): string => `build/documents/${place.replace(/\W+/g, "_")}.m${kind}`;

const samples = runtime === "node" ? await readSamples() : [];
const programs = samples.filter(({ kind }) => kind !== "console");

async function writePrograms(chosen: readonly Sample[]): Promise<void> {
  const { mkdir, writeFile } = await import("node:fs/promises");
  await mkdir("build/documents", { recursive: true });
  for (const sample of chosen) await writeFile(pathOf(sample), `${sample.text}\nexport {};\n`);
}

const COMPILER =
  "node_modules/typescript/bin/tsc --noEmit --ignoreConfig --skipLibCheck --target es2022 --module nodenext --lib es2023,dom,dom.iterable,esnext.disposable --types node";
/** JavaScript is checked as editors do without a project: names and arguments, not what may be undefined. */
const CHECKS = { js: "--allowJs --checkJs --strict false", ts: "--strict" } as const;

for (const kind of ["js", "ts"] as const)
  test(`every program in ${kind} compiles`, async () => {
    const chosen = programs.filter((sample) => sample.kind === kind);
    assert.ok(chosen.length > 0);
    await writePrograms(chosen);
    const words = `${COMPILER} ${CHECKS[kind]}`.split(" ");
    await execute(process.execPath, [...words, ...chosen.map(pathOf)]).catch((error: { stdout?: string }) => {
      throw new Error(error.stdout ?? String(error));
    });
  });

/** What each sample printed in place of what it says; side by side, a few at a time. */
async function runAll(): Promise<ReadonlyMap<Sample, string>> {
  const outcomes = new Map<Sample, string>();
  const waiting = samples.filter(({ kind }) => kind !== "ts");
  const worker = async (): Promise<void> => {
    for (let sample = waiting.shift(); sample; sample = waiting.shift()) outcomes.set(sample, await faultOf(sample));
  };
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, worker));
  return outcomes;
}

/** What a sample printed, if it is not what it says; else nothing. */
async function faultOf(sample: Sample): Promise<string> {
  try {
    if (sample.kind === "js") {
      const got = await execute(process.execPath, ["--input-type=module", "--eval", sample.text]);
      const want = printed(sample.text);
      return got === want ? "" : `printed\n${got}\nand should have printed\n${want}`;
    }
    for (const [command, output] of commandsOf(sample.text)) {
      const got = await runCommand(command);
      if (got !== output) return `${command} printed\n${got}`;
    }
    return "";
  } catch (error) {
    return String(error);
  }
}
let running: ReturnType<typeof runAll> | undefined;

for (const sample of samples.filter(({ kind }) => kind !== "ts"))
  test(`the sample at ${sample.place} does what it says`, async () => {
    assert.is((await (running ??= runAll())).get(sample), "");
  });
