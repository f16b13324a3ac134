import { createMetrics, type Metrics, type MetricTable, type Reading } from "./metrics.js";
import type { Served } from "./served.js";

const TABLE: MetricTable = {
  http_requests_total: ["counter", "Answers by route and status code; 499 is a client that left."],
  request_seconds: ["histogram", "Seconds from a request to the end of its answer, by route."],
  requests_open: ["gauge", "Requests that the server works for."],
  connections_refused_total: ["counter", "Connections that were one too many."],
  requests_waiting: ["gauge", "Requests for text that wait for the engine, and requests of other kinds."],
  requests_running: ["gauge", "Requests for text that the engine works for."],
  rows: ["gauge", "Rows of a step, and those in use."],
  slots: ["gauge", "Slots of the cache: all, those in use, those that several requests share."],
  steps_total: ["counter", "Steps of the engine."],
  generated_tokens_total: ["counter", "Tokens that were generated."],
  prompt_tokens_total: ["counter", "Tokens of prompts."],
  reused_tokens_total: ["counter", "Tokens of prompts that were in the cache already."],
  requests_total: ["counter", "Requests for text by what became of them."],
  queue_seconds: ["histogram", "Seconds from a request for text to its first step."],
  first_token_seconds: ["histogram", "Seconds from a request for text to its first token, of streams."],
  token_seconds: ["histogram", "Seconds from a token to the next, of streams."],
};

/** The numbers of a server. */
export const createCounters = (): Metrics => createMetrics("wgformer_", TABLE);

/** What is read of the models at this moment. */
export const readingsOf = (models: Iterable<Served>): readonly Reading[] => [...models].flatMap(readModel);

function readModel({ name: model, texts, open }: Served): Reading[] {
  const reading = (name: string, value: number, labels: Reading["labels"] = {}): Reading => ({
    name,
    labels: { model, ...labels },
    value,
  });
  if (!texts) return [reading("requests_waiting", open())];
  const s = texts.engine.stats();
  return [
    reading("requests_waiting", s.waiting),
    reading("requests_running", s.running),
    ...Object.entries(s.rows).map(([state, value]) => reading("rows", value, { state })),
    ...Object.entries(s.slots).map(([state, value]) => reading("slots", value, { state })),
    reading("steps_total", s.steps),
    reading("generated_tokens_total", s.tokens),
    reading("prompt_tokens_total", s.prompt_tokens),
    reading("reused_tokens_total", s.reused_tokens),
    ...(["admitted", "finished", "cancelled", "failed"] as const).map((state) =>
      reading("requests_total", s[state], { state }),
    ),
  ];
}
