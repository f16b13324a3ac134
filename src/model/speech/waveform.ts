import { OptionError, show } from "../../runtime/errors.js";
import type { GenerateOptions } from "../decode/options.js";
import type { Stem } from "../graph/architecture.js";
import type { Model } from "../model.js";
import type { Tokenizer } from "../text/tokenizer.js";
import type { SpeechOptions } from "./options.js";
import type { Recogniser } from "./recogniser.js";

// Options that act by timestamps, or by tokens of languages and tasks.
const WHISPERS = [
  "language",
  "task",
  "return_timestamps",
  "prompt_ids",
  "prompt_condition_type",
  "condition_on_prev_tokens",
  "compression_ratio_threshold",
  "logprob_threshold",
  "no_speech_threshold",
  "max_initial_timestamp_index",
] as const;

/** Speech recognition by a model that hears samples themselves, such as Moonshine: text alone, of short recordings. */
export function waveformRecogniser(model: Model, tokenizer: Tokenizer, sampling_rate: number): Recogniser {
  const stem = model.architecture.encoder?.stem as Stem;
  return {
    sampling_rate,
    lengths: [stem.least, stem.most],
    async recognise(_core, recordings, options, { signal, emit, onSeconds }) {
      const search = searchOf(model.architecture.family, options);
      const heard = recordings.map(() => "");
      const running = model.stream({ input_values: recordings }, { ...search, signal });
      const each = search.num_return_sequences ?? model.generationDefaults.options.num_return_sequences ?? 1;
      let event = await running.next();
      for (; !event.done; event = await running.next()) {
        const { row, text = "" } = event.value;
        if (row % each || !text) continue; // an end token has none
        heard[row / each] += text;
        emit?.({ row: row / each, text: heard[row / each], final: false });
      }
      const { sequences, sequences_scores, lengths } = event.value;
      const count = sequences.length / recordings.length;
      return recordings.map(({ length }, row) => {
        const seconds = length / sampling_rate;
        const alternatives = Array.from({ length: count }, (_, rank) => {
          const at = row * count + rank;
          const text = tokenizer.decode(sequences[at].slice(0, lengths[at]), { skip_special_tokens: true });
          return { text, ...(sequences_scores && { score: sequences_scores[at] }), timestamp: [0, seconds] as const };
        });
        const [{ text }] = alternatives;
        emit?.({ row, text, final: true });
        onSeconds?.(row, Infinity);
        return { text, ...(count > 1 && { alternatives }) };
      });
    },
  };
}

/** The options of the search. Throws OptionError for those that only Whisper has. */
function searchOf(family: string, options: SpeechOptions): GenerateOptions {
  const stray = WHISPERS.find(
    (name) => options[name] !== undefined && options[name] !== null && options[name] !== false,
  );
  if (stray)
    throw new OptionError(
      `speech: ${stray} must be absent, ${family} gives text alone; leave it out, or use a Whisper model`,
    );
  const { temperature: given, ...rest } = options;
  const temperature = given ?? 0;
  if (typeof temperature !== "number" || !(temperature >= 0))
    throw new OptionError(
      `speech: temperature must be a number of at least 0, ${family} has no thresholds, got ${show(temperature)}`,
    );
  const own = Object.entries(rest).filter(([name]) => !(WHISPERS as readonly string[]).includes(name));
  return { ...Object.fromEntries(own), ...(temperature > 0 && { do_sample: true, temperature }) };
}
