// node work.mjs QUEUE MODEL [--task NAME] [--load JSON] [--budget N] [--lock S] [--drain]: loads a model once and works.
// SIGTERM and SIGINT end it after the batch that runs. With --drain it ends when nothing is left to do.
import { parseArgs } from "node:util";
import { openModel } from "./model.mjs";
import { work } from "./worker.mjs";

const {
  positionals: [name, model],
  values: { task, load, budget, lock, drain },
} = parseArgs({
  allowPositionals: true,
  options: {
    task: { type: "string" }, // of the checkpoint, where the model has several
    load: { type: "string", default: "{}" }, // options of load() as JSON, such as {"dtype":"int8"}
    budget: { type: "string", default: "4096" }, // tokens of a batch
    lock: { type: "string", default: "30" }, // seconds after which a dead worker's jobs are others'
    drain: { type: "boolean" },
  },
});
const log = (/** @type {string} */ line) => console.error(`${new Date().toISOString()} ${process.pid} ${line}`);

const stop = new AbortController();
for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => stop.abort());
try {
  const opened = await openModel(model, JSON.parse(load), task);
  log(`ready: ${model}`);
  await work(name, { ...opened, budget: Number(budget), lock: 1e3 * Number(lock), drain, signal: stop.signal, log });
  opened.dispose();
} catch (error) {
  log(/** @type {Error} */ (error).message);
  process.exitCode = 1;
}
