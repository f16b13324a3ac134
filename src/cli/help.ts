import { isSwitch, type Option, type OptionTable } from "./arguments.js";
import type { Sections, Verb } from "./verb.js";

const WIDTH = 96; // columns of a line at most
const INDENT = 28; // of what options do

/** `wgformer --help`: the verbs. */
export function overview(verbs: Readonly<Record<string, Verb>>, columns = 80): string {
  const width = Math.min(WIDTH, columns);
  const calls = Object.entries(verbs).map(([name, { usage, summary }]) => ({ call: `  ${name} ${usage}`, summary }));
  const indent = Math.max(...calls.map(({ call }) => call.length)) + 3;
  return `wgformer VERB ...: run Hugging Face transformer checkpoints on WebGPU

${calls.map(({ call, summary }) => hang(call, summary, width, indent)).join("\n")}

${wrap("MODEL is a model of the Hub (org/name, org/name@revision), a folder, or a URL with config.json, model.safetensors and tokenizer.json.", width)}

wgformer VERB --help    what a verb does, and its options
wgformer --version      the version`;
}

/** `wgformer VERB --help`; with `--task NAME`, the options of a task. */
export function helpOf(name: string, verb: Verb, columns = 80, task?: string): string {
  const width = Math.min(WIDTH, columns);
  const { usage, summary, details, examples, sections, tasks = {} } = verb;
  const title = `wgformer ${name} ${usage}`.trim();
  if (task !== undefined) return [`${title} --task ${task}`, ...describeAll(tasks[task] ?? {}, width)].join("\n\n");
  const parts = [
    title,
    wrap(`${summary[0].toUpperCase()}${summary.slice(1)}. ${details ?? ""}`, width),
    examples?.map((example) => `  $ wgformer ${name} ${example}`).join("\n"),
    ...describeAll(sections, width),
    ...[...groupTasks(tasks)].map(
      ([names, kinds]) => `${wrap(`Options of ${kinds.join(", ")}`, width)}\n${hang("", names, width, 6)}`,
    ),
    Object.keys(tasks).length ? `wgformer ${name} --help --task NAME says what the options of a task do.` : "",
  ];
  return parts.filter(Boolean).join("\n\n");
}

/** Tasks by the names of their options. */
function groupTasks(tasks: Readonly<Record<string, Sections>>): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const [kind, sections] of Object.entries(tasks)) {
    const names = Object.values(sections).flatMap((table) => Object.keys(table).map((option) => `--${option}`));
    groups.set(names.join(" "), [...(groups.get(names.join(" ")) ?? []), kind]);
  }
  return groups;
}

const describeAll = (sections: Sections, width: number): string[] =>
  Object.entries(sections).map(([title, table]) => `${title}\n${describe(table, width)}`);

function describe(table: OptionTable, width: number): string {
  return Object.entries(table)
    .map(([name, option]) => {
      const letter = option.short ? `-${option.short}, ` : "    ";
      const head = `  ${letter}--${name}${placeholder(option)}`;
      return hang(head, `${option.doc}${range(option)}`, width, INDENT);
    })
    .join("\n");
}

/** What stands for the value of an option. */
function placeholder(option: Option): string {
  const { words } = option.rule;
  const values = valuesOf(words);
  if (values && values.length <= 32) return ` ${values}`;
  if (isSwitch(option)) return "";
  if (/^a (whole number|token id)/.test(words)) return " N";
  if (/^a (finite )?number/.test(words)) return " X";
  if (words.startsWith("a list")) return " LIST";
  return /file/.test(words) ? " FILE" : " TEXT";
}

/** The values of `one of a, b, c`, as `a|b|c`. */
const valuesOf = (words: string): string | undefined => /^one of (.*)/.exec(words)?.[1].replaceAll(", ", "|");

/** Which values an option may have, where it is not any number. */
const range = ({ rule: { words } }: Option): string => (/\b(from|most|below|above) /.test(words) ? ` (${words})` : "");

/** A text after a head, wrapped and indented to begin in one column; below the head where that is too long. */
function hang(head: string, text: string, width: number, indent: number): string {
  const lines = wrap(text, width - indent).split("\n");
  const first = head.length < indent - 1 ? `${head.padEnd(indent)}${lines.shift()}` : head;
  return [first, ...lines.map((line) => " ".repeat(indent) + line)].join("\n");
}

/** A text in lines of at most `width` letters. */
function wrap(text: string, width: number): string {
  const lines: string[] = [""];
  for (const word of text.trim().split(/\s+/)) {
    const line = lines[lines.length - 1];
    if (line && line.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = line ? `${line} ${word}` : word;
  }
  return lines.join("\n");
}
