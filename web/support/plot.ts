/** Draws into `frame` now and whenever its width changes, until `signal` is aborted; returns what draws it again. */
export function drawn(frame: HTMLElement, draw: (width: number) => Element, signal: AbortSignal): () => void {
  let width = 0;
  const redraw = (): void => {
    if (frame.clientWidth) frame.replaceChildren(draw(frame.clientWidth)); // not while its tab is hidden
  };
  const observer = new ResizeObserver(() => {
    if (frame.clientWidth === width) return;
    width = frame.clientWidth;
    redraw();
  });
  observer.observe(frame);
  signal.addEventListener("abort", () => observer.disconnect());
  return redraw;
}

/** A logarithmic axis from `low` to `high`, over `from` to `to` pixels. */
export interface LogAxis {
  readonly low: number;
  readonly high: number;
  /** The pixel of a value; values beyond the ends are at the ends. */
  at(value: number): number;
  /** The powers of ten within it. */
  readonly ticks: readonly number[];
}

export function logAxis(low: number, high: number, from: number, to: number): LogAxis {
  const [first, last] = [Math.log10(low), Math.log10(high)];
  const at = (value: number): number => {
    const share = (Math.log10(Math.max(value, Number.MIN_VALUE)) - first) / (last - first);
    return from + Math.min(1, Math.max(0, share)) * (to - from);
  };
  const ticks = Array.from({ length: Math.floor(last) - Math.ceil(first) + 1 }, (_, i) => 10 ** (Math.ceil(first) + i));
  return { low, high, at, ticks };
}

/** A power of ten as axes name it: 0.01, 1, 1,000. */
export const tickText = (value: number): string => Number(value.toPrecision(3)).toLocaleString("en");
