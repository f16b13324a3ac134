import type { FinishReason, GeneratedText, Usage } from "../index.js";
import type { Call } from "./activity.js";
import type { Chosen, TokenWriter } from "./logprobs.js";
import { invalid } from "./errors.js";
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

/** Answers a request for texts: at once, or with a stream of pieces. */
export async function answerTexts(
  asked: Asked,
  model: TextModel,
  call: Call,
  hooks: Omit<StreamHooks, "call">,
): Promise<Response> {
  if (asked.stream && (asked.options.num_beam_groups ?? 1) > 1)
    throw invalid("num_beam_groups", "num_beam_groups: must be 1 with stream, groups share no beginning");
  const accepted = await model.submit(asked, call);
  const { format, name } = asked;
  const head = { id: `${format.prefix}-${crypto.randomUUID()}`, created: Math.floor(Date.now() / 1e3), model: name };
  const rows = Array.from({ length: accepted.prompts.length * accepted.results }, () => createStopCutter(asked.stops));
  const write = asked.logprobs ? model.write : () => undefined;
  if (asked.stream) return eventStream(chunksOf(asked, accepted, { rows, write }, head), { call, ...hooks });
  const results = (await accepted.all()).flat();
  const choices = results.map((result, row) => format.choice(pieceOf(result, row, rows[row], write)));
  const usage = usageOf(
    accepted,
    results.map(({ usage }) => usage),
  );
  return Response.json({ ...head, object: format.objects[0], choices, usage });
}

/** What pieces are made with: the cutter of each row, and what shows tokens where that is asked for. */
interface Writing {
  readonly rows: readonly StopCutter[];
  readonly write: (chosen: Chosen) => Shown | undefined;
}

function pieceOf(result: GeneratedText, index: number, cut: StopCutter, write: Writing["write"]): Piece {
  const { usage, generated_text, token_ids, score, finish_reason } = result;
  const chosen = { ...result, token_ids: token_ids.slice(token_ids.length - usage.completion_tokens) };
  return { index, text: cut(generated_text, true), shown: write(chosen), finish_reason, score };
}

/** The objects of a stream: what begins it, pieces as they come, how each result ended, and what all took. */
async function* chunksOf(
  { format, include_usage }: Asked,
  accepted: Accepted,
  { rows, write }: Writing,
  head: object,
): AsyncGenerator<object> {
  const chunk = (choices: readonly object[]): object => ({
    ...head,
    object: format.objects[1],
    choices,
    ...(include_usage && { usage: null }),
  });
  for (const index of rows.keys()) if (format.begin) yield chunk([format.begin(index)]);
  const usages: Usage[] = [];
  for await (const event of accepted.events()) {
    const { row: index, finish_reason } = event;
    const text = rows[index](event.text, finish_reason !== undefined);
    const piece = { index, text, shown: write(event), finish_reason };
    if (event.usage) usages.push(event.usage);
    if (piece.text || piece.finish_reason || piece.shown?.length) yield chunk([format.delta(piece)]);
  }
  if (include_usage) yield { ...chunk([]), usage: usageOf(accepted, usages) };
}

/** The tokens of all results; a prompt counts once. */
function usageOf({ prompts }: Accepted, usages: readonly Usage[]): Usage {
  const prompt_tokens = prompts.reduce((total, { ids }) => total + ids.length, 0);
  const completion_tokens = usages.reduce((total, usage) => total + usage.completion_tokens, 0);
  return { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens };
}
