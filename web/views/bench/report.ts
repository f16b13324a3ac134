import { KERNEL_BENCHES } from "../../../bench/kernels.js";
import type { KernelRow } from "../../../bench/support/kernel_bench.js";
import type { Row } from "../../../bench/support/measure.js";
import type { DatedResults } from "../../../bench/support/results.js";
import { el } from "../../support/dom.js";
import { drawn } from "../../support/plot.js";
import { coloursOf, drawRoofline, type RooflinePoint } from "../../support/roofline.js";
import { createTable, describeRow, keyOf } from "./table.js";

/** Results as a roofline and a table, beside those of another device. */
export interface Report {
  readonly elements: readonly HTMLElement[];
  /** What is shown. */
  own(): DatedResults | undefined;
  /** Shows results in the place of those that are shown; their rows may still come. */
  begin(own: DatedResults): void;
  /** Shows results beside those that are shown, or alone if there are none. */
  compare(other: DatedResults): void;
  /** Adds a row that has come to the results. */
  add(row: Row): void;
  /** Says why a shape, or a whole kernel, was not measured. */
  remark(bench: string, shape: string, why: string): void;
}

const COLOURS = coloursOf(KERNEL_BENCHES.map(({ kernel }) => kernel));

/** An empty report. */
export function createReport(signal: AbortSignal): Report {
  let own: DatedResults | undefined;
  let other: DatedResults | undefined;
  let chosen: string | undefined;
  const setting = el("p", { class: "note" });
  const beside = el("p", { class: "note" });
  const detail = el("p", { class: "note", "aria-live": "polite" });
  const frame = el("div", { class: "figure", hidden: true });
  const choose = (key: string): void => {
    chosen = key;
    table.mark(key);
    const row = own?.rows.find((one) => keyOf(one) === key);
    detail.textContent = row ? describeRow(row as KernelRow) : "";
    redraw();
  };
  const table = createTable(choose, COLOURS);
  const plot = (width: number): Element => {
    if (!own) return el("p");
    const points = [...(other ? pointsOf(other, true) : []), ...pointsOf(own, false)];
    return drawRoofline({ points, roofs: own.roofs, chosen, choose }, width);
  };
  const redraw = drawn(frame, plot, signal);
  const show = (): void => {
    chosen = undefined;
    detail.textContent = "";
    table.clear(other && new Map(other.rows.map((row) => [keyOf(row), row])));
    frame.hidden = false;
    setting.textContent = own ? describeSetting(own) : "";
    beside.textContent = other ? `Rings and the last column: ${describeSetting(other)}` : "";
    for (const row of own?.rows ?? []) table.add(row);
    redraw();
  };
  return {
    elements: [setting, beside, frame, detail, table.element],
    own: () => own,
    begin(results) {
      own = results;
      show();
    },
    compare(results) {
      if (own) other = results;
      else own = results;
      show();
    },
    add(row) {
      table.add(row);
      redraw();
    },
    remark: table.remark,
  };
}

function pointsOf({ adapter, rows }: DatedResults, hollow: boolean): RooflinePoint[] {
  return (rows as readonly KernelRow[]).flatMap((row) => {
    const { bench, bytes, flops, us } = row;
    if (!bytes) return []; // results of earlier versions do not say
    const key = hollow ? `other ${keyOf(row)}` : keyOf(row);
    const colour = COLOURS.get(bench) ?? "var(--faint)";
    return [{ key, title: `${adapter}: ${describeRow(row)}`, bytes, flops, us: us.median, colour, hollow }];
  });
}

function describeSetting({ runtime, adapter, clock, variants, date }: DatedResults): string {
  const timed = clock === "timestamps" ? "timestamps of the device" : "repetition, for want of fine timestamps";
  return `${adapter}, ${runtime}, ${new Date(date).toLocaleString()}; variants for a ${variants}; times by ${timed}.`;
}
