import { load } from "../src/index.js";
import type { Model } from "../src/model/model.js";
import { folder, readFile } from "../tests/support/harness.js";
import { closedLoop, type Server } from "./serve/drive.js";
import { batchOf, COLUMNS, countOf, type Level, levelLine, levelName, LEVELS, runLevel } from "./serve/levels.js";
import { ANSWERS, describeLengths, drawRequests, PROMPTS, type Request } from "./serve/requests.js";
import { engineServer, type Load, sequentialServer, staticServer } from "./serve/servers.js";
import type { Bench, Context, Row } from "./support/measure.js";

const ROWS = 64;

interface Setting {
  readonly path: string;
  readonly name: string;
  readonly load: Load;
  /** The longest prompt with its answer. */
  readonly length: number;
  readonly requests: (model: Model, count: number) => Promise<Request[]>;
}

/** Words, which the model spells in sounds. */
async function words(model: Model, count: number): Promise<Request[]> {
  const tokenizer = await model.tokenizer;
  if (!tokenizer) throw new Error("serve: g2p-en must have a tokenizer");
  const lines = new TextDecoder().decode(await readFile("models/g2p-en/heldout.tsv")).split("\n");
  return lines.slice(0, count).map((line) => ({ ids: tokenizer.encode(line.split("\t")[0]).ids }));
}

const SETTINGS: readonly Setting[] = [
  {
    path: "models/gpt2-brown",
    name: "gpt2-brown",
    load: { num_beams: 1 },
    length: PROMPTS.most + ANSWERS.most,
    requests: async (model, count) => drawRequests(count, model.architecture.V, 1),
  },
  ...[1, 4].map((num_beams) => ({
    path: "models/g2p-en",
    name: num_beams === 1 ? "g2p-en greedy" : `g2p-en, ${num_beams} beams`,
    load: { num_beams, max_length: 48 },
    length: 48,
    requests: words,
  })),
];

/** Throws unless the engine answers as calls do, all requests at once. */
async function verify(model: Model, engine: Awaited<ReturnType<Model["engine"]>>, load: Load, requests: Request[]) {
  const options = ({ wanted = 24 }: Request) => ({ ...load, max_new_tokens: wanted });
  const all = requests.map((request) =>
    engine.submit({ inputs: { input_ids: [request.ids] }, options: options(request) }),
  );
  for (const [i, { result }] of all.entries()) {
    const { sequences } = await model.generate({ input_ids: [requests[i].ids] }, options(requests[i]));
    if (String((await result).sequences) !== String(sequences))
      throw new Error(`serve: not timed, request ${i} differs from the same call alone`);
  }
}

/** All at once, untimed: what is first used is compiled. */
const warm = (server: Server, requests: readonly Request[]) => closedLoop(server, requests, requests.length);

async function measure({ gpu, report }: Context, { path, name, load: own, length, requests }: Setting): Promise<void> {
  const model = await load(folder(path), { gpu });
  const engine = await model.engine({ rows: ROWS, slots: ROWS * length, length, beams: own.num_beams ?? 1 });
  const pool = await requests(model, Math.max(...LEVELS.map(countOf)));
  let rate = 0;
  const take = async (server: Server, level: Level, alone?: number): Promise<number> => {
    const figures = await runLevel(server, level, pool.slice(0, countOf(level)), rate);
    const { us, requests_per_s, tokens_per_s, ...rest } = figures;
    const ratio = tokens_per_s / (alone ?? tokens_per_s);
    const row: Row = {
      bench: "serve",
      shape: `${name}, ${levelName(level)}, ${server.name}`,
      us,
      requests_per_s,
      tokens_per_s,
      ratio,
      ...rest,
    };
    report(row, levelLine(name, level, server.name, figures, ratio));
    rate ||= requests_per_s;
    return tokens_per_s;
  };
  try {
    await verify(model, engine, own, pool.slice(0, 16));
    const [sequential, lasting] = [sequentialServer(model, own), engineServer(engine, own)];
    for (const server of [sequential, lasting]) await warm(server, pool.slice(0, 24));
    for (const level of LEVELS) {
      const gathers = staticServer(model, own, batchOf(level));
      await warm(gathers, pool.slice(0, Math.min(countOf(level), batchOf(level))));
      const alone = await take(sequential, level);
      for (const server of [gathers, lasting]) await take(server, level, alone);
    }
  } finally {
    engine.dispose();
    model.dispose();
  }
}

/**
 * Requests that come by themselves: an engine, the same calls one after the other, and one batch of all that are there.
 * Rivals under the same load: bench/peers.
 */
export const bench: Bench = {
  async run(context) {
    console.log(
      `\nserve: prompts ${describeLengths(PROMPTS)}; answers ${describeLengths(ANSWERS)}; g2p-en spells words\n${COLUMNS}`,
    );
    for (const setting of SETTINGS) await measure(context, setting);
  },
};
