import { type HostTensor, type Model, OptionError } from "../index.js";
import { checkNames } from "../runtime/checks.js";
import { brief } from "./arguments.js";
import { readInput } from "./input.js";
import { jsonLine, tensorJson } from "./json.js";
import { withModel } from "./models.js";
import { MODEL_OPTIONS } from "./options.js";
import { print, tell } from "./terminal.js";
import type { Verb } from "./verb.js";

type Request = Readonly<Record<string, unknown>>;

const DETAILS =
  "A request is read as JSON from standard input, or a list of requests; an answer is written, or a list of answers.";

/** `wgformer generate`: runs JSON requests through the whole decoding loop. */
export const generate = requestVerb(
  "generate",
  `models/gpt2-brown <<< '{"input_ids": [[318, 262], [41]]}'`,
  "generate token ids after token ids, by a JSON request",
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
  `models/bert-pos <<< '{"input_ids": [[2, 7, 3]]}'`,
  "compute logits and states of token ids, by a JSON request",
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

function requestVerb(
  name: string,
  example: string,
  summary: string,
  fields: readonly string[],
  answer: (model: Model, request: Request) => Promise<unknown>,
): Verb {
  return {
    usage: "MODEL < request.json",
    words: [1, 1],
    summary,
    details: `${DETAILS} A request may have ${fields.join(", ")}.`,
    examples: [example],
    sections: { Options: MODEL_OPTIONS },
    async run(call) {
      const { terminal } = call;
      if (terminal.stdin.isTTY) await tell(terminal, `${name}: reads JSON; end it with Ctrl-D`);
      const input = readRequests(name, fields, await readInput(name, terminal.stdin as AsyncIterable<Buffer>));
      await withModel(call, async (model) => {
        const answers: unknown[] = [];
        for (const request of [input].flat()) {
          terminal.signal.throwIfAborted();
          answers.push(await answer(model, request));
        }
        await print(terminal, jsonLine(name, Array.isArray(input) ? answers : answers[0]));
      });
    },
  };
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
