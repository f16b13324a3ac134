import { type HostTensor, type Model, OptionError, WgformerError } from "../index.js";
import { checkNames } from "../runtime/checks.js";
import { brief } from "./arguments.js";
import { readInput } from "./input.js";
import { DTYPE, type Verb, withModel } from "./verb.js";

type Request = Readonly<Record<string, unknown>>;

const DETAILS =
  "Reads a request as JSON from standard input, or a list of requests, and prints an answer or a list of answers.";

/** `wgformer generate`: runs JSON requests through the whole decoding loop. */
export const generate = requestVerb(
  "generate",
  '< request.json   {"input_ids": [[...]], "attention_mask": [[...]], "options": {...}}',
  "token ids generated after token ids",
  [
    "input_ids",
    "input_features",
    "input_values",
    "inputs_embeds",
    "encoder_outputs",
    "attention_mask",
    "position_ids",
    "decoder_input_ids",
    "decoder_attention_mask",
    "options",
  ],
  async (model, { options, ...inputs }) => {
    if (options !== undefined && (typeof options !== "object" || options === null || Array.isArray(options))) {
      throw new OptionError(`request: options must be an object, got ${JSON.stringify(options)}`);
    }
    const { sequences, sequences_scores, token_scores, cross_attentions } = await model.generate(inputs, options);
    return {
      sequences,
      ...(sequences_scores && { sequences_scores }),
      ...(token_scores && { token_scores }),
      ...(cross_attentions && { cross_attentions: tensorJson(cross_attentions) }),
    };
  },
);

/** `wgformer forward`: runs JSON requests through one pass of the model. */
export const forward = requestVerb(
  "forward",
  '< request.json   {"input_ids": [[...]], "attention_mask": [[...]], "decoder_input_ids": [[...]]}',
  "logits and states of token ids",
  [
    "input_ids",
    "input_features",
    "input_values",
    "inputs_embeds",
    "encoder_outputs",
    "attention_mask",
    "position_ids",
    "token_type_ids",
    "decoder_input_ids",
    "decoder_attention_mask",
    "output_hidden_states",
    "output_attentions",
  ],
  async (model, { output_hidden_states, output_attentions, ...inputs }) => {
    const flags = Object.entries({ output_hidden_states, output_attentions }).filter(
      ([, value]) => value !== undefined,
    );
    const options = Object.fromEntries(flags);
    const { encoder, decoder } = model.architecture;
    const encodes = encoder && decoder && inputs.decoder_input_ids === undefined;
    const output = await (encodes ? model.encode(inputs, options) : model.forward(inputs, options));
    const json = (value: HostTensor | readonly HostTensor[]): unknown =>
      "dims" in value ? tensorJson(value) : value.map(tensorJson);
    const named = (name: string): string => (encodes ? `encoder_${name}` : name);
    return Object.fromEntries(Object.entries(output).map(([name, value]) => [named(name), json(value)]));
  },
);

const tensorJson = ({ dims, data }: HostTensor): unknown => ({ dims, data: Array.from(data) });

function requestVerb(
  name: string,
  usage: string,
  summary: string,
  fields: readonly string[],
  answer: (model: Model, request: Request) => Promise<unknown>,
): Verb {
  return {
    usage: `MODEL ${usage}`,
    summary,
    details: DETAILS,
    options: DTYPE,
    reads: true,
    async run(source, _texts, { dtype }) {
      const input = readRequests(name, fields, await readInput(name));
      await withModel(source, dtype, async (model) => {
        const answers: unknown[] = [];
        for (const request of [input].flat()) answers.push(await answer(model, request));
        const output = Array.isArray(input) ? answers : answers[0];
        checkFinite(name, output);
        console.log(JSON.stringify(output));
      });
    },
  };
}

/** Throws where an answer holds a number that JSON would turn into null. */
function checkFinite(place: string, value: unknown): void {
  if (typeof value === "number" && !Number.isFinite(value))
    throw new WgformerError(`${place} must be a finite number, is ${value}; JSON has no such number`);
  if (typeof value !== "object" || value === null || (Array.isArray(value) && value.every(Number.isFinite))) return;
  for (const [key, item] of Object.entries(value)) checkFinite(`${place}.${key}`, item);
}

function readRequests(name: string, fields: readonly string[], text: string): Request | Request[] {
  let input: Request | Request[];
  try {
    input = JSON.parse(text) as Request | Request[];
  } catch (cause) {
    throw new OptionError(`${name}: standard input must hold a JSON request, ${(cause as Error).message}`);
  }
  for (const request of [input].flat()) {
    if (typeof request !== "object" || request === null || Array.isArray(request))
      throw new OptionError(
        `${name}: a request must be an object, got ${Array.isArray(request) ? "a list" : brief(JSON.stringify(request))}`,
      );
    checkNames(OptionError, `${name}: a request`, request, fields);
  }
  return input;
}
