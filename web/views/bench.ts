import { KERNEL_BENCHES } from "../../bench/kernels.js";
import type { Row } from "../../bench/support/measure.js";
import type { DatedResults } from "../../bench/support/results.js";
import { el } from "../support/dom.js";
import { showError } from "../support/problem.js";
import { startButton } from "../support/start.js";
import type { Context } from "../support/view.js";
import { createActions, createLoader } from "./bench/actions.js";
import { createChoice } from "./bench/choice.js";
import { createPrediction } from "./bench/prediction.js";
import { createProgress } from "./bench/progress.js";
import { createReport } from "./bench/report.js";
import { runBenches } from "./bench/run.js";
import { unpackResults } from "./bench/share.js";

/** Benches of kernels on the user's device, each checked against its reference before it is timed. */
export function mount(root: HTMLElement, context: Context): void {
  const { params, signal, link, say } = context;
  const choice = createChoice(KERNEL_BENCHES, params);
  const progress = createProgress();
  const report = createReport(signal);
  const actions = createActions(report.own, say, root);
  const compare = (loaded: DatedResults): void => {
    report.compare(loaded);
    actions.hidden = false;
  };
  const run = async (stop: AbortSignal): Promise<void> => {
    const benches = choice.benches();
    if (!benches.length) throw new Error("Tick a kernel, at least one.");
    link(choice.params());
    const rows: Row[] = [];
    progress.start();
    try {
      await runBenches(
        await context.gpu(),
        benches,
        {
          begin(setting) {
            report.begin({ date: new Date().toISOString(), ...setting, rows });
            actions.hidden = false;
          },
          add(row) {
            rows.push(row);
            report.add(row);
          },
          remark: report.remark,
          progress: progress.show,
        },
        stop,
      );
    } finally {
      say(progress.end(rows.length, stop.aborted));
    }
  };
  const starter = startButton("Measure", run, signal);
  const prediction = createPrediction(context);
  for (const { stop } of [starter, prediction]) root.addEventListener("leave", stop, { signal });

  root.append(
    el("h2", {}, "Benchmark"),
    el(
      "p",
      { class: "lead" },
      "Every kernel at shapes of real models, on your device. Each is compared with its reference in 64-bit arithmetic first: what does not match is not timed.",
    ),
    choice.element,
    el("div", { class: "row" }, starter.element, createLoader(compare, root)),
    progress.element,
    actions,
    ...report.elements,
    prediction.element,
  );
  const shared = params.get("results");
  if (shared)
    unpackResults(shared).then(compare, () => {
      showError(root, new Error("The link holds no results; it may be cut off."));
    });
}
