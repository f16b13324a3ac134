import type { Model } from "../../src/model/model.js";
import { ANSWERS, drawRequests, PROMPTS, type Request } from "./requests.js";

/** Reads a text file of the repository. */
export type Read = (path: string) => Promise<string>;

/** A model that is served, and what it is asked for. */
export interface Setting {
  readonly name: string;
  readonly path: string;
  /** What every request asks for besides the length of its answer. */
  readonly options: { readonly num_beams: number; readonly max_length?: number };
  /** Most tokens of a row with its answer. */
  readonly length: number;
  readonly requests: (model: Model, count: number, read: Read) => Promise<Request[]>;
}

/** Words that the model has not seen, which it spells in sounds. */
async function words(model: Model, count: number, read: Read): Promise<Request[]> {
  const tokenizer = await model.tokenizer;
  if (!tokenizer) throw new Error("serve: g2p-en must have a tokenizer");
  const lines = (await read("models/g2p-en/heldout.tsv")).split("\n").slice(0, count);
  return lines.map((line) => ({ ids: tokenizer.encode(line.split("\t")[0]).ids }));
}

export const SETTINGS: readonly Setting[] = [
  {
    name: "gpt2-brown",
    path: "models/gpt2-brown",
    options: { num_beams: 1 },
    length: PROMPTS.most + ANSWERS.most,
    requests: async (model, count) => drawRequests(count, model.architecture.V, 1),
  },
  ...[1, 4].map((num_beams) => ({
    name: num_beams === 1 ? "g2p-en greedy" : `g2p-en, ${num_beams} beams`,
    path: "models/g2p-en",
    options: { num_beams, max_length: 48 },
    length: 48,
    requests: words,
  })),
];

/** Opens an engine for so many callers of a setting. */
export const openEngine = (model: Model, { options: { num_beams: W }, length }: Setting, callers: number) =>
  model.engine({ rows: callers * W, slots: callers * W * length, length, beams: W });
