import { type Bench, cells, describeRoofs, type KernelRow, runBenches, type Setting, type Watcher } from "./harness.js";

const element = (id: string): HTMLElement => {
  const found = document.getElementById(id);
  if (!found) throw new Error(`page: kernels.html must have an element ${id}, it has none`);
  return found;
};

const say = (text: string): void => void (element("status").textContent = text);

function addLine(bench: string, shape: string, ...texts: readonly string[]): void {
  const tr = document.createElement("tr");
  for (const text of [bench, shape, ...texts]) tr.insertCell().textContent = text;
  if (texts.length === 1) tr.cells[2].colSpan = 7; // a remark instead of numbers
  element("rows").append(tr);
}

const watcher: Watcher = {
  begin({ adapter, clock, roofs }: Setting) {
    element("adapter").textContent = `${adapter} (${clock})`;
    element("roofs").textContent = describeRoofs(roofs);
  },
  report(row) {
    const { bench, shape, sizes, format, variant } = row as KernelRow;
    const { median, range, rate, roof } = cells(row as KernelRow);
    addLine(bench, shape, sizes, format, median, range, rate, roof, variant);
  },
  skip: (bench, shape, why) => addLine(bench, shape, `skipped: ${why}`),
};

/** Runs the kernel benches and fills the tables of kernels.html, with an error for a bench that fails. */
export async function showBenches(benches: Readonly<Record<string, Bench>>): Promise<void> {
  say("measuring the roofs");
  const start = performance.now();
  const shown = Object.entries(benches).map(([name, bench]): Bench => ({
    async run(context) {
      say(`measuring ${name}`);
      try {
        await bench.run(context);
      } catch (error) {
        addLine(name, "", `failed: ${error instanceof Error ? error.message : String(error)}`);
      }
    },
  }));
  const { rows } = await runBenches(shown, {}, watcher);
  say(`${rows.length} measured in ${((performance.now() - start) / 1e3).toFixed(0)} s`);
}
