import { measureRoofs, type Roofs } from "../../bench/support/roofs.js";
import { agreements, type Gpu, type Model, profile, type SamplePlan, samplePlans } from "../../src/index.js";
import { field, numberInput, selectInput } from "../support/controls.js";
import { el } from "../support/dom.js";
import { drawn } from "../support/plot.js";
import { coloursOf, drawRoofline } from "../support/roofline.js";
import { startButton } from "../support/start.js";
import { bytesText, rateText, timeText } from "../support/units.js";
import type { BundledModel, BundledTask, Context } from "../support/view.js";
import { addAgreement, addTimings, inspect, type Inspected } from "./inside/launches.js";
import { createList, errorText, roofShare } from "./inside/list.js";
import { indented, wgslElement } from "./inside/wgsl.js";

const TOLERANCE = 1e-4;
const ROUNDS = 3; // of timing, the best of which count
const TASKS: Readonly<Record<BundledModel, BundledTask>> = {
  "g2p-en": "text2text",
  "bert-pos": "token-classification",
  "gpt2-brown": "text-generation",
};
const PLANS: Readonly<Record<BundledModel, Readonly<Record<string, string>>>> = {
  "g2p-en": { step: "a decode step", prompt: "the decoder over prompts", encoder: "the encoder" },
  "bert-pos": { encoder: "the encoder" },
  "gpt2-brown": { step: "a decode step", prompt: "the decoder over prompts" },
};

/** What is shown of the plan that was recorded last. */
interface Shown {
  /** Which plan it is. */
  key?: string;
  launches: Inspected[];
  roofs?: Roofs;
  chosen?: number;
}

/** The launches of a model: how long each takes, how far it is from the roofs, whether it is right, and its shader. */
export function mount(root: HTMLElement, context: Context): void {
  const { params, signal, link } = context;
  const model = selectInput(
    { "g2p-en": "g2p-en", "bert-pos": "bert-pos", "gpt2-brown": "gpt2-brown" },
    params.get("model") ?? "g2p-en",
  );
  const plan = el("select", {});
  const rows = numberInput(Number(params.get("rows") ?? 4), { min: 1, max: 1024 });
  const offer = (): void => {
    const plans = PLANS[model.value as BundledModel];
    plan.replaceChildren(...Object.entries(plans).map(([value, name]) => el("option", { value }, name)));
    plan.value = [params.get("plan"), ...Object.keys(plans)].find((name) => name && name in plans) ?? "";
  };
  model.addEventListener("change", offer);
  offer();

  const shown: Shown = { launches: [] };
  const summary = el("p", { role: "status" });
  const frame = el("div", { class: "figure" });
  const code = el("div", { class: "code" });
  const choose = (key: string | number): void => {
    shown.chosen = Number(key);
    list.mark(shown.chosen);
    code.replaceChildren(...describeLaunch(shown.launches[shown.chosen], shown.roofs));
    redraw();
  };
  const list = createList(choose);
  const redraw = drawn(frame, (width) => drawPlan(shown, choose, width), signal);
  const panes = el("div", { class: "panes", hidden: true }, list.element, el("div", {}, frame, code));

  /** Runs `call` on the chosen plan, recorded anew, its inputs written. */
  const withPlan = async (call: (loaded: Model, sample: SamplePlan) => Promise<void>): Promise<void> => {
    const name = model.value as BundledModel;
    link({ model: name, plan: plan.value, rows: rows.value });
    const { model: loaded } = await context.task(TASKS[name], name);
    await loaded.run(async (core) => {
      const samples = await samplePlans(core, Math.max(1, rows.valueAsNumber || 1));
      const sample = samples.find((one) => one.plan.name === plan.value) ?? samples[0];
      sample.write();
      try {
        const key = `${name} ${plan.value} ${rows.value}`;
        if (key !== shown.key) {
          Object.assign(shown, { key, launches: inspect(core.gpu, sample.plan) });
          panes.hidden = false;
          list.show(shown.launches, coloursOf(shown.launches.map(({ kernel }) => kernel)));
          choose(0);
        }
        await call(loaded, sample);
      } finally {
        sample.dispose();
      }
    });
  };
  const update = (): void => list.update(shown.launches, shown.roofs, TOLERANCE);
  const time = async (stop: AbortSignal): Promise<void> =>
    withPlan(async ({ gpu }, sample) => {
      summary.textContent = "Measuring the roofs of this device ...";
      shown.roofs ??= await measureRoofs(gpu, stop);
      summary.textContent = "Timing each launch ...";
      await timeLaunches(gpu, sample, shown.launches, stop, update);
      const total = shown.launches.reduce((sum, { us = 0 }) => sum + us, 0);
      summary.textContent = `${shown.launches.length} launches, ${timeText(total)} one after the other.`;
      choose(shown.chosen ?? 0);
    });
  const verify = async (stop: AbortSignal): Promise<void> =>
    withPlan(async ({ gpu }, sample) => {
      for await (const agreement of agreements(gpu, sample.plan)) {
        stop.throwIfAborted();
        const { index } = addAgreement(shown.launches, agreement);
        summary.textContent = `Launch ${index + 1} of ${shown.launches.length} is compared with its reference in 64-bit arithmetic ...`;
        update();
      }
      summary.textContent = describeAgreement(shown.launches);
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
    panes,
  );
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

function drawPlan({ launches, roofs, chosen }: Shown, choose: (key: string) => void, width: number): Element {
  const timed = launches.filter(({ us }) => us !== undefined);
  if (!roofs || !timed.length)
    return el("p", { class: "note empty" }, "Press Time for the roofline of these launches.");
  const colours = coloursOf(launches.map(({ kernel }) => kernel));
  const points = timed.map(({ index, kernel, label, bytes, flops, us = 1 }) => ({
    key: String(index),
    title: `${kernel} ${label}: ${timeText(us)}`,
    bytes,
    flops,
    us,
    colour: colours.get(kernel) ?? "",
  }));
  return drawRoofline({ points, roofs, chosen: String(chosen), choose }, width);
}

function describeLaunch(launch: Inspected, roofs: Roofs | undefined): HTMLElement[] {
  const { kernel, label, variant, groups, bytes, flops, us, reads, writes } = launch;
  const share = roofShare(launch, roofs);
  const work = `${bytesText(bytes)} and ${flops.toLocaleString("en")} FLOP at least`;
  const speed = us
    ? `${timeText(us)}: ${rateText(bytes / us / 1e3, "B/s")}, ${rateText(flops / us / 1e3, "FLOP/s")}, ${Math.round(share ?? 0)} % of the roof`
    : "not timed yet";
  const facts: Readonly<Record<string, string>> = {
    Variant: variant,
    Workgroups: groups,
    Work: work,
    Time: speed,
    Reads: reads.join("\n"),
    Writes: writes.join("\n"),
  };
  return [
    el("h3", {}, el("span", { class: "mono" }, kernel), " ", el("span", { class: "note" }, label)),
    el(
      "dl",
      { class: "facts" },
      ...Object.entries(facts).flatMap(([name, text]) => [el("dt", {}, name), el("dd", {}, text)]),
    ),
    wgslElement(indented(launch.wgsl())),
  ];
}
