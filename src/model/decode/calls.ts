import { CALLBACK, checkObject, checkOption, SIGNAL } from "../../runtime/checks.js";
import { OptionError } from "../../runtime/errors.js";
import { checkEncoder, checkForward, checkInputs } from "../arguments.js";
import type { Checkpoint } from "../checkpoint/checkpoint.js";
import type { DecoderCore } from "../core.js";
import { checkEncoderOptions } from "../encode/outputs.js";
import type { KeepAlive } from "../lifetime.js";
import type { CallOptions, DecoderCalls } from "../model.js";
import { readAttended, readRows } from "../sources.js";
import { requireTokenizer } from "../text/checks.js";
import type { Tokenizer } from "../text/tokenizer.js";
import { decodeAlone } from "../loop/decode.js";
import { createDecoder } from "./decoder.js";
import { readDefaults } from "./defaults.js";
import { forwardRows } from "./forward_rows.js";
import { type CallHooks, type GenerateResult, planCall, runCall } from "./generate.js";
import type { GenerateInputs } from "./job.js";
import { openPast } from "./past.js";
import { planRows, type RowOptions, runRows } from "./row_options.js";
import { score } from "./score.js";
import { streamed, type StreamEvent } from "./stream.js";

interface Planned {
  readonly stops: boolean;
  readonly start: (hooks: CallHooks) => Promise<GenerateResult>;
}

/** The calls of a model that has a decoder. `readTexts` gives its tokenizer. */
export function decoderCalls(
  core: DecoderCore,
  checkpoint: Checkpoint,
  readTexts: () => Promise<Tokenizer | undefined>,
  keepAlive: KeepAlive,
): DecoderCalls {
  const { architecture } = core;
  const decode = decodeAlone(core);
  const defaults = readDefaults(checkpoint, architecture.V, architecture.decoder.P);
  /** A call that is checked: whether it may end at a stop string, and what starts it. */
  const planned = (inputs: GenerateInputs, options: RowOptions): Planned => {
    if (options.row_options === undefined) {
      const call = planCall(core, defaults, inputs, options);
      return { stops: call.g.stop_strings.length > 0, start: (hooks) => runCall(core, decode, call, hooks) };
    }
    const calls = planRows(core, defaults, inputs, options);
    const stops = calls.some(({ g }) => g.stop_strings.length > 0);
    return { stops, start: (hooks) => runRows(core, calls, hooks) };
  };
  return {
    generationDefaults: defaults,
    decoder: (inputs, options) =>
      keepAlive(async () => {
        checkEncoder("decoder", architecture);
        checkInputs("decoder", inputs);
        const { sources } = readAttended(architecture, inputs);
        return createDecoder(core, sources, options ?? {}, keepAlive);
      }),
    forward: (inputs, options = {}) =>
      keepAlive(async () => {
        checkInputs("forward", inputs);
        checkEncoderOptions("forward", options);
        checkForward(architecture, inputs, options);
        return forwardRows(core, inputs, options);
      }),
    generate: (inputs, given = {}) =>
      keepAlive(async () => {
        const { signal, onStep, ...options } = readCallOptions("generate", given);
        const run = planned(inputs, options);
        const tokenizer = run.stops ? requireTokenizer(checkpoint, await readTexts()) : undefined;
        return run.start({ tokenizer, signal, onStep });
      }),
    async *stream(inputs, given = {}) {
      const { signal, onStep, ...options } = readCallOptions("stream", given);
      const run = planned(inputs, options);
      const tokenizer = await readTexts();
      if (run.stops) requireTokenizer(checkpoint, tokenizer);
      return yield* streamed<StreamEvent, GenerateResult>(
        (emit, signal) => keepAlive(() => run.start({ tokenizer, signal, emit, onStep })),
        signal,
      );
    },
    score: (inputs, targets) =>
      keepAlive(async () => {
        checkInputs("score", inputs);
        return score(core, defaults, inputs ?? {}, readRows(architecture, "targets", targets).ids);
      }),
    engine: (options = {}) =>
      keepAlive(async () => {
        const requireTexts = async (): Promise<Tokenizer> => requireTokenizer(checkpoint, await readTexts());
        const { openEngine } = await import("../loop/engine.js");
        return openEngine({ core, defaults, readTexts, requireTexts }, options, keepAlive);
      }),
    past: (inputs, options = {}) =>
      keepAlive(async () => {
        checkInputs("past", inputs);
        return openPast(core, inputs, options, keepAlive);
      }),
  };
}

/** The options of a call, which `planCall` checks. Throws OptionError when they are none, or for a wrong signal or hook. */
function readCallOptions(call: string, given: CallOptions): CallOptions {
  checkObject(OptionError, call, given);
  checkOption(call, "signal", given.signal, SIGNAL);
  checkOption(call, "onStep", given.onStep, CALLBACK);
  return given;
}
