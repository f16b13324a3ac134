import { readFileSync } from "node:fs";
import { info, tune } from "./info.js";
import { run } from "./run.js";
import { type HostTensor, load, type Model, OptionError, WgformerError } from "../index.js";

const USAGE = `wgformer: run Hugging Face transformer checkpoints on WebGPU

  wgformer run MODEL [TEXT ...] [--num_beams 4 ...]   texts (or the lines of standard input) through the model's task
  wgformer generate MODEL < request.json              {"input_ids": [[...]], "attention_mask": [[...]], "options": {...}}
  wgformer forward MODEL < request.json               {"input_ids": [[...]], "attention_mask": ..., "decoder_input_ids": [[...]]}
  wgformer tune MODEL [--dtype ...] [--rows [1,8,128]] measures kernel forms on this device and keeps the fastest
  wgformer info                                       the adapter, its limits, and the forms that were measured on it

MODEL is a folder or a URL with config.json, model.safetensors and tokenizer.json. A list of requests gives a list of answers.
Options of run are those of the task (of generation_config.json, where it generates), and --dtype auto|f32|f16|int8|int4, --batch_size, --allow_unknown.`;

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
      const options = Object.entries({ output_hidden_states, output_attentions }).filter(
        ([, value]) => value !== undefined,
      );
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
  if (verb === "info") return info();
  if (!["run", "tune"].includes(verb) && !ANSWERS[verb])
    throw new OptionError(`the verb must be run, generate, forward, tune or info, got ${verb}; see wgformer --help`);
  if (!model) throw new OptionError(`${verb}: a model folder must be given; see wgformer --help`);
  if (verb === "run") return run(model, texts, options);
  if (verb === "tune") {
    const stray = Object.keys(options).find((name) => !["dtype", "rows"].includes(name));
    if (stray) throw new OptionError(`tune: options must be dtype and rows, got ${stray}`);
    return tune(model, options.dtype, options.rows);
  }
  if (texts.length) throw new OptionError(`${verb}: takes its request on standard input, got the argument ${texts[0]}`);
  return answer(verb, model, options);
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error instanceof WgformerError ? `wgformer: ${error.message.replace(/\s*\n\s*/g, "; ")}` : error);
  process.exitCode = 1;
});
