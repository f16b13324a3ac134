import { el } from "./dom.js";
import { clearProblem, showError } from "./problem.js";

/** A button that starts something, and ends it while it runs. */
export interface Start {
  /** The button, and the place under it for what goes wrong. */
  readonly element: HTMLElement;
  readonly button: HTMLButtonElement;
  /** As a press of the button that starts: for a form that is submitted, say. Does nothing while it runs. */
  start(): Promise<void>;
  /** Ends what runs, if anything does. */
  stop(): void;
  /** Ends what runs, and starts again. */
  restart(): Promise<void>;
}

/**
 * A button named `label` that runs `run`, and is named Stop meanwhile, which aborts the signal that `run` gets; `ended` does
 * so too. What `run` throws is shown under the button.
 */
export function startButton(label: string, run: (signal: AbortSignal) => Promise<void>, ended: AbortSignal): Start {
  const button = el("button", { type: "button", class: "start" }, label);
  const element = el("div", { class: "starter" }, button);
  let running: AbortController | undefined;
  let ending = Promise.resolve();
  const once = async ({ signal }: AbortController): Promise<void> => {
    clearProblem(element);
    button.textContent = "Stop";
    button.setAttribute("aria-busy", "true");
    try {
      await run(AbortSignal.any([signal, ended]));
    } catch (error) {
      if (!signal.aborted) showError(element, error);
    } finally {
      running = undefined;
      button.textContent = label;
      button.removeAttribute("aria-busy");
    }
  };
  const start = (): Promise<void> => {
    if (!running && !ended.aborted) ending = once((running = new AbortController()));
    return ending;
  };
  const stop = (): void => running?.abort();
  const restart = async (): Promise<void> => {
    stop();
    await ending;
    await start();
  };
  button.addEventListener("click", () => (running ? stop() : void start()));
  return { element, button, start, stop, restart };
}
