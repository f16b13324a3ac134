export type { Checkpoint, CheckpointLike, OpenOptions } from "./model/checkpoint/checkpoint.js";
export type { Loaded, ProgressEvent } from "./model/checkpoint/progress.js";
export type { HubOptions } from "./model/hub/settings.js";
export type { CachedRevision, CacheEntry, CacheOptions } from "./model/hub/entries.js";
export type { Core, HostTensor } from "./model/core.js";
export type { Launches } from "./model/loop/call.js";
export type {
  DeviceSignal,
  EncoderOutputs,
  ModelInputs,
  SignalRows,
  SourceInputs,
  TokenRows,
  VectorRows,
} from "./model/inputs.js";
export type { FeatureExtractor } from "./model/speech/feature_extractor.js";
export type { LogMel, LogMelOptions } from "./model/speech/log_mel.js";
export type { ForwardOutput } from "./model/decode/forward_rows.js";
export type { GenerateResult, GenerateStats } from "./model/decode/generate.js";
export type { GenerateInputs } from "./model/decode/job.js";
export type { EncodeInputs, ForwardInputs } from "./model/arguments.js";
export {
  cacheEntries,
  attentionsOf,
  load,
  loadTokenizer,
  logMelSpectrum,
  memoryPlan,
  openCheckpoint,
  readFeatureExtractor,
  removeFromCache,
  samplePlans,
} from "./model/index.js";
export type { AttentionMap, Attentions, AttentionToken } from "./model/attentions.js";
export type { LoadOptions } from "./model/load.js";
export type { MemoryPlan, MemoryPlanOptions } from "./model/memory_plan.js";
export type { Model } from "./model/model.js";
export type { GenerationDefaults } from "./model/decode/defaults.js";
export type { GenerateOptions, LogitsProcessor } from "./model/decode/options.js";
export type { EncoderOptions, EncoderOutput } from "./model/encode/outputs.js";
export {
  defaultTask,
  featureExtraction,
  fillMask,
  pipeline,
  questionAnswering,
  sentenceSimilarity,
  speechRecognition,
  summarization,
  text2text,
  textClassification,
  textGeneration,
  textRanking,
  tokenClassification,
  translation,
  zeroShotClassification,
} from "./model/tasks/index.js";
export type { TaskName, TaskOf, Tasks } from "./model/tasks/names.js";
export type { CheckpointSource, SourceFile, SourceLike } from "./model/checkpoint/source.js";
export type { Engine, EngineCall, EngineRequest, EngineStats } from "./model/loop/engine.js";
export type { EngineOptions } from "./model/loop/engine_sizes.js";
export type { PastKeyValues, PastOptions } from "./model/decode/past.js";
export type { TokenLogprob } from "./model/decode/candidates.js";
export type {
  SearchStep,
  SentenceStep,
  StepCandidate,
  StepHook,
  StepHypothesis,
  StepToken,
} from "./model/decode/search_step.js";
export type { Decoder, DecoderOptions } from "./model/decode/decoder.js";
export type { StreamEvent } from "./model/decode/stream.js";
export type { EncoderTask, EncodingOptions, Reading, TaskParts, TextInput } from "./model/tasks/encoder_task.js";
export type { EmbeddingOptions } from "./model/tasks/sentence_transformer.js";
export type { FilledMask, MaskOptions, MaskTask } from "./model/tasks/fill_mask.js";
export type { Answer, AnswerOptions, AnswersOf, AnswerTask, Question } from "./model/tasks/question_answering.js";
export type { RankedDocument, RankingInput, RankingOptions, RankingTask } from "./model/tasks/text_ranking.js";
export type { SimilarityInput, SimilarityOptions, SimilarityTask } from "./model/tasks/sentence_similarity.js";
export type { ZeroShot, ZeroShotOptions, ZeroShotTask } from "./model/tasks/zero_shot_classification.js";
export type { Features, FeatureOptions, FeatureTask } from "./model/tasks/feature_extraction.js";
export type { Alignment } from "./model/tasks/alignments.js";
export type { DirectionOptions } from "./model/tasks/directions.js";
export type { Chat, ChatEvent, ChatOptions, ChatReply, ChatUsage, Said, TurnOptions } from "./model/tasks/chat.js";
export type {
  GeneratedText,
  GenerationTask,
  TextEvent,
  TextName,
  TextOptions,
  TextResults,
  TextStats,
  TextTask,
  Usage,
} from "./model/tasks/text_task.js";
export type { FinishReason } from "./model/decode/finish.js";
export type { RecognitionOptions, RecognitionTask } from "./model/tasks/speech_recognition.js";
export type { AudioBufferLike, AudioInput, RawAudio } from "./model/speech/audio.js";
export type { SpeechChunk, SpeechWord } from "./model/speech/chunks.js";
export type { SpeechOptions } from "./model/speech/options.js";
export type { Recognition, RecognitionEvent, SpeechAlternative } from "./model/speech/recogniser.js";
export type { Classification, ClassificationOptions, ClassificationTask } from "./model/tasks/text_classification.js";
export type { Entity, Tagging, TaggingOptions, TaggingTask, TokenInput } from "./model/tasks/token_classification.js";
export type { Encoding } from "./model/text/encoding.js";
export type { Range } from "./model/text/letters.js";
export type { ChatTemplateOptions, ChatTemplates } from "./model/text/chat_template.js";
export type { ChatMessage, ContentPart, Conversation } from "./model/text/messages.js";
export type { EncodeOptions } from "./model/text/encode.js";
export type { SpecialTokens } from "./model/text/special_tokens.js";
export type { DecodeOptions, Tokenizer } from "./model/text/tokenizer.js";
export type { SamplePlan } from "./model/plans.js";
export type { TuneOptions } from "./model/tune.js";
export { CACHE_FORMATS, type CacheFormat } from "./model/graph/architecture.js";
export {
  LOGITS_FORMATS,
  type LogitsFormat,
  WEIGHT_FORMATS,
  type WeightFormat,
} from "./model/checkpoint/weight_formats.js";
export { cpu } from "./runtime/cpu.js";
export {
  CheckpointError,
  DeviceError,
  EngineFullError,
  InputError,
  OptionError,
  ShapeError,
  WgformerError,
} from "./runtime/errors.js";
export type { AdapterClass, DeviceClass } from "./runtime/device_class.js";
export { type Choice, type TunedChoice, type TunedChoices, tuningKey } from "./runtime/variants.js";
export { type Compiling, type Gpu, gpu, type GpuListener, type GpuOptions } from "./runtime/gpu.js";
export type { Fallback } from "./runtime/compile.js";
export type { DeviceLost } from "./runtime/health.js";
export type { Prepared, RunOptions } from "./runtime/prepare.js";
export { describePlan, type LaunchDescription } from "./runtime/describe.js";
export { defineKernel, type Kernel, type Variant } from "./runtime/kernel.js";
export type { MemoryUse } from "./runtime/memory.js";
export { countLaunches, type Plan, printPlan, record, type Run, type Launch } from "./runtime/plan.js";
export { profile, type Timing } from "./runtime/profile.js";
export { type DType, type Tensor, tensor } from "./runtime/tensor.js";
export { tune, type TuneEvent, type TuneHooks } from "./runtime/tune.js";
export { type Agreement, agreements, type Divergence, verify } from "./runtime/verify.js";
export type { Tuning } from "./runtime/tuning.js";
