import optionDocs from "option-docs";
import {
  type ClassificationTask,
  defaultTask,
  type FeatureTask,
  openCheckpoint,
  pipeline,
  type RecognitionTask,
  type TaggingTask,
  type GeneratedText,
  type TextName,
  type TextTask,
} from "../index.js";
import { readInput } from "./input.js";
import { DTYPE, type Options, type Verb } from "./verb.js";

const { logits_processor: _, ...docs } = optionDocs; // a function cannot be given on a command line

const OPTIONS = {
  "--aggregation_strategy first": "labels of tokens: none, first, average or max",
  "--top_k 3 --function_to_apply sigmoid": "labels of texts: how many; softmax, sigmoid or none",
  "--pooling mean --normalize": "vectors: cls, mean, max or none; to length 1",
  "--max_length 128 --batch_tokens 2048": "labels and vectors: tokens of a text and of a batch",
  "--language de --task translate": "speech: what is spoken; transcribe it or translate it into English",
  "--return_timestamps, --return_timestamps word": "speech: times of phrases or of words",
  "--prompt_ids TEXT --condition_on_prev_tokens": "speech: words that occur; see the text before",
  "--temperature [0,0.2,0.4] --logprob_threshold -1": "speech: try again at the next temperature below this,",
  "--compression_ratio_threshold 1.35": "or where text repeats itself more than this",
  "--no_speech_threshold 0.6": "speech: leave out what is more probably silence than this",
  ...DTYPE,
  "--batch_size 64 --allow_unknown": "text generation: prompts together; letters without a token",
  "--src_lang en --tgt_lang fr --prefix TEXT":
    "text to text: languages, as the tokenizer names them; what begins each text",
  "--truncation --target_prefix TEXT": "text to text: shorten texts that are too long; what results begin with",
  ...Object.fromEntries(Object.entries(docs).map(([name, text]) => [`--${name}`, text])),
};

/** `wgformer run`: runs texts or recordings, or the lines of standard input, through the task of the checkpoint. */
export const run: Verb = {
  usage: "MODEL [TEXT ...]",
  summary: "run texts, or WAV files, through the task of the checkpoint",
  details:
    "Without TEXT it reads the lines of standard input. Speech models take paths or URLs of WAV files in place of texts. Options are those of the checkpoint's task; last here, those of generation.",
  options: OPTIONS,
  async run(source, texts, { dtype, ...options }) {
    const lines = texts.length ? texts : (await readInput("run")).split(/\r?\n/).filter((line) => line.trim());
    const checkpoint = await openCheckpoint(source);
    const name = await defaultTask(checkpoint);
    const task = await pipeline(name, checkpoint, { dtype: dtype as never });
    try {
      if (name === "token-classification") await tag(task as TaggingTask, lines, options);
      else if (name === "text-classification") await classify(task as ClassificationTask, lines, options);
      else if (name === "automatic-speech-recognition") await transcribe(task as RecognitionTask, lines, options);
      else if (name === "feature-extraction") await extract(task as FeatureTask, lines, options);
      else await generate(task as TextTask<TextName>, lines, options);
    } finally {
      task.dispose();
    }
  },
};

async function tag(task: TaggingTask, lines: readonly string[], options: Options): Promise<void> {
  const results = await task(lines, { aggregation_strategy: "first", ...options });
  for (const { entities } of results) console.log(entities.map(({ word, entity }) => `${word}/${entity}`).join(" "));
}

async function classify(task: ClassificationTask, lines: readonly string[], options: Options): Promise<void> {
  const results = await task(lines, { top_k: null, ...options });
  results.forEach(({ labels }, index) => {
    console.log(lines[index]);
    for (const { label, score } of labels) console.log(`  ${score.toFixed(4)}  ${label}`);
  });
}

async function extract(task: FeatureTask, lines: readonly string[], options: Options): Promise<void> {
  const results = await task(lines, options);
  results.forEach(({ embedding, states }, index) => {
    const dims = states?.dims ?? [embedding?.length];
    const shown = Array.from((embedding ?? states?.data ?? []).slice(0, 6), (value) => value.toFixed(4));
    console.log(`${lines[index]}\n  [${dims.join(", ")}]  ${shown.join(" ")} ...`);
  });
}

async function transcribe(task: RecognitionTask, files: readonly string[], options: Options): Promise<void> {
  const results = await task(files, options);
  results.forEach(({ text, chunks, language, alternatives }, index) => {
    console.log(`${files[index]}${language === undefined ? "" : `  (${language})`}`);
    const timed = chunks?.flatMap(({ words, ...chunk }) => words ?? [chunk]);
    for (const { text, timestamp } of timed ?? [])
      console.log(`  ${timestamp.map((time) => time.toFixed(2).padStart(7)).join(" ")}  ${text.trim()}`);
    for (const { score, text } of alternatives ?? []) console.log(`  ${score?.toFixed(4) ?? ""}  ${text.trim()}`);
    if (!timed && !alternatives) console.log(`  ${text.trim()}`);
  });
}

async function generate(task: TextTask<TextName>, lines: readonly string[], options: Options): Promise<void> {
  const beams = options.num_beams ?? task.model.generationDefaults.options.num_beams ?? 1;
  const shown = options.do_sample === true ? undefined : { num_return_sequences: beams as number };
  const results = await task(lines, { ...options, ...(options.num_return_sequences === undefined && shown) });
  results.forEach((hypotheses, index) => {
    console.log(lines[index]);
    for (const { score, ...named } of hypotheses as Partial<GeneratedText<TextName>>[])
      console.log(
        `  ${score?.toFixed(4).padStart(8) ?? ""}  ${named.generated_text ?? named.translation_text ?? named.summary_text}`,
      );
  });
  const stats = task.stats();
  console.log(`\n${task.model.gpu.info.description}`);
  if (!stats?.timed_steps) return;
  const ms = stats.ms / stats.timed_steps;
  const rate = ((1000 * stats.tokens) / (stats.steps * ms)).toFixed(0);
  const { encoder_layer, decoder_layer, outside, step } = stats.launches;
  console.log(`${rate} tokens/s, ${ms.toFixed(2)} ms a step`);
  const encoder = encoder_layer ? `, ${encoder_layer} an encoder layer` : "";
  console.log(`launches: ${step} a step (${decoder_layer} a decoder layer, ${outside} outside the layers)${encoder}`);
}
