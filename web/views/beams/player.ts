import { el } from "../../support/dom.js";

/** Shows the steps of a search one after the other, as they come or again. */
export interface Player {
  readonly element: HTMLElement;
  /** How many steps are shown. */
  readonly shown: number;
  /** There are so many steps now. */
  receive(count: number): void;
  /** Begins again with no step. */
  reset(): void;
}

const PACE = 200; // ms a step

/** A player that calls `show` whenever the number of steps to show changes, until `ended`. */
export function createPlayer(show: () => void, ended: AbortSignal): Player {
  let [shown, count, playing] = [0, 0, true];
  let timer: ReturnType<typeof setTimeout> | undefined;
  const play = el("button", { type: "button", click: () => toggle() }, "Pause");
  const move = (label: string, text: string, by: number): HTMLButtonElement =>
    el("button", { type: "button", "aria-label": label, title: label, click: () => jump(shown + by) }, text);
  const [back, on] = [move("One step back", "←", -1), move("One step on", "→", 1)];
  const slider = el("input", {
    type: "range",
    min: 0,
    max: 0,
    value: 0,
    "aria-label": "Step",
    input: () => jump(Number(slider.value)),
  });
  const text = el("output", { class: "note" });

  const update = (): void => {
    slider.max = String(count);
    slider.value = String(shown);
    text.textContent = `step ${shown} of ${count}`;
    play.textContent = playing && shown < count ? "Pause" : "Play";
    play.disabled = count === 0;
    back.disabled = shown === 0;
    on.disabled = shown === count;
  };
  const set = (next: number): void => {
    shown = Math.max(0, Math.min(count, next));
    show();
    update();
  };
  const schedule = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (!playing || shown >= count || ended.aborted) return;
    timer = setTimeout(() => {
      timer = undefined;
      set(shown + 1);
      schedule();
    }, PACE);
  };
  const jump = (to: number): void => {
    playing = false;
    schedule();
    set(to);
  };
  const toggle = (): void => {
    const going = playing && shown < count;
    playing = !going;
    if (playing && shown === count) set(0);
    schedule();
    update();
  };
  ended.addEventListener("abort", () => clearTimeout(timer));
  update();
  return {
    element: el("div", { class: "player", role: "group", "aria-label": "Steps" }, play, back, on, slider, text),
    get shown() {
      return shown;
    },
    receive(now) {
      count = now;
      if (playing && !timer && shown < count) {
        if (shown === 0) set(1); // the first at once
        schedule();
      }
      update();
    },
    reset() {
      [shown, count, playing] = [0, 0, true];
      schedule();
      update();
    },
  };
}
