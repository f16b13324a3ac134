import { checkObject, checkOption, SIGNAL } from "../runtime/checks.js";
import { OptionError } from "../runtime/errors.js";
import { checkEncoder, checkForward, checkInputs, decoderCore } from "./arguments.js";
import type { Checkpoint } from "./checkpoint/checkpoint.js";
import type { Core, HostTensor } from "./core.js";
import { createDecoder } from "./decode/decoder.js";
import type { GenerationDefaults } from "./decode/defaults.js";
import { forwardRows } from "./decode/forward_rows.js";
import { type GenerateResult, planCall, runCall } from "./decode/generate.js";
import { openPast } from "./decode/past.js";
import { score } from "./decode/score.js";
import { streamed, type StreamEvent } from "./decode/stream.js";
import { checkEncoderOptions, type EncoderOutput, encodeRows, ownOutputs } from "./encode/outputs.js";
import type { KeepAlive } from "./lifetime.js";
import type { CallOptions, Model } from "./model.js";
import { readAttended, readRows, readSources } from "./sources.js";
import { requireTokenizer, type Tokenizer } from "./text/tokenizer.js";

/** The calls of a model that has an encoder. */
export function encoderCalls(core: Core, keepAlive: KeepAlive): Pick<Model, "encode" | "forward"> {
  const { architecture } = core;
  return {
    encode: (inputs, options = {}) =>
      keepAlive(async () => {
        checkEncoder("encode", architecture);
        checkInputs("encode", inputs);
        checkEncoderOptions("encode", options);
        const wanted = { last_hidden_state: true };
        const output = await encodeRows(core, readSources(architecture, inputs), wanted, options);
        return output as EncoderOutput & { last_hidden_state: HostTensor };
      }),
    forward: (inputs, options = {}) =>
      keepAlive(async () => {
        checkInputs("forward", inputs);
        checkEncoderOptions("forward", options);
        checkForward(architecture, inputs, options);
        if (!architecture.decoder)
          return encodeRows(core, readSources(architecture, inputs), ownOutputs(architecture), options);
        return forwardRows(decoderCore("forward", core), inputs, options);
      }),
  };
}

/** The calls of a model that has a decoder. `readTexts` gives its tokenizer. */
export function decoderCalls(
  core: Core,
  checkpoint: Checkpoint,
  defaults: GenerationDefaults,
  readTexts: () => Promise<Tokenizer | undefined>,
  keepAlive: KeepAlive,
): Pick<Model, "decoder" | "generate" | "stream" | "score" | "past"> {
  const { architecture } = core;
  return {
    decoder: (inputs, options) =>
      keepAlive(async () => {
        checkEncoder("decoder", architecture);
        checkInputs("decoder", inputs);
        const { sources } = readAttended(architecture, inputs);
        return createDecoder(decoderCore("decoder", core), sources, options ?? {}, keepAlive);
      }),
    generate: (inputs, given = {}) =>
      keepAlive(async () => {
        const decoding = decoderCore("generate", core);
        const { signal, ...options } = readCallOptions("generate", given);
        const call = planCall(decoding, defaults, inputs, options);
        const tokenizer = call.g.stop_strings.length ? requireTokenizer(checkpoint, await readTexts()) : undefined;
        return runCall(decoding, call, { tokenizer, signal });
      }),
    async *stream(inputs, given = {}) {
      const decoding = decoderCore("stream", core);
      const { signal, ...options } = readCallOptions("stream", given);
      const call = planCall(decoding, defaults, inputs, options);
      const tokenizer = await readTexts();
      if (call.g.stop_strings.length) requireTokenizer(checkpoint, tokenizer);
      return yield* streamed<StreamEvent, GenerateResult>(
        (emit, signal) => keepAlive(() => runCall(decoding, call, { tokenizer, signal, emit })),
        signal,
      );
    },
    score: (inputs, targets) =>
      keepAlive(async () => {
        const decoding = decoderCore("score", core);
        checkInputs("score", inputs);
        return score(decoding, defaults, inputs ?? {}, readRows(architecture, "targets", targets).ids);
      }),
    past: (inputs, options = {}) =>
      keepAlive(async () => {
        checkInputs("past", inputs);
        return openPast(decoderCore("past", core), inputs, options, keepAlive);
      }),
  };
}

/** The options of a call, which `planCall` checks. Throws OptionError when they are none, or for a wrong signal. */
function readCallOptions(call: string, given: CallOptions): CallOptions {
  checkObject(OptionError, call, given);
  checkOption(call, "signal", given.signal, SIGNAL);
  return given;
}
