// The rooms of the model that are loaded when a program first enters them.
import type { Gpu } from "../runtime/gpu.js";
import type { Attentions, Reader } from "./attentions.js";
import type { Checkpoint, CheckpointLike, OpenOptions } from "./checkpoint/checkpoint.js";
import type { Core } from "./core.js";
import type { CacheEntry, CacheOptions } from "./hub/entries.js";
import type { LoadOptions } from "./load.js";
import type { TokenizerHooks } from "./load_tokenizer.js";
import type { MemoryPlan, MemoryPlanOptions } from "./memory_plan.js";
import type { CallOptions, Model } from "./model.js";
import type { SamplePlan } from "./plans.js";
import type { FeatureExtractor } from "./speech/feature_extractor.js";
import type { LogMel, LogMelOptions } from "./speech/log_mel.js";
import type { Tokenizer } from "./text/tokenizer.js";

/**
 * Loads a Hugging Face checkpoint, without any conversion, from the Hub (`org/name`, `org/name@revision` or the URL of
 * its page; it is kept in the cache), a folder path (Node, Deno), a base URL, a list of Files, a function from file name to
 * content, or a checkpoint that is already open. When its device is lost, calls in flight reject with DeviceError, and the
 * next call opens another and reads the weights again. Throws CheckpointError with all faults of the checkpoint and for
 * what the Hub refuses, DeviceError without WebGPU, OptionError, and the signal's reason when aborted.
 *
 * @example
 * const model = await load("models/g2p-en", { dtype: "f16" });
 * const { sequences } = await model.generate({ input_ids: [[5, 12, 9, 2]] }, { num_beams: 4 });
 * console.log(sequences);
 * model.dispose();
 */
export async function load(source: CheckpointLike, options: LoadOptions = {}): Promise<Model> {
  return (await import("./load.js")).load(source, options);
}

/**
 * What a model looks at in a text: the attention weights of all heads, with the tokens on both sides. An encoder reads
 * the text, a decoder-only model too; an encoder-decoder generates the best result by the options of `generate()`, and
 * says what its decoder looked at. The first argument is a task on texts, or a model with its tokenizer. Throws InputError
 * and OptionError.
 * @example
 * const speak = await pipeline("text2text", "models/g2p-en");
 * const { cross } = await attentionsOf(speak, "read");
 * console.log(cross?.weights.dims, cross?.queries.map(({ token }) => token)); // [ 3, 4, 4, 5 ] [ 'R', 'EH1', 'D', '</s>' ]
 */
export async function attentionsOf(reader: Reader, text: string, options: CallOptions = {}): Promise<Attentions> {
  return (await import("./attentions.js")).attentionsOf(reader, text, options);
}

/**
 * Says how many bytes of memory a model and a call of it need on the device, by storage format, and whether they fit,
 * from `config.json` and the headers of the weights alone; the source is as in `load`. What is read back comes on top:
 * some kilobytes. Throws CheckpointError as `load` does, and OptionError.
 * @example
 * const { weights, total, faults } = await memoryPlan("models/g2p-en", { dtype: "int8", rows: 32, num_beams: 4 });
 * console.log(weights.total, total, faults.length); // 6474656 59282800 0
 */
export async function memoryPlan(source: CheckpointLike, options: MemoryPlanOptions = {}): Promise<MemoryPlan> {
  return (await import("./memory_plan.js")).memoryPlan(source, options);
}

/**
 * Reads the tokenizer of a checkpoint without its weights; the source is as in `load`. Throws CheckpointError when there
 * is none or it is broken, and OptionError.
 * @example
 * const tokenizer = await loadTokenizer("models/gpt2-brown");
 * console.log(tokenizer.count("The jury said")); // 4
 */
export async function loadTokenizer(source: CheckpointLike, options: TokenizerHooks = {}): Promise<Tokenizer> {
  return (await import("./load_tokenizer.js")).loadTokenizer(source, options);
}

