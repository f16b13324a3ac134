import type { LoopContext } from "./context.js";
import { stepRows } from "./submission.js";
import { movedBeams, needsSteps, type Task } from "./task.js";

const SMALL = 16; // up to this many rows, a smaller step is hardly faster
const WORTH = 16; // to move sentences costs about one step, and pays when at least this many may be left

/** Whether to move the open sentences together, so that steps have fewer rows. */
export function isWorthMoving({ state: { sizes }, tasks, done: { bucket } }: LoopContext): boolean {
  if (bucket <= SMALL || sizes.host) return false;
  const open = tasks.running.filter(needsSteps);
  const rows = open.reduce((sum, { places }) => sum + (places?.rows.count ?? 0), 0);
  const left = Math.max(0, ...open.map(({ call, submitted }) => call.g.newTokens - submitted));
  const covers = open.some(({ call }) => call.g.beamStep.coverage_penalty > 0); // its sums stay where they are
  return rows > 0 && 4 * stepRows(rows, sizes.R) <= bucket && left >= WORTH && !covers;
}

/** Moves the open sentences together, when all reports of the steps before are in. */
export function moveTogether({ state, places, tasks }: LoopContext): void {
  const at = ({ places: own }: Task): number => own?.rows.at ?? 0;
  const running = tasks.running.toSorted((x, y) => at(x) - at(y));
  for (const [task, from] of places.compact(running)) {
    const own = task.places;
    const { W } = task.call.g;
    task.ended.forEach((ended, i) => {
      if (!own || ended) return;
      state.move(own.sentences.at + i, from + i * W, own.rows.at + i * W, movedBeams(task, own, i));
    });
  }
  for (const call of new Set(running.map((task) => task.call))) call.compactions++;
}
