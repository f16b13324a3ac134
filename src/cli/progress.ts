import type { LoadOptions } from "../index.js";
import { type Terminal, write } from "./terminal.js";

/** A line on a terminal that shows how far something is. */
export interface Meter {
  /** Shows that so much is done, and which part of the whole that is, from 0 to 1, where it is known. */
  show(done: number, part?: number): void;
  /** Takes the line away. */
  clear(): Promise<void>;
}

const INTERVAL = 200; // milliseconds between two pictures
const CLEAR = "\r\x1b[K";

/** A meter on standard error, if that is a terminal. `say` turns what is done, and how much a second, into words. */
export function meter({ stderr }: Terminal, say: (done: number, rate: number) => string): Meter {
  const start = performance.now();
  let last = start - INTERVAL;
  let shown = false;
  return {
    show(done, part) {
      const now = performance.now();
      if (!stderr.isTTY || now - last < INTERVAL) return;
      last = now;
      shown = true;
      const seconds = (now - start) / 1e3;
      const ahead = part ? `  ${Math.floor(100 * part)}%  ${clock((seconds * (1 - part)) / part)} left` : "";
      stderr.write(`${CLEAR}${say(done, done / Math.max(seconds, 1e-3))}${ahead}`);
    },
    async clear() {
      if (shown) await write(stderr, CLEAR);
      shown = false;
    },
  };
}

function clock(seconds: number): string {
  const whole = Math.ceil(seconds);
  const two = (value: number): string => String(value).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** Bytes in a unit that people read. */
export const bytes = (count: number): string => {
  const unit = Math.min(3, Math.floor(Math.log10(Math.max(count, 1)) / 3));
  return `${(count / 1e3 ** unit).toFixed(unit ? 1 : 0)} ${["B", "kB", "MB", "GB"][unit]}`;
};

/** Loading on a meter: the hook for `load`, and what takes the meter away. */
export function loadMeter(terminal: Terminal): {
  progress: NonNullable<LoadOptions["progress"]>;
  clear: Meter["clear"];
} {
  let name = "";
  const shown = meter(terminal, (done, rate) => `loading ${name}  ${bytes(done)}  ${bytes(rate)}/s`);
  return {
    progress(event) {
      const { status, loaded = 0, total } = event;
      name = event.name;
      if (status === "progress_total") shown.show(loaded, total ? loaded / total : undefined);
    },
    clear: shown.clear,
  };
}
