import { el } from "../../support/dom.js";
import { clockText } from "../../support/units.js";
import type { RunListener } from "./run.js";

/** How far a run is, and how long it may take: a bar and a line, hidden until a run starts. */
export function createProgress() {
  const bar = el("progress", { max: 1, value: 0, "aria-label": "Measured shapes" });
  const status = el("p", { class: "note" });
  const element = el("div", { hidden: true }, bar, status);
  let start = 0;
  const seconds = (): number => (performance.now() - start) / 1e3;
  const show: RunListener["progress"] = ({ text, done, shapes }) => {
    bar.max = shapes;
    bar.value = done;
    const rest = done > 2 ? `, about ${clockText((seconds() / done) * (shapes - done))} left` : "";
    status.textContent = `${text} · shape ${done + 1} of ${shapes} · ${clockText(seconds())}${rest}`;
  };
  return {
    element,
    show,
    start() {
      start = performance.now();
      element.hidden = false;
    },
    /** Says what has become of the run. */
    end(measured: number, stopped: boolean): string {
      if (!stopped) bar.value = bar.max;
      const text = `${stopped ? "Stopped" : "Done"}: ${measured} shapes measured in ${clockText(seconds())}.`;
      status.textContent = text;
      return text;
    },
  };
}
