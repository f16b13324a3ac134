import { checkNames, checkObject, checkOption, SIGNAL } from "../../runtime/checks.js";
import { EngineFullError, InputError, OptionError, show } from "../../runtime/errors.js";
import type { DecoderCore } from "../core.js";
import { createLifetime, type KeepAlive } from "../lifetime.js";
import type { CallOptions } from "../model.js";
import type { Tokenizer } from "../text/tokenizer.js";
import type { GenerationDefaults } from "../decode/defaults.js";
import { checkFits, type EngineOptions, engineSizes } from "./engine_sizes.js";
import { type GenerateResult, planCall, runCall, unstreamable } from "../decode/generate.js";
import type { GenerateInputs } from "../decode/job.js";
import { decodeIn } from "./decode.js";
import { createLoop, type Loop } from "./loop.js";
import type { Decode } from "./call.js";
import { createLoopState, type LoopState } from "./state.js";
import type { StreamEvent } from "../decode/stream.js";
import { createPrefixes } from "./prefixes.js";
import { createStreamBuffer } from "./stream_buffer.js";

/** What an engine is asked for: inputs and options of `generate()`. */
export interface EngineRequest {
  /** What `generate()` takes: one or several rows, which are one request. */
  readonly inputs: GenerateInputs;
  /** Options of its own, whatever those of others are. */
  readonly options?: Omit<CallOptions, "signal">;
  /** Requests with a larger number are admitted first; those with the same in the order of their arrival. Default 0. */
  readonly priority?: number;
  /** Cancels it. */
  readonly signal?: AbortSignal;
}

/** A request that is on its way. */
export interface EngineCall {
  /** Resolves when the first of its rows is admitted, if ever. */
  readonly admitted: Promise<void>;
  /** Its events, as `stream()` yields them; throws OptionError for groups and alternatives. Leaving the loop early cancels the request. */
  readonly stream: AsyncIterable<StreamEvent>;
  /** Its result, as that of `generate()`. */
  readonly result: Promise<GenerateResult>;
  /** Ends it: result and stream reject with the reason, by default an AbortError. Its rows are free after the next step. */
  cancel(reason?: unknown): void;
}

/** What an engine does now, and has done so far. */
export interface EngineStats {
  /** Requests that wait for admission. */
  readonly waiting: number;
  /** Requests of which rows were admitted. */
  readonly running: number;
  /** Rows of a step. */
  readonly rows: { readonly total: number; readonly used: number };
  /** Cache slots; `shared` are those that keep prompts for later requests. */
  readonly slots: { readonly total: number; readonly used: number; readonly shared: number };
  /** Steps that were submitted. */
  readonly steps: number;
  /** Tokens that rows were fed in steps. */
  readonly tokens: number;
  /** Tokens of prompts that were read. */
  readonly prompt_tokens: number;
  /** Tokens of prompts that were there already. */
  readonly reused_tokens: number;
  /** Requests that were taken in. */
  readonly admitted: number;
  /** Requests that gave a result. */
  readonly finished: number;
  /** Requests that their callers, or the end of the engine, cancelled. */
  readonly cancelled: number;
  /** Requests that ended with an error. */
  readonly failed: number;
}

/**
 * Decodes requests together that come and go, each with options of its own. A request gives what `generate()` gives it
 * alone: on CPU adapters the same bits, on GPUs the same to rounding. Release it with `dispose()`.
 */
export interface Engine extends AsyncDisposable {
  /**
   * Takes a request in. Throws InputError and OptionError as `generate()` does, and for what can never fit, and
   * EngineFullError when too many wait.
   */
  submit(request: EngineRequest): EngineCall;
  /** What it does now. */
  stats(): EngineStats;
  /** Resolves when all requests have ended. */
  idle(): Promise<void>;
  /** Forgets the prompts that it keeps for requests that begin alike. */
  forget(): void;
  /** Walks all tables and counts, and throws where they disagree. For tests. */
  check(): void;
  /** Ends it: requests in flight reject with InputError. */
  dispose(): void;
}

/** What an engine reads of its model. */
export interface EngineModel {
  readonly core: DecoderCore;
  readonly defaults: GenerationDefaults;
  /** Throws unless the checkpoint has a tokenizer. */
  readonly requireTexts: () => Promise<Tokenizer>;
  readonly readTexts: () => Promise<Tokenizer | undefined>;
}

