/** Takes a text piece by piece and gives what stands before the first stop string; `last` ends the text. */
export type StopCutter = (piece: string, last: boolean) => string;

/** Cuts a text at the first of these strings, and holds back what may become one. */
export function createStopCutter(stops: readonly string[]): StopCutter {
  let held = "";
  let found = false;
  return (piece, last) => {
    if (found) return "";
    held += piece;
    const at = Math.min(...stops.map((stop) => held.indexOf(stop)).filter((index) => index >= 0), Infinity);
    found = at < Infinity;
    const end = found ? at : last ? held.length : held.length - longestBeginning(held, stops);
    const ready = held.slice(0, end);
    held = held.slice(end);
    return ready;
  };
}

/** How many letters at the end of a text may begin a stop string. */
function longestBeginning(text: string, stops: readonly string[]): number {
  for (let length = Math.min(text.length, Math.max(0, ...stops.map((stop) => stop.length - 1))); length > 0; length--) {
    const end = text.slice(-length);
    if (stops.some((stop) => stop.length > length && stop.startsWith(end))) return length;
  }
  return 0;
}
