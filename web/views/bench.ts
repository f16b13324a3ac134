import { KERNEL_BENCHES } from "../../bench/kernels.js";
import type { KernelRow } from "../../bench/support/kernel_bench.js";
import type { Row, Setting } from "../../bench/support/measure.js";
import { type DatedResults, readResults } from "../../bench/support/results.js";
import { resultsName } from "../../bench/support/results_name.mjs";
import { el } from "../support/dom.js";
import { drawn } from "../support/plot.js";
import { clearProblem, showError } from "../support/problem.js";
import { coloursOf, drawRoofline, type RooflinePoint } from "../support/roofline.js";
import { startButton } from "../support/start.js";
import { clockText } from "../support/units.js";
import type { Context } from "../support/view.js";
import { createChoice } from "./bench/choice.js";
import { runBenches } from "./bench/run.js";
import { packResults, saveResults, unpackResults } from "./bench/share.js";
import { createTable, describeRow, keyOf } from "./bench/table.js";

/** What is shown: results of this device or of a link, and those of another. */
interface Shown {
  own?: DatedResults;
  other?: DatedResults;
  chosen?: string;
}

const COLOURS = coloursOf(KERNEL_BENCHES.map(({ kernel }) => kernel));

/** Benches of kernels on the user's device, each checked against its reference before it is timed. */
export function mount(root: HTMLElement, context: Context): void {
  const { params, signal, link, say } = context;
  const shown: Shown = {};
  const choice = createChoice(KERNEL_BENCHES, params);
  const bar = el("progress", { max: 1, value: 0, "aria-label": "Measured shapes" });
  const status = el("p", { class: "note", role: "status" });
  const progress = el("div", { hidden: true }, bar, status);
  const setting = el("p", { class: "note" });
  const detail = el("p", { class: "note", "aria-live": "polite" });
  const frame = el("div", { class: "figure", hidden: true });
  const choose = (key: string): void => {
    shown.chosen = key;
    table.mark(key);
    const row = shown.own?.rows.find((one) => keyOf(one) === key);
    detail.textContent = row ? describeRow(row as KernelRow) : "";
    redraw();
  };
  const table = createTable(choose, COLOURS);
  const redraw = drawn(
    frame,
    (width) => drawRoofline({ ...rooflineOf(shown), chosen: shown.chosen, choose }, width),
    signal,
  );

  /** Shows results from the start, or begins those of a run. */
  const show = (): void => {
    const { own, other } = shown;
    shown.chosen = undefined;
    detail.textContent = "";
    table.clear(other && new Map(other.rows.map((row) => [keyOf(row), row])), other?.adapter);
    frame.hidden = !own;
    results.hidden = !own;
    setting.textContent = own ? describeSetting(own) : "";
    for (const row of own?.rows ?? []) table.add(row);
    redraw();
  };
  const take = (loaded: DatedResults): void => {
    shown[shown.own ? "other" : "own"] = loaded;
    show();
  };

  const results = resultsActions(shown, say, root);
  const loader = fileLoader(take, root);
  const measureAll = async (stop: AbortSignal): Promise<void> => {
    const benches = choice.benches();
    if (!benches.length) throw new Error("Tick a kernel, at least one.");
    link(choice.params());
    progress.hidden = false;
    const start = performance.now();
    const rows: Row[] = [];
    await runBenches(
      await context.gpu(),
      benches,
      {
        begin(measured) {
          shown.own = { date: new Date().toISOString(), ...measured, rows };
          show();
        },
        add(row) {
          rows.push(row);
          table.add(row);
          redraw();
        },
        remark: table.remark,
        progress({ text, done, shapes }) {
          const seconds = (performance.now() - start) / 1e3;
          bar.max = shapes;
          bar.value = done;
          const rest = done > 2 && done < shapes ? `, about ${clockText((seconds / done) * (shapes - done))} left` : "";
          const shape =
            done < shapes ? `shape ${done + 1} of ${shapes}` : `${rows.length} of ${shapes} shapes measured`;
          status.textContent = `${text} · ${shape} · ${clockText(seconds)}${rest}`;
        },
      },
      stop,
    ).finally(() => stop.aborted && (status.textContent = `Stopped after ${rows.length} shapes.`));
    say(`${rows.length} shapes measured.`);
  };
  const starter = startButton("Measure", measureAll, signal);
  root.addEventListener("leave", starter.stop, { signal });

  root.append(
    el("h2", {}, "Benchmark"),
    el(
      "p",
      { class: "lead" },
      "Every kernel at shapes of real models, on your device. Each is compared with its reference in 64-bit arithmetic first: what does not match is not timed.",
    ),
    choice.element,
    el("div", { class: "row" }, starter.element, loader),
    progress,
    setting,
    results,
    frame,
    detail,
    table.element,
  );
  const shared = params.get("results");
  if (shared)
    unpackResults(shared).then(take, () => showError(root, new Error("The link holds no results; it may be cut off.")));
}

