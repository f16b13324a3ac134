import { type Comparison, comparePlan, type Compared } from "../../../bench/roofline/compare.js";
import { measureRoofs, type Roofs } from "../../../bench/support/roofs.js";
import { samplePlans } from "../../../src/index.js";
import { field, numberInput, selectInput } from "../../support/controls.js";
import { el } from "../../support/dom.js";
import { TASKS } from "../../support/models.js";
import { startButton } from "../../support/start.js";
import { timeText } from "../../support/units.js";
import type { BundledModel, Context } from "../../support/view.js";

const MOST_ROWS = 512;
const NAMES: Readonly<Record<BundledModel, string>> = {
  "g2p-en": "g2p-en, a decode step",
  "gpt2-brown": "gpt2-brown, a decode step",
  "bert-pos": "bert-pos, the encoder",
};

/** What a model should take on the user's device, by its roofs, beside what it takes. */
export function createPrediction({ params, signal, link, say, gpu, task }: Context) {
  const model = selectInput(NAMES, params.get("predict") ?? "g2p-en");
  const rows = numberInput(Number(params.get("rows") ?? 4), { min: 1, max: MOST_ROWS });
  const summary = el("p", { role: "status" });
  const table = el("table", { class: "results predicted" });
  const frame = el("div", { class: "figure", hidden: true }, table);
  let roofs: Roofs | undefined;
  const run = async (stop: AbortSignal): Promise<void> => {
    const name = model.value as BundledModel;
    link({ predict: name, rows: rows.value });
    summary.textContent = "Measuring the roofs of this device ...";
    const device = await gpu();
    roofs ??= await measureRoofs(device, stop);
    const known = roofs;
    const { model: loaded } = await task(TASKS[name], name);
    summary.textContent = "Running the model ...";
    const comparison = await loaded.run(async (core) => {
      const samples = await samplePlans(core, Math.min(MOST_ROWS, Math.max(1, rows.valueAsNumber || 1)));
      const sample = samples.find(({ plan }) => plan.name === "step") ?? samples[0];
      sample.write();
      try {
        return await comparePlan(core.gpu, sample.plan, known, stop);
      } finally {
        sample.dispose();
      }
    });
    summary.textContent = describe(comparison);
    table.replaceChildren(...rowsOf(comparison));
    frame.hidden = false;
    say(summary.textContent);
  };
  const starter = startButton("Predict and run", run, signal);
  return {
    stop: starter.stop,
    element: el(
      "section",
      {},
      el("h3", {}, "A model, predicted"),
      el(
        "p",
        {},
        "What a step should take follows from its launches and from two roofs of your device, a copy and a chain of multiply-adds. Here is that, beside what it takes.",
      ),
      el(
        "div",
        { class: "row" },
        field("Model", model),
        field("Rows", rows, "Tokens that go through it together"),
        starter.element,
      ),
      summary,
      frame,
    ),
  };
}

const describe = ({ us, measured_us, pass_us }: Comparison): string =>
  `Predicted ${timeText(us)}; measured ${timeText(measured_us)} launch by launch, ${timeText(pass_us)} in one go.`;

function rowsOf({ kinds }: Comparison): HTMLElement[] {
  const most = Math.max(...kinds.flatMap(({ us, measured_us }) => [us, measured_us]));
  const titles = ["Launches", "Predicted", "Measured", "", "Bound by"];
  const head = titles.map((title, index) =>
    el("th", { scope: "col", class: index === 1 || index === 2 ? "number" : "" }, title),
  );
  return [el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...kinds.map((kind) => line(kind, most)))];
}

function line({ kernel, place, count, us, measured_us, bound }: Compared, most: number): HTMLElement {
  const bar = (name: string, time: number): HTMLElement =>
    el("span", { class: name, style: `width:${((100 * time) / most).toFixed(1)}%` });
  return el(
    "tr",
    {},
    el(
      "th",
      { scope: "row" },
      `${count} × `,
      el("span", { class: "mono" }, kernel),
      " ",
      el("span", { class: "note" }, place.replace(/[._]/g, "$&\u200b")),
    ),
    el("td", { class: "number" }, timeText(us)),
    el("td", { class: "number" }, timeText(measured_us)),
    el("td", { class: "twins", "aria-hidden": "true" }, bar("expected", us), bar("measured", measured_us)),
    el("td", {}, bound),
  );
}
