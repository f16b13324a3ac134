/** What a step of a search did. */
export interface SearchStep {
  /** 1 for the first step of the search. */
  readonly step: number;
  /** The sentences that were open before it. */
  readonly sentences: readonly SentenceStep[];
}

/**
 * Takes what each step of a search did. The search waits for a promise of it, and what it throws rejects the call; a few
 * more steps may be under way then.
 * @example
 * const model = await load("models/gpt2-brown");
 * await model.generate({ input_ids: [[5, 9]] }, {
 *   num_beams: 4,
 *   onStep({ step, sentences: [{ candidates }] }) {
 *     for (const { token_id, parent, score, fate } of candidates) console.log(step, token_id, parent, score, fate);
 *   },
 * });
 */
export type StepHook = (step: SearchStep) => void | Promise<void>;

/** What a step did to a sentence. */
export interface SentenceStep {
  /** Index of the input. */
  readonly row: number;
  /** Which sentence of the input it is: one of its samples, or of its groups of beams; 0 where it is the only one. */
  readonly sentence: number;
  /** With `return_alternatives`, of which alternative of the input; absent in the step that finds these. */
  readonly alternative?: number;
  /** The beams that go on, to which `parent` refers in the next step; none once the sentence is done. */
  readonly beams: readonly StepToken[];
  /** The best 2*W candidates, W the number of beams, and all that were kept or finished; best first. */
  readonly candidates: readonly StepCandidate[];
  /** The finished hypotheses that are kept so far, best first. */
  readonly finished: readonly StepHypothesis[];
  /**
   * Why it needs no more steps, if so: all that is allowed is generated; all its beams have ended; as many hypotheses as
   * wanted are there; no beam is expected to beat the worst of them; no token is allowed; a stop string was found.
   */
  readonly done?: "max_length" | "ended" | "early_stopping" | "no_better" | "no_candidate" | "stop_string";
}

/** A token that continues a beam. */
export interface StepToken {
  /** The token. */
  readonly token_id: number;
  /** The beam that it continues, by its index before the step. */
  readonly parent: number;
  /** Log-probability of the token after all rules on scores, diversity included. */
  readonly logprob: number;
  /** The sum of the log-probabilities of its beam. */
  readonly score: number;
  /** The score that it has, or would have, as the last token of a result. */
  readonly ranking_score: number;
}

/** A candidate of a step, and what became of it. */
export interface StepCandidate extends StepToken {
  /** What became of it. */
  readonly fate: "kept" | "finished" | "cut";
  /** Of one that is kept: its beam. */
  readonly beam?: number;
  /**
   * Why it is cut: others are better; it ends, and is worse than all hypotheses that are kept; only because earlier groups
   * chose its token; the sentence is done.
   */
  readonly reason?: "rank" | "worse" | "diversity" | "done";
}

/** A finished hypothesis. */
export interface StepHypothesis {
  /** Its tokens after the prompt. */
  readonly token_ids: readonly number[];
  /** Sum of log-probabilities / generated length ^ length_penalty. */
  readonly score: number;
  /** Log-probability of each of these tokens. */
  readonly logprobs: readonly number[];
  /** The step in which it ended, and the beam that its last token continued. */
  readonly step: number;
  /** The beam that it ended in. */
  readonly parent: number;
}

/** Which sentence is meant. */
export type SentenceName = Pick<SentenceStep, "row" | "sentence" | "alternative">;
