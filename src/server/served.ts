import {
  CheckpointError,
  type CheckpointLike,
  defaultTask,
  type EngineOptions,
  type FeatureTask,
  type LoadOptions,
  type Model,
  openCheckpoint,
  pipeline,
  type RankingTask,
  type RecognitionTask,
  type Tokenizer,
} from "../index.js";
import { engineSizes } from "../model/loop/engine_sizes.js";
import type { DecoderArchitecture } from "../model/graph/architecture.js";
import { createEmbedder } from "../model/tasks/sentence_transformer.js";
import { createBatcher } from "./batcher.js";
import type { Embed } from "./embeddings.js";
import type { Limits } from "./limits.js";
import type { Metrics } from "./metrics.js";
import { crossScores, type Rank, type Score, vectorScores } from "./rerank.js";
import { createTextModel, type TextModel } from "./text_model.js";
import type { Transcribe } from "./transcriptions.js";

/** A model that is served, by what it answers. */
export interface Served {
  readonly name: string;
  /** When it was loaded, in seconds since 1970. */
  readonly created: number;
  readonly task: string;
  /** Completions of texts. */
  readonly texts?: TextModel;
  /** Whether there is a template, and with it chat completions. */
  readonly chats: boolean;
  readonly embed?: Embed;
  readonly score?: Score;
  readonly transcribe?: Transcribe;
  /** Requests that are here, but for those of an engine. */
  open(): number;
  /** Releases it. */
  dispose(): void;
}

/** How models are opened. */
export interface OpenOptions {
  readonly load: LoadOptions;
  readonly engine: Omit<EngineOptions, "waiting">;
  readonly chat_template: string | undefined;
  readonly limits: Limits;
  readonly metrics: Metrics;
  /** After how many seconds another try may do better. */
  readonly retryAfter: () => number;
}

// What runs together, at most.
const TEXTS = 64;
const QUERIES = 8;
const RECORDINGS = 8;

const WRITERS = ["text-generation", "text2text", "translation", "summarization"] as const;
const isWriter = (task: string): task is (typeof WRITERS)[number] => (WRITERS as readonly string[]).includes(task);

/** What a model answers, and how it is released. */
type Answers = Pick<Served, "dispose"> & Partial<Served>;

const batchLimits = ({ limits, retryAfter }: OpenOptions, size: number) => ({
  size,
  waiting: limits.waiting,
  retryAfter,
});

async function openTexts(
  name: string,
  task: { readonly model: Model; readonly tokenizer: Tokenizer; dispose(): void },
  { engine: sizes, limits, metrics, chat_template }: OpenOptions,
): Promise<Answers> {
  const { model, tokenizer } = task;
  try {
    const asked = { ...sizes, waiting: limits.waiting };
    const engine = await model.engine(asked);
    const { M, Z } = engineSizes(model.architecture as DecoderArchitecture, asked).loop;
    const texts = createTextModel({ name, task, engine, room: { length: M, slots: Z }, limits, metrics });
    const writes = !model.architecture.encoder;
    const chats = writes && (chat_template !== undefined || (await tokenizer.has_chat_template()));
    const dispose = (): void => {
      engine.dispose();
      task.dispose();
    };
    return { texts, chats, dispose };
  } catch (error) {
    task.dispose();
    throw error;
  }
}

async function openVectors(task: FeatureTask, options: OpenOptions): Promise<Answers> {
  const embed: Embed = createBatcher(
    (inputs, own, signal) => task(inputs, { ...own, signal }),
    batchLimits(options, TEXTS),
  );
  const { similarity } = await createEmbedder(task.model);
  return { embed, score: vectorScores(embed, similarity), open: () => embed.open, dispose: task.dispose };
}

function openRanks(task: RankingTask, options: OpenOptions): Answers {
  const rank: Rank = createBatcher(
    (inputs, own, signal) => task(inputs, { ...own, signal }),
    batchLimits(options, QUERIES),
  );
  return { score: crossScores(rank, task.tokenizer), open: () => rank.open, dispose: task.dispose };
}

function openSpeech(task: RecognitionTask, options: OpenOptions): Answers {
  const transcribe: Transcribe = createBatcher(
    (inputs, own, signal) => task(inputs, { ...own, signal }),
    batchLimits(options, RECORDINGS),
  );
  return { transcribe, open: () => transcribe.open, dispose: task.dispose };
}

/**
 * Opens a model for what its checkpoint is for. Throws CheckpointError for tasks that no route answers, and all that
 * `load` throws.
 */
export async function openServed(name: string, source: CheckpointLike, options: OpenOptions): Promise<Served> {
  const { load } = options;
  const checkpoint = await openCheckpoint(source, load);
  const task = await defaultTask(checkpoint);
  const open = async (): Promise<Answers> => {
    if (isWriter(task)) return openTexts(name, await pipeline(task, checkpoint, load), options);
    if (task === "text-ranking") return openRanks(await pipeline(task, checkpoint, load), options);
    if (task === "automatic-speech-recognition") return openSpeech(await pipeline(task, checkpoint, load), options);
    if (task === "feature-extraction" || task === "fill-mask")
      return openVectors(await pipeline("feature-extraction", checkpoint, load), options);
    throw new CheckpointError(
      `serve: ${checkpoint.label} must write, embed, rank or hear, its task is ${task}; use wgformer run`,
    );
  };
  return { name, created: Math.floor(Date.now() / 1e3), task, chats: false, open: () => 0, ...(await open()) };
}

/** The routes that a model answers. */
export const routesOf = ({ texts, chats, embed, score, transcribe }: Served): string[] =>
  Object.entries({
    "/v1/completions": texts,
    "/v1/chat/completions": chats,
    "/v1/embeddings": embed,
    "/v1/rerank": score,
    "/v1/audio/transcriptions": transcribe,
  }).flatMap(([route, answers]) => (answers ? [route] : []));
