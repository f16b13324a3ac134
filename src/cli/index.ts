import { OptionError, WgformerError } from "../index.js";
import { info } from "./info.js";
import { profile } from "./profile.js";
import { forward, generate } from "./request.js";
import { run } from "./run.js";
import { tune } from "./tune.js";
import type { Options, Verb } from "./verb.js";
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

/** Reads `--name value`, `--name=value` and `--flag`; values that are not JSON are text. */
function parseArguments(words: readonly string[]): { positional: string[]; options: Options } {
  const positional: string[] = [];
  const options: Record<string, unknown> = {};
  const value = (text: string): unknown => {
    try {
      return JSON.parse(text);
    } catch {
      return text;
    }
  };
  for (let i = 0; i < words.length; i++) {
    const [, name, inline] = words[i].match(/^--([a-z_0-9-]+)(?:=(.*))?$/s) ?? [];
    if (name === undefined) positional.push(words[i]);
    else if (inline !== undefined) options[name] = value(inline);
    else if (words[i + 1] === undefined || words[i + 1].startsWith("--")) options[name] = true;
    else options[name] = value(words[++i]);
  }
  return { positional, options };
}

async function main(words: readonly string[]): Promise<void> {
  const {
    positional: [name, model, ...texts],
    options,
  } = parseArguments(words);
  const verb = Object.hasOwn(VERBS, name ?? "") ? VERBS[name] : undefined;
  if (options.help || !name || name === "help") return console.log(verb ? helpOf(name, verb) : overview());
  if (!verb) {
    const names = Object.keys(VERBS);
    const known = `${names.slice(0, -1).join(", ")} or ${names[names.length - 1]}`;
    throw new OptionError(`the verb must be ${known}, got ${name}; see wgformer --help`);
  }
  if (!model && verb.usage) throw new OptionError(`${name}: a model folder must be given; see wgformer --help`);
  return verb.run(model, texts, options);
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error instanceof WgformerError ? `wgformer: ${error.message.replace(/\s*\n\s*/g, "; ")}` : error);
  process.exitCode = 1;
});
