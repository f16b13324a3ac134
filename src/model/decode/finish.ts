import type { Generation } from "./resolve.js";

/** Why a result ended: by an end id or a stop string, or because it may not be longer. */
export type FinishReason = "stop" | "length";

/**
 * Why a result of these generated tokens ended; `stopped` says that a stop string did it. An end id that is forced in the
 * last place counts as too long.
 */
export function finishReason(
  { lists, rules, newTokens }: Pick<Generation, "lists" | "rules" | "newTokens">,
  ids: readonly number[],
  stopped: boolean,
): FinishReason {
  const last = ids[ids.length - 1];
  const isForced = last === rules.forced_eos && ids.length === newTokens;
  return stopped || (lists.end.includes(last) && !isForced) ? "stop" : "length";
}