function rooflineOf({ own, other }: Shown): { points: RooflinePoint[]; roofs: Setting["roofs"] } {
  if (!own) return { points: [], roofs: { copies: [{ bytes: 1, gb_s: 1 }], gflop_s: 1, launch_us: 1 } };
  const pointsOf = (rows: readonly Row[], adapter: string, hollow: boolean): RooflinePoint[] =>
    (rows as readonly KernelRow[]).flatMap((row) => {
      if (!row.bytes) return []; // results of earlier versions do not say
      const { bytes, flops, us, bench } = row;
      const colour = COLOURS.get(bench) ?? "var(--faint)";
      const key = hollow ? `other ${keyOf(row)}` : keyOf(row);
      return [{ key, title: `${adapter}: ${describeRow(row)}`, bytes, flops, us: us.median, colour, hollow }];
    });
  return {
    points: [...pointsOf(other?.rows ?? [], other?.adapter ?? "", true), ...pointsOf(own.rows, own.adapter, false)],
    roofs: own.roofs,
  };
}

const describeSetting = ({ runtime, adapter, clock, variants, date }: DatedResults): string =>
  `${adapter}, ${runtime}, ${new Date(date).toLocaleString()}; variants for a ${variants}; times by ${clock === "timestamps" ? "timestamps of the device" : "repetition: this browser rounds or lacks timestamps"}.`;

/** Buttons for results that are there: save, copy, link. */
function resultsActions(shown: Shown, say: Context["say"], root: HTMLElement): HTMLElement {
  const action = (name: string, run: (own: DatedResults) => void | Promise<void>): HTMLElement =>
    el(
      "button",
      {
        type: "button",
        async click() {
          if (!shown.own) return;
          try {
            await run(shown.own);
          } catch (error) {
            showError(root, error);
          }
        },
      },
      name,
    );
  const nameOf = ({ rows, ...own }: DatedResults): string =>
    resultsName(own, rows.length ? [...new Set(rows.map(({ bench }) => bench))].slice(0, 4) : []);
  return el(
    "div",
    { class: "row", hidden: true },
    action("Save JSON", (own) => saveResults(nameOf(own), own)),
    action("Copy link", async (own) => {
      const { origin, pathname } = location;
      await navigator.clipboard.writeText(`${origin}${pathname}#bench?results=${await packResults(own)}`);
      say("The link is copied. It holds the results themselves: nothing was sent anywhere.");
    }),
  );
}

/** Takes a file of another device's results. */
function fileLoader(take: (results: DatedResults) => void, root: HTMLElement): HTMLElement {
  const input = el("input", {
    type: "file",
    accept: "application/json,.json",
    class: "unseen",
    async change() {
      const [file] = input.files ?? [];
      if (!file) return;
      clearProblem(root);
      try {
        take(readResults(await file.text(), file.name));
      } catch (error) {
        showError(root, error);
      }
      input.value = "";
    },
  });
  return el("label", { class: "button" }, input, "Compare with a file");
}
