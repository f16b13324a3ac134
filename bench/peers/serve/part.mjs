// Models under the load of a server: our engine, our calls one after the other and in static batches, transformers.js in Node
// on WebGPU and on the CPU, and llama.cpp on the CPU.
import { readFile } from "node:fs/promises";
import {
  batchOf,
  closedLoop,
  COLUMNS,
  countOf,
  engineServer,
  levelLine,
  levelName,
  LEVELS,
  load,
  openEngine,
  optionsOf,
  runLevel,
  sequentialServer,
  SETTINGS,
  staticServer,
} from "../build/serve.mjs";
import { here, models, watchOthers } from "../harness.mjs";
import { openLlama } from "./llama.mjs";
import { openTransformers } from "./transformers.mjs";

const CALLERS = 64;
const LONGEST = 60; // seconds that a level may take by the first answers
const CHECKED = 6; // requests whose tokens must agree
const WARM = 24;

const webgpu = (setting) => openTransformers("webgpu", setting);
const cpu = (setting) => openTransformers("cpu", setting);
const llama = ({ length }) => openLlama({ sequences: CALLERS, length });
const RIVALS = {
  "gpt2-brown": [llama, cpu, webgpu],
  "g2p-en greedy": [cpu, webgpu],
};

/** Throws unless the answers of a rival have the tokens of ours. */
async function verify(model, setting, rival, requests) {
  for (const [i, request] of requests.entries()) {
    const { sequences, lengths } = await model.generate({ input_ids: [request.ids] }, optionsOf(setting, request));
    const [answer] = await rival.answers([request]);
    const want = sequences[0].slice(lengths[0] - answer.length, lengths[0]);
    const width = model.architecture.encoder ? 1 : request.ids.length;
    if (answer.length !== lengths[0] - width || String(answer) !== String(want))
      throw new Error(`answer ${i} has other tokens: ${answer} and ${want}`);
  }
}

/** Measures our ways at all levels. Returns the figures of the engine, and how many requests a second one call at a time does. */
async function measureOurs(model, setting, engine, requests) {
  const [alone, lasting] = [sequentialServer(model, setting), engineServer(engine, setting)];
  for (const server of [alone, lasting]) await closedLoop(server, requests.slice(0, WARM), WARM);
  const figures = new Map();
  let rate = 0;
  for (const level of LEVELS) {
    const some = requests.slice(0, countOf(level));
    const gathers = staticServer(model, setting, batchOf(level));
    await closedLoop(gathers, some.slice(0, batchOf(level)), some.length);
    const servers = [alone, gathers, lasting];
    const found = await runLevel(servers, level, some, rate);
    servers.forEach(({ name }, i) => {
      const ratio = found[i].tokens_per_s / found[0].tokens_per_s;
      console.log(levelLine(setting.name, level, name, found[i], ratio));
    });
    rate ||= found[0].requests_per_s;
    figures.set(level, found[2]);
  }
  return { figures, rate };
}

/** Measures a rival at all levels that do not take too long. */
async function measureRival(report, rival, { name }, { figures, rate }, requests) {
  const start = performance.now();
  await closedLoop(rival.servers(1)[0], requests.slice(0, 3), 1);
  const each = (performance.now() - start) / 3e3;
  for (const level of LEVELS) {
    const some = requests.slice(0, countOf(level));
    for (const server of rival.servers(Math.min(CALLERS, batchOf(level)))) {
      const setting = `${name}, ${levelName(level)}`;
      const seconds = each * some.length;
      if (seconds > LONGEST) {
        report({ rival: server.name, setting, failed: `it would take about ${seconds.toFixed(0)} s` });
        continue;
      }
      const others = watchOthers();
      const [found] = await runLevel([server], level, some, rate);
      const ours = figures.get(level);
      console.log(levelLine(name, level, server.name, found, found.tokens_per_s / ours.tokens_per_s));
      report({
        rival: server.name,
        setting: `${setting}, ms a token`,
        theirs: [1e3 / found.tokens_per_s],
        ours: [1e3 / ours.tokens_per_s],
        others: [others()],
        rounds: 1,
        outputs: "same tokens",
        ...found,
      });
    }
  }
}

export async function measureServe(report) {
  const read = (path) => readFile(`${here}../../${path}`, "utf8");
  for (const setting of SETTINGS.filter(({ name }) => RIVALS[name])) {
    const model = await load(`${models}${setting.path.replace("models/", "")}`);
    const requests = await setting.requests(model, Math.max(...LEVELS.map(countOf)), read);
    const engine = await openEngine(model, setting, CALLERS);
    console.log(
      `\nwgformer: ${model.gpu.info.description}; ratios of ours: to calls one by one; of rivals: to the engine`,
    );
    console.log(COLUMNS);
    const ours = await measureOurs(model, setting, engine, requests);
    for (const open of RIVALS[setting.name]) {
      const rival = await open(setting);
      try {
        await verify(model, setting, rival, requests.slice(0, CHECKED));
        await measureRival(report, rival, setting, ours, requests);
      } catch (error) {
        report({ rival: rival.name, setting: setting.name, failed: String(error) });
      }
      await rival.close();
    }
    engine.dispose();
    model.dispose();
  }
}
