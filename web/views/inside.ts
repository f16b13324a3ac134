import { measureRoofs } from "../../bench/support/roofs.js";
import { agreements, type Gpu, profile, type SamplePlan, samplePlans } from "../../src/index.js";
import { field, numberInput, selectInput } from "../support/controls.js";
import { el } from "../support/dom.js";
import { TASKS } from "../support/models.js";
import { startButton } from "../support/start.js";
import { timeText } from "../support/units.js";
import type { BundledModel, Context } from "../support/view.js";
import { addAgreement, addTimings, inspect, type Inspected } from "./inside/launches.js";
import { errorText } from "./inside/list.js";
import { createPanes, type Shown } from "./inside/panes.js";

const TOLERANCE = 1e-4;
const ROUNDS = 3; // of timing, the best of which count
const PLANS: Readonly<Record<BundledModel, Readonly<Record<string, string>>>> = {
  "g2p-en": { step: "a decode step", prompt: "the decoder over prompts", encoder: "the encoder" },
  "bert-pos": { encoder: "the encoder" },
  "gpt2-brown": { step: "a decode step", prompt: "the decoder over prompts" },
};

/** The launches of a model: how long each takes, how far it is from the roofs, whether it is right, and its shader. */
export function mount(root: HTMLElement, context: Context): void {
  const { signal, link } = context;
  const { model, plan, rows } = createControls(context.params);
  const shown: Shown = { key: "", launches: [], chosen: 0 };
  const panes = createPanes(shown, TOLERANCE, signal);
  const summary = el("p", { role: "status" });
  const tell = (text: string): void => void (summary.textContent = text);

  /** Runs `call` on the chosen plan, recorded anew, its inputs written. */
  const withPlan = async (call: (gpu: Gpu, sample: SamplePlan) => Promise<void>): Promise<void> => {
    const name = model.value as BundledModel;
    link({ model: name, plan: plan.value, rows: rows.value });
    const key = `${name} ${plan.value} ${rows.value}`;
    const task = await context.task(TASKS[name], name);
    await task.model.run(async (core) => {
      const samples = await samplePlans(core, Math.max(1, rows.valueAsNumber || 1));
      const sample = samples.find((one) => one.plan.name === plan.value) ?? samples[0];
      sample.write();
      try {
        if (key !== shown.key) {
          Object.assign(shown, { key, launches: inspect(core.gpu, sample.plan) });
          panes.show();
        }
        await call(core.gpu, sample);
      } finally {
        sample.dispose();
      }
    });
  };
  const time = async (stop: AbortSignal): Promise<void> =>
    withPlan(async (gpu, sample) => {
      tell("Measuring the roofs of this device ...");
      shown.roofs ??= await measureRoofs(gpu, stop);
      tell("Timing each launch ...");
      await timeLaunches(gpu, sample, shown.launches, stop, panes.update);
      const total = shown.launches.reduce((sum, { us = 0 }) => sum + us, 0);
      tell(`${shown.launches.length} launches, ${timeText(total)} one after the other.`);
    });
  const verify = async (stop: AbortSignal): Promise<void> =>
    withPlan(async (gpu, sample) => {
      for await (const agreement of agreements(gpu, sample.plan)) {
        stop.throwIfAborted();
        const { index } = addAgreement(shown.launches, agreement);
        tell(`Launch ${index + 1} of ${shown.launches.length} is compared with its reference in 64-bit arithmetic ...`);
        panes.update();
      }
      tell(describeAgreement(shown.launches));
    });
  const starters = [startButton("Time", time, signal), startButton("Verify", verify, signal)];
  root.addEventListener("leave", () => starters.forEach(({ stop }) => stop()), { signal });

  root.append(
    el("h2", {}, "Inside"),
    el(
      "p",
      { class: "lead" },
      "A model is recorded once as a flat list of launches, and then only replayed. Here is that list, with what each launch costs on your device.",
    ),
    el(
      "div",
      { class: "row" },
      field("Model", model),
      field("Plan", plan),
      field("Rows", rows, "Tokens that go through the plan together"),
      ...starters.map(({ element }) => element),
    ),
    summary,
    panes.element,
  );
}

/** Which plan of which model, over how many rows. */
function createControls(params: URLSearchParams) {
  const names = Object.fromEntries(Object.keys(PLANS).map((name) => [name, name]));
  const model = selectInput(names, params.get("model") ?? "g2p-en");
  const plan = el("select", {});
  const offer = (): void => {
    const plans = PLANS[model.value as BundledModel];
    plan.replaceChildren(...Object.entries(plans).map(([value, name]) => el("option", { value }, name)));
    plan.value = [params.get("plan"), ...Object.keys(plans)].find((name) => name && name in plans) ?? "";
  };
  model.addEventListener("change", offer);
  offer();
  return { model, plan, rows: numberInput(Number(params.get("rows") ?? 4), { min: 1, max: 1024 }) };
}

/** Times a plan in several rounds, and calls `update` after each. */
async function timeLaunches(
  gpu: Gpu,
  { plan }: SamplePlan,
  launches: readonly Inspected[],
  stop: AbortSignal,
  update: () => void,
): Promise<void> {
  const prepared = await gpu.prepare(plan);
  try {
    await profile(gpu, prepared); // some adapters compile at the first launch
    for (let round = 0; round < ROUNDS; round++) {
      stop.throwIfAborted();
      addTimings(launches, await profile(gpu, prepared));
      update();
    }
  } finally {
    prepared.dispose();
  }
}

function describeAgreement(launches: readonly Inspected[]): string {
  const wrong = launches.filter(({ error = 0 }) => error > TOLERANCE);
  const worst = Math.max(...launches.map(({ error = 0 }) => error));
  if (wrong.length)
    return `${wrong.length} of ${launches.length} launches differ from their references, the first is ${wrong[0].index + 1}.`;
  return `All ${launches.length} launches agree with their references in 64-bit arithmetic; the largest difference is ${errorText(worst)}.`;
}