/** Opens an engine. Throws OptionError for its options, and DeviceError for what the device cannot hold. */
export function openEngine(model: EngineModel, options: EngineOptions, keepAlive: KeepAlive): Engine {
  const { core, defaults } = model;
  const sizes = engineSizes(core.architecture, options);
  const counts = { admitted: 0, finished: 0, cancelled: 0, failed: 0 };
  const cancels = new Set<(reason: unknown) => void>();
  let now = open(core, sizes);
  const loop = (): Loop => {
    if (now.loop.broken || now.device !== core.gpu.device) {
      now.state.dispose(); // its device was lost, and with it all keys
      now = open(core, sizes);
    }
    return now.loop;
  };
  const life = createLifetime("engine", "open another", () => {
    void now.loop.stop();
    now.state.dispose();
  });

  const submit = (request: EngineRequest): EngineCall => {
    life.check();
    const { inputs, options: given = {}, priority, signal } = readRequest(request);
    const { onStep, ...own } = given;
    const call = planCall(core, defaults, inputs, own);
    checkFits(call.job, call.g, sizes.loop);
    if (cancels.size - now.loop.counts.running >= sizes.waiting)
      throw new EngineFullError(
        `engine: at most waiting=${sizes.waiting} requests may wait, and as many do; come back later, or open it with more`,
      );
    const ending = new AbortController();
    let onAdmit = (): void => {};
    const admitted = new Promise<void>((resolve) => (onAdmit = resolve));
    const decode: Decode = (job, g, hooks) => decodeIn(loop())(job, g, { ...hooks, onAdmit });
    const cancel = (reason: unknown = new DOMException("The request was cancelled", "AbortError")): void =>
      ending.abort(reason);
    const abort = (): void => cancel(signal?.reason);
    const refusal = unstreamable(call);
    const buffer = createStreamBuffer<StreamEvent>(cancel, refusal);
    const run = async (): Promise<GenerateResult> => {
      const tokenizer = await (call.g.stop_strings.length ? model.requireTexts() : model.readTexts());
      const hooks = { tokenizer, signal: ending.signal, priority, onStep };
      const streaming = { emit: buffer.emit, wanted: () => buffer.wanted };
      return runCall(core, decode, call, { ...hooks, ...(!refusal && streaming) });
    };
    counts.admitted++;
    cancels.add(cancel);
    signal?.addEventListener("abort", abort);
    if (signal?.aborted) abort();
    const result = keepAlive(() => life.keepAlive(run)).finally(() => {
      cancels.delete(cancel);
      signal?.removeEventListener("abort", abort);
    });
    result.then(
      () => counts.finished++,
      () => (ending.signal.aborted ? counts.cancelled++ : counts.failed++),
    );
    buffer.end(result);
    return { admitted, stream: buffer.stream, result, cancel };
  };

  const dispose = (): void => {
    const gone = new InputError("engine: was disposed of before the request ended; open another");
    for (const cancel of cancels) cancel(gone);
    life.dispose();
  };
  return {
    submit,
    stats() {
      const { running, rows, slots, shared, ...done } = now.loop.counts;
      return {
        ...done,
        waiting: Math.max(0, cancels.size - running),
        running,
        rows: { total: sizes.loop.R, used: rows },
        slots: { total: sizes.loop.Z, used: slots, shared },
        ...counts,
      };
    },
    async idle() {
      while (cancels.size || !now.loop.resting)
        await now.loop.idle().then(() => new Promise((next) => setTimeout(next)));
    },
    forget: () => now.loop.forget(),
    check: () => now.loop.check(),
    dispose,
    [Symbol.asyncDispose]: async () => dispose(),
  };
}

function open(
  core: DecoderCore,
  { loop: sizes, prefixes, chunk }: ReturnType<typeof engineSizes>,
): { readonly state: LoopState; readonly loop: Loop; readonly device: GPUDevice } {
  const state = createLoopState(core, sizes);
  for (const cache of state.pool.past.caches) core.gpu.memory.check(cache);
  return {
    state,
    loop: createLoop(core, state, { prefixes: (slots) => createPrefixes(slots, prefixes), chunk }),
    device: core.gpu.device,
  };
}

/** A request as it was given. Throws OptionError. */
function readRequest(request: EngineRequest): EngineRequest {
  checkObject(OptionError, "engine", request ?? null);
  checkNames(OptionError, "engine", request, ["inputs", "options", "priority", "signal"]);
  const { options, priority, signal } = request;
  checkObject(OptionError, "engine: options", options ?? {});
  checkOption("engine", "signal", signal, SIGNAL);
  if (priority !== undefined && !Number.isFinite(priority))
    throw new OptionError(`engine: priority must be a finite number, got ${show(priority)}`);
  if ("signal" in (options ?? {})) throw new OptionError("engine: signal must be given beside options, not among them");
  return request;
}
