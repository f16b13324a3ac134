// Servers of GPT-2 under the same load: our engine, our calls one after the other and in static batches, transformers.js in
// Node on WebGPU and on the CPU, and llama.cpp on the CPU.
import {
  batchOf,
  closedLoop,
  COLUMNS,
  countOf,
  drawRequests,
  engineServer,
  levelLine,
  levelName,
  LEVELS,
  load,
  runLevel,
  sequentialServer,
  staticServer,
} from "../build/serve.mjs";
import { models, watchOthers } from "../harness.mjs";
import { openLlama } from "./llama.mjs";
import { openTransformers } from "./transformers.mjs";

const LENGTH = 160; // of a prompt with its answer
const ROWS = 64;
const LONGEST = 60; // seconds that a level may take by the first answers
const CHECKED = 6; // requests whose tokens must agree

const RIVALS = [
  () => openTransformers("webgpu"),
  () => openTransformers("cpu"),
  () => openLlama({ sequences: ROWS, length: LENGTH, threads: 1 }),
  () => openLlama({ sequences: ROWS, length: LENGTH, threads: 2 }), // its threads spin, which other processes make slow
];

const tokensOf = async (model, requests) => {
  const answers = [];
  for (const { ids, wanted } of requests) {
    const options = { num_beams: 1, max_new_tokens: wanted, eos_token_id: null };
    const { sequences } = await model.generate({ input_ids: [ids] }, options);
    answers.push(sequences[0].slice(ids.length));
  }
  return answers;
};

/** The servers of a rival at a level: one request at a time, and as many as there are. */
const serversOf = (rival, level) =>
  rival.server ? [rival.server()] : [rival.single(), rival.batches(Math.min(ROWS, batchOf(level)))];

export async function measureServe(report, rounds = 1) {
  const model = await load(`${models}gpt2-brown`);
  const requests = drawRequests(Math.max(...LEVELS.map(countOf)), model.architecture.V, 1);
  const own = { num_beams: 1 };
  const engine = await model.engine({ rows: ROWS, slots: ROWS * LENGTH, length: LENGTH, beams: 1 });
  const ours = [sequentialServer(model, own), engineServer(engine, own)];
  for (const server of ours) await closedLoop(server, requests.slice(0, 24), 24);
  console.log(`wgformer: ${model.gpu.info.description}\n${COLUMNS}`);
  const want = await tokensOf(model, requests.slice(0, CHECKED));
  const rate = 1e3 / (await timeOf(ours[0], requests.slice(0, 8))); // a second, one after the other
  const engineFigures = new Map();
  for (const level of LEVELS) {
    const gathers = staticServer(model, own, batchOf(level));
    const some = requests.slice(0, countOf(level));
    await closedLoop(gathers, some.slice(0, Math.min(some.length, batchOf(level))), ROWS);
    let alone;
    for (const server of [ours[0], gathers, ours[1]]) {
      const figures = await runLevel(server, level, some, rate);
      alone ??= figures.tokens_per_s;
      console.log(levelLine("gpt2-brown", level, server.name, figures, figures.tokens_per_s / alone));
      engineFigures.set(level, figures);
    }
  }
  for (const open of RIVALS) await measureRival(await open());

  /** Milliseconds that a request takes alone. */
  async function timeOf(server, some) {
    const start = performance.now();
    await closedLoop(server, some, 1);
    return (performance.now() - start) / some.length;
  }

  async function measureRival(rival) {
    const refuse = (failed) => report({ rival: rival.name, setting: "gpt2-brown, served", failed });
    try {
      const got = await rival.answers(requests.slice(0, 1));
      for (const [i, request] of requests.slice(0, CHECKED).entries()) {
        const [answer] = i ? await rival.answers([request]) : got;
        if (String(answer) !== String(want[i])) return refuse(`answer ${i} has other tokens`);
      }
      const ms = await timeOf(serversOf(rival, LEVELS[0])[0], requests.slice(0, 2));
      for (const level of LEVELS) for (const server of serversOf(rival, level)) await measureLevel(level, server, ms);
    } catch (error) {
      refuse(String(error));
    } finally {
      await rival.close();
    }
  }

  async function measureLevel(level, server, ms) {
    const setting = `gpt2-brown, ${levelName(level)}`;
    const some = requests.slice(0, countOf(level));
    const seconds = (some.length * ms) / 1e3;
    if (seconds > LONGEST)
      return report({ rival: server.name, setting, failed: `it would take about ${seconds.toFixed(0)} s` });
    const own = engineFigures.get(level);
    const others = watchOthers();
    const figures = await runLevel(server, level, some, rate);
    console.log(levelLine("gpt2-brown", level, server.name, figures, figures.tokens_per_s / own.tokens_per_s));
    report({
      rival: server.name,
      setting: `${setting}, ms a token`,
      theirs: [1e3 / figures.tokens_per_s],
      ours: [1e3 / own.tokens_per_s],
      others: [others()],
      rounds,
      outputs: "same tokens",
      first_ms: figures.first_ms,
      token_ms: figures.token_ms,
    });
  }
}
