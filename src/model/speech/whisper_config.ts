import { CheckpointError, show } from "../../runtime/errors.js";
import type { HeadChoice } from "../decode/cross_attentions.js";
import type { Json } from "../checkpoint/checkpoint.js";
import type { Model } from "../model.js";

/** What a Whisper checkpoint says about transcription: fields of generation_config.json and of config.json. */
export interface WhisperConfig {
  /** Size of the vocabulary. */
  readonly V: number;
  /** The token that a transcript starts with, and the first that ends one. */
  readonly start: number;
  readonly end: number;
  /** Ids of the language tokens by code; undefined in models of one language. */
  readonly languages: Readonly<Record<string, number>> | undefined;
  /** Ids of the task tokens by name. */
  readonly tasks: Readonly<Record<string, number>> | undefined;
  readonly multilingual: boolean;
  /** The token that asks for text without timestamps; those above it are the timestamps. */
  readonly noTimestamps: number | undefined;
  /** The timestamp 0.00; no id where there are none. */
  readonly firstTimestamp: number;
  /** The token before the text of earlier windows. */
  readonly previous: number | undefined;
  /** Tokens after the start token, in the manner of old checkpoints; null stands for the language. */
  readonly forced: readonly (number | null)[] | undefined;
  /** The cross attention that follows the audio. */
  readonly alignmentHeads: readonly HeadChoice[] | undefined;
  /** Frames that the encoder reads at once. */
  readonly window: number;
  /** Width of the median filter over that attention. */
  readonly medianWidth: number;
  /** All of generation_config.json, for options that it may hold. */
  readonly stored: Json;
}

/**
 * Reads what a Whisper checkpoint says about transcription. Throws CheckpointError with the name of a field that is
 * missing or wrong.
 */
export function readWhisperConfig({ checkpoint, architecture: { V, encoder, decoder } }: Model): WhisperConfig {
  const { config, generationConfig: stored = {} } = checkpoint;
  const all: Json = { ...config, ...stored, eos_token_id: [stored.eos_token_id ?? config.eos_token_id].flat()[0] };
  const read = <T>(name: string, rule: string, holds: (value: unknown) => value is T): T | undefined => {
    const value = all[name] ?? undefined;
    if (value === undefined || holds(value)) return value;
    throw new CheckpointError(`generation_config.json: ${name} must be ${rule}, got ${show(value)}`);
  };
  const isId = (value: unknown): value is number => isBelow(value, V);
  const id = (name: string): number | undefined => read(name, `a token id from 0 to ${V - 1}`, isId);
  const need = (name: string): number => {
    const found = id(name);
    if (found !== undefined) return found;
    throw new CheckpointError(`generation_config.json: ${name} must be given, found none; Whisper's own file has it`);
  };
  const ids = (name: string): Readonly<Record<string, number>> | undefined => {
    const isTable = (value: unknown): value is Record<string, number> => Object.values(value as object).every(isId);
    const found = read(name, "token ids by name", isTable);
    return (
      found && Object.fromEntries(Object.entries(found).map(([key, id]) => [key.replace(/^<\|(.*)\|>$/, "$1"), id]))
    );
  };
  const { depth = 0, H = 0 } = decoder ?? {};
  const isHead = ([layer, head]: readonly unknown[]): boolean => isBelow(layer, depth) && isBelow(head, H);
  const heads = read("alignment_heads", `a list of [layer, head] within ${depth} layers of ${H} heads`, pairs(isHead));
  const isPlace = ([place, token]: readonly unknown[], at: number): boolean =>
    place === at + 1 && (isId(token) || (at === 0 && token === null));
  const forced = read("forced_decoder_ids", "the tokens of places 1, 2, ... in this order", pairs(isPlace));
  const noTimestamps = id("no_timestamps_token_id");
  const suppressed = read("suppress_tokens", "a list of token ids", isIds) ?? [];
  return {
    V,
    start: need("decoder_start_token_id"),
    end: need("eos_token_id"),
    languages: ids("lang_to_id"),
    tasks: ids("task_to_id"),
    multilingual: all.is_multilingual !== false,
    noTimestamps,
    firstTimestamp: (noTimestamps ?? V) + 1,
    previous: id("prev_sot_token_id") ?? suppressed[suppressed.length - 2], // as Transformers finds it in old files
    forced: forced?.map(([, token]) => token),
    alignmentHeads: heads?.map(([layer, head]) => ({ layer, head: head as number })),
    window: encoder?.stem?.most ?? 0,
    medianWidth: Number(config.median_filter_width ?? 7),
    stored,
  };
}

type Pairs = readonly (readonly [number, number | null])[];

const isBelow = (value: unknown, size: number): boolean =>
  Number.isInteger(value) && Number(value) >= 0 && Number(value) < size;

const isIds = (value: unknown): value is readonly number[] => Array.isArray(value);

const pairs =
  (holds: (pair: readonly unknown[], at: number) => boolean) =>
  (value: unknown): value is Pairs =>
    Array.isArray(value) && value.every((pair, at) => Array.isArray(pair) && pair.length === 2 && holds(pair, at));
