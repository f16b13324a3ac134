import type { FinishReason, GeneratedText, TextEvent, Usage } from "../index.js";
import type { Call } from "./activity.js";
import { createTokenWriter, type TokenWriter } from "./logprobs.js";
import { eventStream, type StreamHooks } from "./sse.js";
import { createStopCutter, type StopCutter } from "./stops.js";
import type { Accepted, TextModel, TextRequest } from "./text_model.js";

/** Tokens as they are shown. */
export type Shown = ReturnType<TokenWriter>;

/** A result, or a piece of one. */
export interface Piece {
  readonly index: number;
  readonly text: string;
  /** Its tokens, where log-probabilities are asked for. */
  readonly shown: Shown | undefined;
  /** Why it ended; undefined of a piece before the last. */
  readonly finish_reason: FinishReason | undefined;
  /** With beam search: log-probability / generated length ^ length_penalty. */
  readonly score?: number;
}

/** How answers of a route are written. */
export interface Format {
  /** What ids begin with. */
  readonly prefix: string;
  /** What `object` says of a whole answer, and of a piece of a stream. */
  readonly objects: readonly [whole: string, piece: string];
  /** A result. */
  choice(piece: Piece): object;
  /** What is new of one. */
  delta(piece: Piece): object;
  /** What a stream begins with, of each result; absent where it begins with a piece. */
  begin?(index: number): object;
}

/** What is asked for, by whatever route. */
export interface Asked extends TextRequest {
  /** The name of the model. */
  readonly name: string;
  readonly format: Format;
  readonly stops: readonly string[];
  readonly logprobs: boolean;
  readonly stream: boolean;
  readonly include_usage: boolean;
}

/** What a row is written with. */
interface Writer {
  readonly cut: StopCutter;
  readonly write: TokenWriter;
}

/** Answers a request for texts: at once, or with a stream of pieces. */
export async function answerTexts(
  asked: Asked,
  model: TextModel,
  call: Call,
  hooks: Omit<StreamHooks, "call">,
): Promise<Response> {
  const accepted = await model.submit(asked, call);
  const { format, name } = asked;
  const head = { id: `${format.prefix}-${crypto.randomUUID()}`, created: Math.floor(Date.now() / 1e3), model: name };
  const writers = Array.from({ length: accepted.prompts.length * accepted.results }, (_, row): Writer => {
    const { ids } = accepted.prompts[Math.floor(row / accepted.results)];
    return { cut: createStopCutter(asked.stops), write: createTokenWriter(model.tokenizer, ids) };
  });
  if (asked.stream) return eventStream(chunksOf(asked, accepted, writers, head), { call, ...hooks });
  const results = (await accepted.all()).flat();
  const choices = results.map((result, row) => format.choice(pieceOf(result, row, asked.logprobs, writers[row])));
  const usage = usageOf(
    accepted,
    results.map(({ usage }) => usage),
  );
  return Response.json({ ...head, object: format.objects[0], choices, usage });
}

function pieceOf(result: GeneratedText, index: number, logprobs: boolean, { cut, write }: Writer): Piece {
  const { usage, generated_text, token_ids, score, finish_reason } = result;
  const chosen = { ...result, token_ids: token_ids.slice(token_ids.length - usage.completion_tokens) };
  return {
    index,
    text: cut(generated_text, true),
    shown: logprobs ? write(chosen) : undefined,
    finish_reason,
    score,
  };
}

/** The objects of a stream: what begins it, pieces as they come, how each result ended, and what all took. */
async function* chunksOf(
  { format, logprobs, include_usage }: Asked,
  accepted: Accepted,
  writers: readonly Writer[],
  head: object,
): AsyncGenerator<object> {
  const chunk = (choices: readonly object[]): object => ({
    ...head,
    object: format.objects[1],
    choices,
    ...(include_usage && { usage: null }),
  });
  for (const index of writers.keys()) if (format.begin) yield chunk([format.begin(index)]);
  const usages: Usage[] = [];
  for await (const event of accepted.events()) {
    const piece = pieceOfEvent(event, logprobs, writers[event.row]);
    if (event.usage) usages.push(event.usage);
    if (piece.text || piece.finish_reason || piece.shown?.length) yield chunk([format.delta(piece)]);
  }
  if (include_usage) yield { ...chunk([]), usage: usageOf(accepted, usages) };
}

function pieceOfEvent(event: TextEvent, logprobs: boolean, { cut, write }: Writer): Piece {
  const { row: index, text, finish_reason } = event;
  return {
    index,
    text: cut(text, finish_reason !== undefined),
    shown: logprobs ? write(event) : undefined,
    finish_reason,
  };
}

/** The tokens of all results; a prompt counts once. */
function usageOf({ prompts }: Accepted, usages: readonly Usage[]): Usage {
  const prompt_tokens = prompts.reduce((total, { ids }) => total + ids.length, 0);
  const completion_tokens = usages.reduce((total, usage) => total + usage.completion_tokens, 0);
  return { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens };
}
