import { version } from "../../package.json";
import { OptionError, WgformerError } from "../index.js";
import { FLAG, nearest } from "../runtime/checks.js";
import { brief, listNames, type OptionTable, parseArguments } from "./arguments.js";
import { cache } from "./cache.js";
import { chat } from "./chat.js";
import { embed } from "./embed.js";
import { helpOf, overview } from "./help.js";
import { info } from "./info.js";
import { union } from "./options.js";
import { profile } from "./profile.js";
import { forward, generate } from "./request.js";
import { run } from "./run.js";
import { score } from "./score.js";
import { serve } from "./serve.js";
import { kindOf } from "./task_options.js";
import { print, tell, type Terminal } from "./terminal.js";
import { tune } from "./tune.js";
import type { Verb } from "./verb.js";
import { verify } from "./verify.js";

export { parseArguments };

const VERBS: Readonly<Record<string, Verb>> = {
  run,
  chat,
  embed,
  score,
  serve,
  generate,
  forward,
  info,
  verify,
  profile,
  tune,
  cache,
};

const HELP = { help: { rule: FLAG, doc: "what the verb does, and its options", short: "h" } };

/**
 * Runs the words of a command line and resolves to its exit code: 0; 1 where something failed, or some lines of the input
 * did; 2 for words that are none of a command line, before anything is loaded; 130 after Ctrl-C. Throws what is no
 * error of ours.
 */
export async function main(words: readonly string[], terminal: Terminal): Promise<number> {
  try {
    return (await dispatch(words, terminal)) ?? 0;
  } catch (error) {
    if (terminal.signal.aborted) return 130;
    if (!(error instanceof WgformerError)) throw error;
    await tell(terminal, `wgformer: ${oneLine(error.message)}`);
    return error instanceof OptionError ? 2 : 1;
  }
}

async function dispatch([name = "help", ...words]: readonly string[], terminal: Terminal): Promise<number | void> {
  const { columns } = terminal.stdout;
  if (["--version", "-v", "-V"].includes(name)) return print(terminal, version);
  if (["help", "--help", "-h"].includes(name)) {
    const verb = words.length ? verbOf(words[0]) : undefined;
    return print(terminal, verb ? helpOf(words[0], verb, columns) : overview(VERBS, columns));
  }
  const verb = verbOf(name);
  const sections = [verb.sections, ...Object.values(verb.tasks ?? {})];
  const { positional, options } = parseArguments(
    name,
    words,
    union([...sections.flatMap(Object.values<OptionTable>), HELP]),
  );
  if (options.help) return print(terminal, helpOf(name, verb, columns, kindOf(String(options.task))));
  const [least, most] = verb.words;
  if (positional.length > most)
    throw new OptionError(
      `${name}: ${most ? "only a model follows" : "no word follows"}, got ${brief(positional[most])} too`,
    );
  const [model = "", ...texts] = positional;
  if (least && !model) throw new OptionError(`${name}: a model must be given; see wgformer ${name} --help`);
  return verb.run({ model, texts, options, terminal });
}

function verbOf(name: string): Verb {
  if (Object.hasOwn(VERBS, name)) return VERBS[name];
  const near = nearest(name, Object.keys(VERBS));
  throw new OptionError(
    `the verb must be ${listNames(Object.keys(VERBS))}, got ${brief(name)}; ${near ? `did you mean ${near}?` : "see wgformer --help"}`,
  );
}

const oneLine = (text: string): string => text.replace(/\s*[\n\r\u2028\u2029]\s*/g, "; ");
