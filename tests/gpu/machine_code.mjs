// The loops of the machine code that drivers print, and what their instructions are.
import { INSTRUCTION_SETS } from "./instruction_sets.mjs";

/** @typedef {import("./instruction_sets.mjs").Instruction} Instruction */

/**
 * A loop, without the loops inside of it.
 * @typedef {object} Loop
 * @property {Readonly<Record<string, number>>} mix Instructions by kind.
 * @property {number} size How many instructions it has.
 * @property {number} inFlight The most global loads that are under way at once, when the loop has begun to repeat.
 */

/**
 * The loops of a program, those with most arithmetic first.
 * @param {import("./statistics.mjs").Maker} maker
 * @param {string} text
 */
export function readLoops(maker, text) {
  const weight = (/** @type {Loop} */ { mix, size }) => 1e3 * (mix.fma ?? 0) + 10 * (mix.load ?? 0) + size;
  return findLoops(readCode(maker, text)).sort((a, b) => weight(b) - weight(a));
}

/** @returns {Instruction[]} */
function readCode(/** @type {import("./statistics.mjs").Maker} */ maker, /** @type {string} */ text) {
  const { read, kinds } = INSTRUCTION_SETS[maker];
  return text.split("\n").flatMap((line) =>
    read(line).map((one) => {
      const found = kinds.find(([, pattern]) => pattern.test(one.name));
      return { kind: found ? found[0] : "valu", count: 1, waits: [], ...one };
    }),
  );
}

function findLoops(/** @type {readonly Instruction[]} */ code) {
  const places = new Map(code.flatMap(({ label }, index) => (label ? [[label, index]] : [])));
  /** @type {Map<number, number>} Several jumps back to one place are one loop. */
  const ends = new Map();
  for (const [end, { target }] of code.entries()) {
    const start = places.get(target ?? "");
    if (start !== undefined && start <= end) ends.set(start, end);
  }
  /** @type {(readonly [number, number])[]} Those that overlap and do not nest are one loop, entered in two places. */
  const ranges = [];
  for (const [start, end] of [...ends].sort(([a], [b]) => a - b)) {
    const across = ranges.findIndex(([, last]) => start <= last && end > last);
    if (across < 0) ranges.push([start, end]);
    else ranges[across] = [ranges[across][0], end];
  }
  return ranges.map(([start, end]) => {
    const inside = ranges.filter(([first, last]) => first >= start && last <= end && (first !== start || last !== end));
    const own = (/** @type {number} */ at) => !inside.some(([first, last]) => at >= first && at <= last);
    return describeLoop(code.slice(start, end + 1).filter((_, index) => own(start + index)));
  });
}

/** @returns {Loop} */
function describeLoop(/** @type {readonly Instruction[]} */ body) {
  /** @type {Record<string, number>} */
  const mix = {};
  for (const { kind, count } of body) if (count) mix[kind] = (mix[kind] ?? 0) + count;
  /** @type {string[]} */
  let underWay = [];
  let inFlight = 0;
  for (const { kind, waits, most, token = "" } of [...body, ...body]) {
    underWay = waits.includes("*") ? [] : underWay.filter((one) => !waits.includes(one));
    if (most !== undefined) underWay = underWay.slice(Math.max(0, underWay.length - most));
    if (kind === "load") underWay.push(token);
    inFlight = Math.max(inFlight, underWay.length);
  }
  return { mix, size: body.reduce((sum, { count }) => sum + count, 0), inFlight };
}
