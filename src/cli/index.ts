import { OptionError, WgformerError } from "../index.js";
import { checkNames } from "../runtime/checks.js";
import { brief, listNames, parseArguments } from "./arguments.js";
import { info } from "./info.js";
import { profile } from "./profile.js";
import { forward, generate } from "./request.js";
import { run } from "./run.js";
import { tune } from "./tune.js";
import { type Verb } from "./verb.js";
import { verify } from "./verify.js";

const VERBS: Readonly<Record<string, Verb>> = { run, generate, forward, info, tune, verify, profile };

/** `wgformer --help`: the verbs. */
function overview(): string {
  const lines = Object.entries(VERBS).map(([name, { usage, summary }]) => {
    const [call] = `wgformer ${name} ${usage}`.split(/\s*</); // the verb's own help describes standard input
    return `  ${call.trim().padEnd(34)}${summary}`;
  });
  return `wgformer: run Hugging Face transformer checkpoints on WebGPU

${lines.join("\n")}

MODEL is a folder or a URL with config.json, model.safetensors and tokenizer.json.
wgformer VERB --help lists the options of a verb.`;
}

/** `wgformer VERB --help`. */
function helpOf(name: string, { usage, summary, details, options = {} }: Verb): string {
  const width = Math.max(...Object.keys(options).map(({ length }) => length));
  const lines = Object.entries(options).map(([option, text]) => `  ${option.padEnd(width)}   ${text}`);
  const title = `wgformer ${name} ${usage}`.trim();
  const parts = [`${title}\n  ${summary}`, details, lines.join("\n")];
  return parts.filter(Boolean).join("\n\n");
}

/** Runs the verb that the words of a command line name. Throws OptionError before it does anything that takes long. */
async function main(words: readonly string[]): Promise<void> {
  const {
    positional: [name, model, ...texts],
    options: { help, ...options },
  } = parseArguments(words);
  const verb = Object.hasOwn(VERBS, name ?? "") ? VERBS[name] : undefined;
  if (help || !name || name === "help") return console.log(verb ? helpOf(name, verb) : overview());
  if (!verb)
    throw new OptionError(`the verb must be ${listNames(Object.keys(VERBS))}, got ${brief(name)}; see wgformer --help`);
  checkNames(OptionError, name, options, namesOf(verb));
  const [stray] = verb.usage ? texts : [model];
  if (stray !== undefined && !verb.usage.includes("TEXT"))
    throw new OptionError(
      `${name}: takes no text, got ${brief(stray)}${verb.reads ? "; a request is read from standard input" : ""}`,
    );
  if (!model && verb.usage) throw new OptionError(`${name}: a model folder must be given; see wgformer --help`);
  return verb.run(model, texts, options);
}

/** The names of the options of a verb, which its help shows. */
function namesOf({ options = {} }: Verb): string[] {
  const written = ["--help", ...Object.keys(options)].join(" ");
  return [...new Set(Array.from(written.matchAll(/--(\w+)/g), ([, name]) => name))];
}

function fail(error: unknown): void {
  console.error(
    error instanceof WgformerError ? `wgformer: ${error.message.replace(/\s*[\n\r\u2028\u2029]\s*/g, "; ")}` : error,
  );
  process.exitCode = 1;
}

// Who reads the output may have enough of it (`| head`); a disk may be full.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") fail(new WgformerError(`the output cannot be written, ${error.message}`));
  process.exit();
});
main(process.argv.slice(2)).catch(fail);
