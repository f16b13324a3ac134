/** A number with three significant digits, without an exponent. */
const short = (value: number): string =>
  value >= 100 ? Math.round(value).toLocaleString("en") : value.toFixed(value >= 10 ? 1 : 2);

/** A time given in microseconds, in the unit that fits: `45.2 µs`, `1.30 ms`, `0.83 s`. */
export function timeText(us: number): string {
  if (us < 1e3) return `${short(us)} µs`;
  return us < 0.5e6 ? `${short(us / 1e3)} ms` : `${short(us / 1e6)} s`;
}

/** Seconds as on a clock: `1:05`. */
export const clockText = (seconds: number): string =>
  `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

/** A rate given in GB/s or GFLOP/s (`unit` without its G), in T where that fits. */
export const rateText = (giga: number, unit: "B/s" | "FLOP/s"): string =>
  giga >= 1000 ? `${short(giga / 1000)} T${unit}` : `${giga >= 0.01 ? short(giga) : giga.toPrecision(1)} G${unit}`;

/** Bytes in the unit that fits, powers of 1024. */
export function bytesText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 2 ** 20 ? `${short(bytes / 1024)} KiB` : `${short(bytes / 2 ** 20)} MiB`;
}