/**
 * Reads `config.json`, `generation_config.json`, and the headers of `model.safetensors` or else of the shards that
 * `model.safetensors.index.json` names. Returns a checkpoint that is already open as it is. Throws CheckpointError
 * naming the file and the cure.
 *
 * @example
 * const checkpoint = await openCheckpoint("models/bert-pos");
 * console.log(checkpoint.config.model_type, [...checkpoint.entries.keys()]);
 */
export async function openCheckpoint(input: CheckpointLike, options: OpenOptions = {}): Promise<Checkpoint> {
  return (await import("./checkpoint/checkpoint.js")).openCheckpoint(input, options);
}

/**
 * The models of the Hub that are in the cache: in Node, Deno and Bun with those of Python's client, in a page those of its
 * origin. Empty where there is no cache. Throws what the file system throws for a folder that cannot be read.
 * @example
 * for (const { id, bytes } of await cacheEntries()) console.log(id, bytes);
 */
export async function cacheEntries(options: CacheOptions = {}): Promise<CacheEntry[]> {
  return (await import("./hub/entries.js")).cacheEntries(options);
}

/**
 * Removes a model from the cache, or one revision of it (`org/name@revision`) with the files that no other has. Resolves
 * with the bytes that are free now. Throws InputError when it is not in the cache.
 * @example
 * await removeFromCache("openai-community/gpt2");
 */
export async function removeFromCache(model: string, options: CacheOptions = {}): Promise<number> {
  return (await import("./hub/entries.js")).removeFromCache(model, options);
}

/**
 * The plans that a model runs, each over `rows` packed rows: the encoder (with the keys and values for the decoder, if
 * there is one), after the stem of a speech model, the decoder over prompts, and one step of the decoder. Nothing is
 * written to the device before `write()`.
 *
 * @example
 * const model = await load("models/bert-pos");
 * const [sample] = await model.run((core) => samplePlans(core, 64));
 * sample.write();
 * console.log(printPlan(sample.plan), await verify(model.gpu, sample.plan));
 * sample.dispose();
 */
export async function samplePlans(core: Core, rows: number): Promise<SamplePlan[]> {
  return (await import("./plans.js")).samplePlans(core, rows);
}

/**
 * Reads preprocessor_config.json, or the feature extractor in processor_config.json; undefined when there is neither.
 * Fields that are absent have the defaults of WhisperFeatureExtractor in Transformers. Throws CheckpointError for
 * another kind of extractor, for sizes out of reason, and for dither, another padding value or normalised samples.
 *
 * @example
 * const extractor = await readFeatureExtractor(await openCheckpoint("models/whisper-tiny"));
 * console.log(extractor?.sampling_rate); // 16000
 */
export async function readFeatureExtractor(checkpoint: Checkpoint): Promise<FeatureExtractor | undefined> {
  return (await import("./speech/feature_extractor.js")).readFeatureExtractor(checkpoint);
}

/**
 * The log-mel spectrum of samples at the rate of the extractor (Radford et al. 2022, arXiv:2212.04356, section 2.2), as
 * WhisperFeatureExtractor of Transformers computes it: mirrored at both ends, without the last frame, limited to 8
 * powers of ten below the peak of the recording. Three launches for every 1,000 frames that are not silence, and a few
 * in the end. The samples must stay as they are until it resolves. Throws InputError for samples that are not finite or
 * too few, and the signal's reason.
 *
 * @example
 * const model = await load("models/whisper-tiny");
 * const extractor = await readFeatureExtractor(model.checkpoint);
 * if (!extractor) throw new Error("this model hears no spectra");
 * const spectrum = await logMelSpectrum(model, extractor, new Float32Array(16_000)); // a second of silence
 * spectrum.dispose();
 * model.dispose();
 */
export async function logMelSpectrum(
  on: { readonly gpu: Gpu },
  extractor: FeatureExtractor,
  samples: Float32Array,
  options: LogMelOptions = {},
): Promise<LogMel> {
  return (await import("./speech/log_mel.js")).logMelSpectrum(on, extractor, samples, options);
}
