import type { Checkpoint, Tasks, WeightFormat } from "../../../src/index.js";
import { field, selectInput } from "../../support/controls.js";
import { el } from "../../support/dom.js";
import { showError } from "../../support/problem.js";
import { startButton } from "../../support/start.js";
import { bytesText } from "../../support/units.js";
import type { Context } from "../../support/view.js";
import { FORMS } from "./forms/index.js";
import { planTable } from "./plan.js";

/** A task that is loaded, and its name. */
export type Loaded = { readonly [N in keyof Tasks]: { readonly name: N; readonly task: Tasks[N] } }[keyof Tasks];

const library = () => import("../../../src/index.js");
const FORMATS: Readonly<Partial<Record<WeightFormat, string>>> = {
  auto: "as they are",
  f32: "f32",
  f16: "f16",
  bf16: "bf16",
  int8: "int8",
  int4: "int4",
};
const TASKS = Object.fromEntries(Object.keys(FORMS).map((name) => [name, name]));

/** What a checkpoint is and takes before its weights are read, and a button that reads them; `take` gets the task. */
export async function loadPanel(
  checkpoint: Checkpoint,
  context: Context,
  take: (loaded: Loaded) => Promise<void>,
): Promise<readonly HTMLElement[]> {
  const { defaultTask, memoryPlan, pipeline } = await library();
  const format = selectInput(FORMATS, "auto");
  const task = selectInput(TASKS, await defaultTask(checkpoint));
  const chosen = (): WeightFormat => format.value as WeightFormat;
  const bar = el("progress", { max: 1, value: 0, hidden: true, "aria-label": "Weights read" });
  const plan = el("div");
  const showPlan = async (): Promise<void> => {
    const gpu = await context.gpu().catch(() => undefined); // what is missing is told when it is needed
    plan.replaceChildren(planTable(await memoryPlan(checkpoint, { dtype: chosen(), gpu }), Boolean(gpu)));
  };
  format.addEventListener("change", () => void showPlan().catch((error: unknown) => showError(plan, error)));

  const load = async (signal: AbortSignal): Promise<void> => {
    const name = task.value as keyof Tasks;
    bar.hidden = false;
    try {
      const opened = await pipeline(name, checkpoint, {
        gpu: await context.gpu(),
        dtype: chosen(),
        signal,
        progress({ status, loaded = 0, total = 1 }) {
          if (status !== "progress_total") return;
          bar.value = loaded / total;
          context.say(`Read ${bytesText(loaded)} of ${bytesText(total)}.`);
        },
      });
      await take({ name, task: opened } as Loaded);
      context.say("The model is on the device.");
    } finally {
      bar.hidden = true;
    }
  };
  const starter = startButton("Load", load, context.signal);
  await showPlan();
  return [
    plan,
    el("div", { class: "row" }, field("Task", task), field("Weights", format), starter.button),
    bar,
    starter.element,
  ];
}
