import { readFileSync } from "node:fs";
import { type HostTensor, load, openCheckpoint, type Model, OptionError, pipeline, WgformerError } from "./index.js";

const USAGE = `wgformer: run Hugging Face transformer checkpoints on WebGPU

  wgformer run MODEL [TEXT ...] [--num_beams 4 ...]   texts (or the lines of standard input) through the model
  wgformer generate MODEL < request.json              {"input_ids": [[...]], "attention_mask": [[...]], "options": {...}}
  wgformer forward MODEL < request.json               {"input_ids": [[...]], "attention_mask": ..., "decoder_input_ids": [[...]]}

MODEL is a folder or a URL with config.json, model.safetensors and tokenizer.json. A list of requests gives a list of answers.
Options of run are those of generation_config.json, and --dtype auto|f32|f16, --batch_size, --allow_unknown.`;

/** `--name value`, `--name=value` and `--flag`; values as JSON where they are, else as text. */
function parseArguments(words: readonly string[]): { positional: string[]; options: Record<string, unknown> } {
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

/** The task that the checkpoint's architecture is for. */
async function taskOf(model: string): Promise<"text2text" | "text-generation"> {
  const { config } = await openCheckpoint(model);
  return config.is_encoder_decoder === true ? "text2text" : "text-generation";
}

async function run(model: string, texts: readonly string[], options: Record<string, unknown>): Promise<void> {
  const { dtype, ...choices } = options;
  const lines = texts.length
    ? texts
    : readFileSync(0, "utf8")
        .split("\n")
        .filter((line) => line.trim());
  const task = await pipeline(await taskOf(model), model, { dtype: dtype as never });
  try {
    const beams = choices.num_beams ?? task.model.checkpoint.generationConfig.num_beams ?? 1;
    const shown = choices.do_sample === true ? undefined : { num_return_sequences: beams as number };
    const results = await task(lines, { ...choices, ...(choices.num_return_sequences === undefined && shown) });
    results.forEach((hypotheses, index) => {
      console.log(lines[index]);
      for (const { score, generated_text } of hypotheses)
        console.log(`  ${score?.toFixed(4).padStart(8) ?? ""}  ${generated_text}`);
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
  } finally {
    task.dispose();
  }
}

type Request = Record<string, unknown>;
type Answer = (model: Model, request: Request) => Promise<unknown>;

const tensorJson = ({ dims, data }: HostTensor) => ({ dims, data: Array.from(data) });

const ANSWERS: Readonly<Record<string, { keys: readonly string[]; answer: Answer }>> = {
  generate: {
    keys: ["input_ids", "attention_mask", "decoder_input_ids", "options"],
    async answer(model, { options, ...inputs }) {
      if (options !== undefined && (typeof options !== "object" || options === null || Array.isArray(options))) {
        throw new OptionError(`request: options must be an object, got ${JSON.stringify(options)}`);
      }
      const { sequences, sequences_scores, token_scores } = await model.generate(inputs as never, options as never);
      return { sequences, ...(sequences_scores && { sequences_scores }), ...(token_scores && { token_scores }) };
    },
  },
  forward: {
    keys: [
      ...["input_ids", "attention_mask", "position_ids", "token_type_ids", "decoder_input_ids"],
      ...["output_hidden_states", "output_attentions"],
    ],
    async answer(model, { output_hidden_states, output_attentions, ...inputs }) {
      if (model.architecture.encoder && model.architecture.decoder && inputs.decoder_input_ids === undefined) {
        return { encoder_last_hidden_state: tensorJson((await model.encode(inputs as never)).last_hidden_state) };
      }
      const options = Object.entries({ output_hidden_states, output_attentions }).filter(([, value]) => value !== undefined);
      const output = await model.forward(inputs as never, Object.fromEntries(options));
      const json = (value: HostTensor | readonly HostTensor[]): unknown =>
        "dims" in value ? tensorJson(value) : value.map(tensorJson);
      return Object.fromEntries(Object.entries(output).map(([name, value]) => [name, json(value)]));
    },
  },
};

async function answer(verb: string, source: string, options: Record<string, unknown>): Promise<void> {
  const { dtype, ...unknown } = options;
  if (Object.keys(unknown).length)
    throw new OptionError(
      `${verb}: --${Object.keys(unknown)[0]} is not supported; options of a request go into its field options`,
    );
  let input: unknown;
  try {
    input = JSON.parse(readFileSync(0, "utf8"));
  } catch (cause) {
    throw new OptionError(`${verb}: standard input must hold a JSON request, ${(cause as Error).message}`);
  }
  const { keys, answer: respond } = ANSWERS[verb];
  const requests = (Array.isArray(input) ? input : [input]) as Request[];
  for (const request of requests) {
    if (typeof request !== "object" || request === null)
      throw new OptionError(`${verb}: a request must be an object, got ${JSON.stringify(request)}`);
    const stray = Object.keys(request).find((key) => !keys.includes(key));
    if (stray) throw new OptionError(`${verb}: a request must have the fields ${keys.join(", ")}, got ${stray}`);
  }
  const model = await load(source, { dtype: dtype as never });
  try {
    const results = [];
    for (const request of requests) results.push(await respond(model, request));
    console.log(JSON.stringify(Array.isArray(input) ? results : results[0]));
  } finally {
    model.dispose();
  }
}

async function main(words: readonly string[]): Promise<void> {
  const {
    positional: [verb, model, ...texts],
    options,
  } = parseArguments(words);
  if (!verb || verb === "help" || options.help) return console.log(USAGE);
  if (verb !== "run" && !ANSWERS[verb])
    throw new OptionError(`the verb must be run, generate or forward, got ${verb}; see wgformer --help`);
  if (!model) throw new OptionError(`${verb}: a model folder must be given; see wgformer --help`);
  if (verb === "run") return run(model, texts, options);
  if (texts.length) throw new OptionError(`${verb}: takes its request on standard input, got the argument ${texts[0]}`);
  return answer(verb, model, options);
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error instanceof WgformerError ? `wgformer: ${error.message.replace(/\s*\n\s*/g, "; ")}` : error);
  process.exitCode = 1;
});
