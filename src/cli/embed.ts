import { type Features, type FeatureOptions, OptionError, pipeline } from "../index.js";
import { oneOf } from "../runtime/checks.js";
import { checkLineOptions, lineOptions, type LineTask, runLines } from "./line_runs.js";
import { npySink } from "./npy.js";
import { MODEL_OPTIONS, split } from "./options.js";
import { openModel } from "./models.js";
import { checkTaskOptions, TASK_OPTIONS } from "./task_options.js";
import { VIEWS } from "./views.js";
import type { Verb } from "./verb.js";

const { Vectors, Texts } = TASK_OPTIONS["feature-extraction"];
const POOLING = {
  rule: oneOf("cls", "mean", "max"),
  doc: "How the states of a text become one vector. Default: as the checkpoint says, or else mean.",
};
const BATCH = 256;

/** `wgformer embed`: turns texts into vectors. */
export const embed: Verb = {
  usage: "MODEL [TEXT ...]",
  words: [1, Infinity],
  summary: "turn texts into vectors",
  details:
    'Without TEXT, lines are read. Each gives a line {"index": 0, "embedding": [...]}; with --output FILE.npy the vectors are an array f32[lines,D] of NumPy, where a blank or bad line is a row of NaN.',
  examples: ['models/bert-pos "A man eats."', "models/bert-pos --input texts.txt --output vectors.npy --normalize"],
  sections: {
    "Input and output": lineOptions(String(BATCH)),
    Vectors: { ...Vectors, pooling: POOLING },
    Texts,
    Model: MODEL_OPTIONS,
  },
  async run(call) {
    const { input: _, output, jsonl: _jsonl, resume, batch_size = BATCH, ...rest } = call.options;
    const isArray = String(output).endsWith(".npy");
    if (isArray && resume) throw new OptionError("embed: --resume goes on with lines of JSON, not with .npy");
    await checkLineOptions("embed", call);
    const { signal } = call.terminal;
    const [, options] = split(rest);
    const { checkpoint, load, loading } = await openModel(call);
    const isSaid = options.pooling !== undefined || (await checkpoint.list("modules.json")) !== undefined;
    const own: FeatureOptions = { ...(!isSaid && { pooling: "mean" }), ...options };
    const task = await loading(pipeline("feature-extraction", checkpoint, load));
    const vectorOf = (result: unknown): Float32Array => (result as Features).embedding as Float32Array;
    const lines: LineTask = {
      format: { ...VIEWS["feature-extraction"], checkOptions: (more) => checkTaskOptions("feature-extraction", more) },
      run: (inputs, more) => task(inputs as string[], { ...own, ...more, signal }),
      size: batch_size as number,
      json: (result) => ({ embedding: vectorOf(result) }),
      repeatable: true,
    };
    try {
      return await runLines(
        "embed",
        lines,
        call,
        isArray ? await npySink("embed", output as string, vectorOf) : undefined,
      );
    } finally {
      task.dispose();
    }
  },
};
