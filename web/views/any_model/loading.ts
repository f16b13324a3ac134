import type { Checkpoint, Tasks, WeightFormat } from "../../../src/index.js";
import { field, selectInput } from "../../support/controls.js";
import { el } from "../../support/dom.js";
import { startButton } from "../../support/start.js";
import { bytesText } from "../../support/units.js";
import type { Context } from "../../support/view.js";
import { FORMS } from "./forms.js";
import { planTable } from "./plan.js";

/** A task that is loaded, and its name. */
export type Loaded = { readonly [N in keyof Tasks]: { readonly name: N; readonly task: Tasks[N] } }[keyof Tasks];

const FORMATS = { "": "as they are", f32: "f32", f16: "f16", bf16: "bf16", int8: "int8", int4: "int4" };
const TASKS = Object.fromEntries(Object.keys(FORMS).map((name) => [name, name]));

/** What is known of a checkpoint before its weights are read, and a button that reads them; `take` gets the task. */
export function loadPanel(
  checkpoint: Checkpoint,
  preset: keyof Tasks,
  context: Context,
  take: (loaded: Loaded) => void,
): readonly HTMLElement[] {
  const format = selectInput(FORMATS, "");
  const task = selectInput(TASKS, preset);
  const bar = el("progress", { max: 1, value: 0, hidden: true, "aria-label": "Weights read" });
  const load = startButton(
    "Load",
    async (signal) => {
      bar.hidden = false;
      const { pipeline } = await import("../../../src/index.js");
      const name = task.value as keyof Tasks;
      const opened = await pipeline(name, checkpoint, {
        gpu: await context.gpu(),
        signal,
        ...(format.value && { dtype: format.value as WeightFormat }),
        progress({ status, loaded = 0, total = 1 }) {
          if (status !== "progress") return;
          bar.value = loaded / total;
          context.say(`Read ${bytesText(loaded)} of ${bytesText(total)}`);
        },
      });
      bar.hidden = true;
      take({ name, task: opened } as Loaded);
      context.say("The model is on the device.");
    },
    context.signal,
  );
  return [
    planTable(checkpoint),
    el("div", { class: "row" }, field("Task", task), field("Weights", format), load.button),
    bar,
    load.element,
  ];
}
