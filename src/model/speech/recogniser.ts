import type { DecoderCore } from "../core.js";
import type { SpeechChunk } from "./chunks.js";
import type { SpeechOptions } from "./options.js";

/** One of several results of a search. */
export interface SpeechAlternative {
  /** What may have been said. */
  readonly text: string;
  /** With beam search: log-probability / generated length ^ length_penalty. */
  readonly score?: number;
  /** The part of the recording that it transcribes, in seconds. */
  readonly timestamp: readonly [start: number, end: number];
}

/** What was said in a recording. */
export interface Recognition {
  /** What was said. */
  readonly text: string;
  /** Its parts with their times, where timestamps are asked for, and of recordings longer than a window. */
  readonly chunks?: readonly SpeechChunk[];
  /** The code of the language, in models of several. */
  readonly language?: string;
  /** With `num_return_sequences` above 1: all results of each window, best first. */
  readonly alternatives?: readonly SpeechAlternative[];
}

/** A piece of a transcript. */
export interface RecognitionEvent {
  /** Index of the recording. */
  readonly row: number;
  /** What was said so far in a window, or in a part of it that is done. */
  readonly text: string;
  /** Whether the part is done. If not, the next event of the row takes its place. */
  readonly final: boolean;
  /** Start and end in seconds of a part that is done, where timestamps are asked for. */
  readonly timestamp?: readonly [start: number, end: number];
}

/** How a caller follows and stops a transcription. */
export interface RecogniserHooks {
  readonly signal: AbortSignal | undefined;
  readonly emit?: (event: RecognitionEvent) => void;
  /** Called when so many seconds of a recording are done; Infinity when all are. */
  readonly onSeconds?: (row: number, seconds: number) => void;
}

/** A kind of model that recognises speech. */
export interface Recogniser {
  /** Samples a second that it takes. */
  readonly sampling_rate: number;
  /** The fewest and the most samples of a recording. */
  readonly lengths: readonly [least: number, most: number];
  /** Transcribes recordings together. Throws InputError, OptionError, and as `generate()` does. */
  recognise(
    core: DecoderCore,
    recordings: readonly Float32Array<ArrayBuffer>[],
    options: SpeechOptions,
    hooks: RecogniserHooks,
  ): Promise<Recognition[]>;
}
