import { load } from "../src/index.js";
import type { Model } from "../src/model/model.js";
import { folder, readFile } from "../tests/support/harness.js";
import { closedLoop, type Server } from "./serve/drive.js";
import type { Figures } from "./serve/figures.js";
import { batchOf, COLUMNS, countOf, type Level, levelLine, levelName, LEVELS, runLevel } from "./serve/levels.js";
import { ANSWERS, describeLengths, PROMPTS, type Request } from "./serve/requests.js";
import { type Engine, engineServer, optionsOf, sequentialServer, staticServer } from "./serve/servers.js";
import { openEngine, type Setting, SETTINGS } from "./serve/settings.js";
import type { Bench, Context, Row } from "./support/measure.js";

const CALLERS = 64;
const text = async (path: string): Promise<string> => new TextDecoder().decode(await readFile(path));

/** Throws unless the engine answers as calls do, all requests at once. */
async function verify(model: Model, engine: Engine, setting: Setting, requests: readonly Request[]): Promise<void> {
  const options = (request: Request) => optionsOf(setting, request);
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

async function measure({ gpu, report }: Context, setting: Setting): Promise<void> {
  const { name, path, requests } = setting;
  const model = await load(folder(path), { gpu });
  const engine = await openEngine(model, setting, CALLERS);
  const pool = await requests(model, Math.max(...LEVELS.map(countOf)), text);
  const reportAll = (level: Level, servers: readonly Server[], figures: readonly Figures[]): void =>
    servers.forEach((server, i) => {
      const ratio = figures[i].tokens_per_s / figures[0].tokens_per_s;
      const row: Row = { bench: "serve", shape: `${name}, ${levelName(level)}, ${server.name}`, ratio, ...figures[i] };
      report(row, levelLine(name, level, server.name, figures[i], ratio));
    });
  try {
    await verify(model, engine, setting, pool.slice(0, 16));
    const [sequential, lasting] = [sequentialServer(model, setting), engineServer(engine, setting)];
    for (const server of [sequential, lasting]) await warm(server, pool.slice(0, 24));
    let rate = 0;
    for (const level of LEVELS) {
      const servers = [sequential, staticServer(model, setting, batchOf(level)), lasting];
      await warm(servers[1], pool.slice(0, Math.min(countOf(level), batchOf(level))));
      const figures = await runLevel(servers, level, pool.slice(0, countOf(level)), rate);
      reportAll(level, servers, figures);
      rate ||= figures[0].requests_per_s;
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
