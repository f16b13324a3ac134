import type {
  Conversation,
  Engine,
  EngineCall,
  GenerateResult,
  Model,
  StreamEvent,
  TextOptions,
  Tokenizer,
} from "../index.js";
import type { GeneratedText, TextEvent } from "../model/tasks/text_task.js";
import { resultsOf } from "../model/tasks/generated.js";
import { createReader } from "../model/tasks/reader.js";
import { streamTexts, type TextCall } from "../model/tasks/streamed.js";
import type { Prompt } from "../model/tasks/text_inputs.js";
import type { Call } from "./activity.js";
import { ApiError, invalid } from "./errors.js";
import type { Limits } from "./limits.js";
import { createTokenWriter, type TokenWriter } from "./logprobs.js";
import type { Metrics } from "./metrics.js";

/** What a request asks a model of texts for. */
export interface TextRequest {
  /** Texts, token ids, or a conversation. */
  readonly input: readonly string[] | readonly (readonly number[])[] | Conversation;
  readonly options: TextOptions;
  /** How many tokens it asks for; undefined where it does not say. */
  readonly max_tokens: number | undefined;
  /** How many are made where neither it nor the checkpoint says so. */
  readonly usual_tokens: number;
  readonly priority: number | undefined;
}

/** A request that the engine has taken. */
export interface Accepted {
  readonly prompts: readonly Prompt[];
  /** Results of each prompt. */
  readonly results: number;
  /** The events of all rows, as they come. */
  events(): AsyncGenerator<TextEvent>;
  /** The results of each prompt, best first. */
  all(): Promise<GeneratedText[][]>;
}

/** A model that makes texts, on its engine. */
export interface TextModel {
  readonly tokenizer: Tokenizer;
  readonly model: Model;
  readonly engine: Engine;
  /** Shows tokens with their log-probabilities. */
  readonly write: TokenWriter;
  /** Resolves when the engine has begun with the request. Rejects as `engine.submit` throws, and with ApiError. */
  submit(request: TextRequest, call: Call): Promise<Accepted>;
}

/** What a model of texts is made of. */
export interface TextModelParts {
  readonly name: string;
  readonly task: { readonly model: Model; readonly tokenizer: Tokenizer };
  readonly engine: Engine;
  /** Most tokens of a row of the engine, and the slots that it has. */
  readonly room: { readonly length: number; readonly slots: number };
  readonly limits: Limits;
  readonly metrics: Metrics;
}

/** Serves texts with the engine of a model. */
export function createTextModel({ name, task, engine, room, limits, metrics }: TextModelParts): TextModel {
  const { model, tokenizer } = task;
  const parts = { name, model, tokenizer };
  const reader = createReader(parts);
  const labels = { model: name };

  const read = async ({ input, options }: TextRequest): Promise<[Prompt[], TextCall["options"]]> => {
    const ids = isIds(input) ? input : [];
    if (ids.length && model.architecture.encoder)
      throw invalid("prompt", `prompt: must be a text, ${name} has an encoder`);
    const { prompts, choices } = await reader.read(ids.length ? [] : input, options);
    return [
      [...prompts, ...ids.map((own) => ({ text: "", prefix: 0, ids: own, places: own.map(() => undefined) }))],
      choices,
    ];
  };

  return {
    model,
    tokenizer,
    engine,
    write: createTokenWriter(tokenizer),
    async submit(request, call) {
      const { max_tokens, priority } = request;
      if (max_tokens !== undefined && max_tokens > limits.max_tokens)
        throw invalid("max_tokens", `max_tokens: must be at most ${limits.max_tokens} here, got ${max_tokens}`);
      const [prompts, choices] = await read(request);
      const longest = Math.max(...prompts.map(({ ids }) => ids.length));
      if (longest > limits.max_prompt_tokens)
        throw invalid("prompt", `prompt: must have at most ${limits.max_prompt_tokens} tokens here, got ${longest}`);
      const given = { ...choices, max_new_tokens: max_tokens ?? usualLength(request, longest) };
      const { inputs, options, given: begun } = reader.callOf(prompts, given);
      const start = performance.now();
      const submitted = engine.submit({ inputs, options, priority, signal: call.signal });
      await admission(submitted, call, limits.queue_timeout);
      metrics.observe("queue_seconds", labels, (performance.now() - start) / 1e3);
      const usual = model.generationDefaults.options.num_return_sequences ?? 1;
      return {
        prompts,
        results: options.num_return_sequences ?? usual,
        async *events() {
          const source = { generationDefaults: model.generationDefaults, stream: () => follow(submitted) };
          const clock = createClock(metrics, name, start);
          for await (const event of streamTexts({ model: source, tokenizer }, prompts, {
            inputs,
            options,
            given: begun,
          })) {
            clock(event.token_ids.length);
            yield event;
          }
        },
        async all() {
          const result = await submitted.result;
          const how = { return_full_text: false };
          return resultsOf(parts, "generated_text", prompts, begun, result, how) as GeneratedText[][];
        },
      };
    },
  };

  /** How many tokens a result has where the request does not say it: no more than there is room for. */
  function usualLength({ usual_tokens, options }: TextRequest, longest: number): number | undefined {
    const { encoder } = model.architecture;
    const said = model.generationDefaults.options;
    if ((said.max_new_tokens ?? said.max_length ?? undefined) !== undefined && encoder) return undefined;
    const begun = encoder ? 1 : longest;
    const rows = Math.max(options.num_beams ?? 1, options.num_return_sequences ?? 1);
    const slots = Math.floor((room.slots - begun) / rows);
    return Math.max(1, Math.min(said.max_new_tokens ?? usual_tokens, limits.max_tokens, room.length - begun, slots));
  }
}

const isIds = (input: TextRequest["input"]): input is readonly (readonly number[])[] => Array.isArray(input[0]);

/** Waits until the engine has begun with a request. Rejects with ApiError when that takes too long. */
async function admission(submitted: EngineCall, { signal, abort }: Call, seconds: number): Promise<void> {
  const late = new ApiError(`the request has waited for more than ${seconds} s; try again`, {
    status: 503,
    code: "queue_timeout",
    retryAfter: 1,
  });
  const timer = setTimeout(() => abort(late), 1000 * seconds);
  const failed = submitted.result.then(() => {});
  failed.catch(() => {}); // whoever reads the result is told
  try {
    await Promise.race([submitted.admitted, failed]);
    signal.throwIfAborted();
  } finally {
    clearTimeout(timer);
  }
}

async function* follow(submitted: EngineCall): AsyncGenerator<StreamEvent, GenerateResult> {
  yield* submitted.stream;
  return await submitted.result;
}

/** Measures when tokens come: the first after the request, and each after the one before it. */
function createClock(metrics: Metrics, model: string, start: number): (tokens: number) => void {
  let last: number | undefined;
  return (tokens) => {
    if (!tokens) return;
    const now = performance.now();
    if (last === undefined) metrics.observe("first_token_seconds", { model }, (now - start) / 1e3);
    else metrics.observe("token_seconds", { model }, (now - last) / 1e3 / tokens, tokens);
    last = now;
  };
}
