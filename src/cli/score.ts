import { type EncodeOptions, InputError, type Model, type Tokenizer } from "../index.js";
import { checkLineOptions, lineOptions, type LineTask, runLines } from "./line_runs.js";
import { withModel } from "./models.js";
import { MODEL_OPTIONS } from "./options.js";
import type { Verb } from "./verb.js";
import type { Fields } from "./items.js";

const BATCH = 8; // the logits of all their tokens come to the host

/** `wgformer score`: log-probabilities of texts. */
export const score: Verb = {
  usage: "MODEL [TEXT ...]",
  words: [1, Infinity],
  summary: "compute log-probabilities and perplexities of texts",
  details:
    'Without TEXT, lines are read. Each gives a line {"index": 0, "token_ids": [...], "log_probs": [...], "log_prob": sum, "perplexity": exp(-mean)}. A decoder reads its first token of all texts (bos_token_id) before the text, or where it has none the first token of the text, which then has no score. In lines of JSON, {"prompt": ..., "text": ...} scores the text after a prompt; a model with an encoder needs {"text": source, "target": text or token ids}, and perhaps "src_lang" and "tgt_lang".',
  examples: ['models/gpt2-brown "The jury said that it was over."'],
  sections: { "Input and output": lineOptions(String(BATCH)), Model: MODEL_OPTIONS },
  async run(call) {
    await checkLineOptions("score", call);
    const size = (call.options.batch_size ?? BATCH) as number;
    return withModel(call, async (model) => runLines("score", await lineTask(model, size), call));
  },
};

/** The tokens of a text that are scored, and those before them; or the source of an encoder. */
interface Scored {
  readonly before: readonly number[];
  readonly target: readonly number[];
}

async function lineTask(model: Model, size: number): Promise<LineTask> {
  const tokenizer = await model.tokenizer;
  const { encoder } = model.architecture;
  if (!tokenizer) throw new InputError("score: the checkpoint must have tokenizer.json, it has none");
  const bos = model.generationDefaults.options.bos_token_id ?? undefined;
  return {
    format: {
      fields: encoder ? ["text", "target", "src_lang", "tgt_lang"] : ["text", "prompt"],
      input: (fields) => fields,
      checkOptions() {
        throw new InputError("options must be absent, a score has none");
      },
    },
    async run(inputs) {
      const read = inputs.map((input, index) => {
        const fields = typeof input === "string" ? { text: input } : (input as Fields);
        try {
          return encoder ? readTarget(tokenizer, fields) : readText(tokenizer, fields, bos);
        } catch (error) {
          throw error instanceof InputError ? new InputError(error.message, { index }) : error;
        }
      });
      const input_ids = read.map(({ before }) => before);
      const targets = read.map(({ target }) => target);
      const scores = await model.score({ input_ids }, targets);
      return scores.map((log_probs, i) => {
        const log_prob = log_probs.reduce((sum, one) => sum + one, 0);
        return { token_ids: targets[i], log_probs, log_prob, perplexity: Math.exp(-log_prob / log_probs.length) };
      });
    },
    size,
    json: (result) => result as object,
    repeatable: true,
  };
}

/** What is scored by a decoder alone. Throws InputError where there is nothing. */
function readText(tokenizer: Tokenizer, { text, prompt }: Fields, bos: number | undefined): Scored {
  const begin = prompt === undefined ? [] : idsOf(tokenizer, "prompt", prompt);
  const ids = idsOf(tokenizer, "text", text, { add_special_tokens: begin.length === 0 });
  const given = begin.length === 0 && bos !== undefined && ids[0] !== bos ? [bos] : begin;
  const before = given.length ? given : ids.slice(0, 1);
  const target = given.length ? ids : ids.slice(1);
  if (target.length) return { before, target };
  throw new InputError("text: must have a token that can be scored, it has none");
}

/** What is scored by a model with an encoder. Throws InputError where there is nothing. */
function readTarget(tokenizer: Tokenizer, { text, target, src_lang, tgt_lang }: Fields): Scored {
  if (target === undefined) throw new InputError("target: must be given with a model that has an encoder");
  return {
    before: idsOf(tokenizer, "text", text, src_lang === undefined ? {} : { src_lang: String(src_lang) }),
    target: idsOf(tokenizer, "target", target, tgt_lang === undefined ? {} : { src_lang: String(tgt_lang) }),
  };
}

/** The tokens of a text, or those that are given. Throws InputError for what the vocabulary has not. */
function idsOf(tokenizer: Tokenizer, name: string, text: unknown, options: EncodeOptions = {}): readonly number[] {
  if (Array.isArray(text) && text.length && text.every(Number.isInteger)) return text as number[];
  if (typeof text !== "string")
    throw new InputError(`${name}: must be a text, or token ids, got ${JSON.stringify(text)}`);
  const { ids, unknown } = tokenizer.encode(text, options);
  if (!unknown) return ids;
  throw new InputError(`${name}: ${JSON.stringify(text)} must consist of what the model's vocabulary knows`);
}
