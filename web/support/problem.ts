import { el } from "./dom.js";

const ADVICE =
  "Everything here runs on WebGPU. Chrome and Edge have it from version 113 on, Safari from 26, Firefox from 141. If yours is newer: is hardware acceleration on in its settings, and is the page reached by https: or at localhost? On Linux, Chrome may need --enable-unsafe-webgpu.";

/** Whether an error says that this browser has no WebGPU, or nothing to run it on. */
const isAbsence = ({ name, message }: Error): boolean =>
  name === "DeviceError" && /WebGPU must be available|adapter must be present|secure context/.test(message);

/** Why something could not be done, and what to do about it; undefined for what the user ended. */
function problemOf(error: unknown): HTMLElement | undefined {
  if (!(error instanceof Error)) return el("div", { class: "problem", role: "alert" }, el("p", {}, String(error)));
  if (error.name === "AbortError") return undefined;
  return el(
    "div",
    { class: "problem", role: "alert" },
    isAbsence(error) && el("p", {}, el("strong", {}, "This browser gives no WebGPU device. "), ADVICE),
    el("p", {}, error.message),
  );
}

/** Shows why something could not be done at the end of `place`, in the place of an earlier problem. */
export function showError(place: HTMLElement, error: unknown): void {
  clearProblem(place);
  const problem = problemOf(error);
  if (problem) place.append(problem);
}

export const clearProblem = (place: HTMLElement): void => place.querySelector(":scope > .problem")?.remove();
