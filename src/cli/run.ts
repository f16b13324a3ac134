import { defaultTask, pipeline, type Tasks } from "../index.js";
import { FLAG } from "../runtime/checks.js";
import type { Options } from "./arguments.js";
import { checkLineOptions, lineOptions, type LineTask, runLines } from "./line_runs.js";
import { MODEL_OPTIONS, option, split } from "./options.js";
import { openModel } from "./models.js";
import { converse } from "./prompt.js";
import { type Session, showAnswer, showTexts, TEXT_TASKS } from "./show.js";
import { checkTaskOptions, kindOf, TASK_OPTIONS, TASK_RULE } from "./task_options.js";
import { VIEWS } from "./views.js";
import type { Verb } from "./verb.js";

/** `wgformer run`: runs texts or recordings, or lines of them, through a task of a checkpoint. */
export const run: Verb = {
  usage: "MODEL [TEXT ...]",
  words: [1, Infinity],
  summary: "run texts, or WAV files, through the task of the checkpoint",
  details: `One text whose result is one text is written as it is generated. Without TEXT, lines are read: from --input, from standard input, or on a terminal one by one with a prompt. Each line of the input gives one line of the output: a blank line a blank one, and so does one that the model cannot take, which is told by its number on standard error (exit code 1). In JSON, a line is {"text": ...}, or what else the task takes, with "id" and "options" of its own if it likes; a result has the number of its line in "index", counted from 0, and a bad line an "error". Tokens are labelled word by word (aggregation_strategy first). Where a task needs several texts (a question and its context, a query and its documents, a sentence and others), TEXT are these; in lines they are divided by tabs. Models of speech take paths or URLs of WAV files in place of texts ("audio").`,
  examples: [
    'models/g2p-en "transformer"',
    'models/gpt2-brown "The jury said" -n 40 --do_sample --seed 7',
    "models/bert-pos --input lines.txt --output tags.jsonl --resume",
  ],
  sections: {
    "Input and output": {
      task: option(TASK_RULE, "The task. Default: that of the checkpoint.", "t"),
      ...lineOptions("64; of recordings 8"),
      stats: option(FLAG, "Tell the device, the speed and the launches on standard error. Default false."),
    },
    Model: MODEL_OPTIONS,
  },
  tasks: TASK_OPTIONS,
  async run(call) {
    const { input, output, jsonl, resume: _, stats, ...rest } = call.options;
    await checkLineOptions("run", call);
    const { task, batch_size, ...given } = split(rest)[1];
    const named = kindOf(String(task));
    const options = { ...given, ...(task !== undefined && !named && { task }) }; // transcribe or translate
    if (named) checkTaskOptions(named, options);
    const { checkpoint, load, loading } = await openModel(call);
    const kind = named ?? (await defaultTask(checkpoint));
    checkTaskOptions(kind, options);
    const name = named ? (task as keyof Tasks) : kind;
    const opened = await loading(pipeline(name, checkpoint, load));
    const sized = { ...options, ...(batch_size !== undefined && takesBatchSize(kind) && { batch_size }) };
    const session: Session = { kind, task: opened as never, options: sized, terminal: call.terminal };
    try {
      const isShown = !jsonl && output === undefined && input === undefined;
      if (isShown && call.texts.length) return await showTexts(session, call.texts, Boolean(stats));
      if (isShown && call.terminal.stdin.isTTY)
        return await converse(call.terminal, (line, signal) => showAnswer(session, line, signal));
      return await runLines("run", lineTask(session, batch_size as number | undefined), call);
    } finally {
      opened.dispose();
    }
  },
};

const AHEAD = 4; // batches that are read together: a task sorts its texts by length
const BATCH = 64;
const RECORDINGS = 8;

const takesBatchSize = (kind: keyof Tasks): boolean => TEXT_TASKS.has(kind) || kind === "automatic-speech-recognition";

/** A task as one of lines. */
function lineTask({ kind, task, options, terminal: { signal } }: Session, size?: number): LineTask {
  const view = VIEWS[kind];
  const several = (own: Options): boolean =>
    Number(own.num_return_sequences ?? 1) > 1 || Boolean(own.return_alternatives);
  const words = kind === "token-classification" && { aggregation_strategy: "first" };
  return {
    format: { ...view, checkOptions: (own) => checkTaskOptions(kind, own) },
    run: (inputs, own) => task(inputs, { ...words, ...options, ...own, signal }),
    together: view.together,
    size: kind === "automatic-speech-recognition" ? (size ?? RECORDINGS) : AHEAD * (size ?? BATCH),
    line: (result) => view.line(result),
    json: (result, item) => view.json(result, several({ ...options, ...item.options })),
    repeatable: options.do_sample !== true || options.seed !== undefined,
  };
}
