import { checkEncoder, checkForward, checkInputs, decoderCore } from "./arguments.js";
import type { Core, HostTensor } from "./core.js";
import { checkEncoderOptions, type EncoderOutput, encodeRows, ownOutputs } from "./encode/outputs.js";
import type { KeepAlive } from "./lifetime.js";
import type { DecoderCalls, Model } from "./model.js";
import { readSources } from "./sources.js";

/** What any model answers to. */
export function encoderCalls(core: Core, keepAlive: KeepAlive): Pick<Model, "encode"> {
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
  };
}

/** The calls of a model without logits of next tokens: all but `forward` throw InputError. */
export function encoderOnlyCalls(core: Core, keepAlive: KeepAlive): DecoderCalls {
  const { architecture } = core;
  const refuse = (call: string) => () => keepAlive(async () => decoderCore(call, core) as never);
  return {
    generationDefaults: { file: "config.json", options: {}, setAside: {}, unsupported: {} },
    forward: (inputs, options = {}) =>
      keepAlive(async () => {
        checkInputs("forward", inputs);
        checkEncoderOptions("forward", options);
        checkForward(architecture, inputs, options);
        return encodeRows(core, readSources(architecture, inputs), ownOutputs(architecture), options);
      }),
    decoder: refuse("decoder"),
    generate: refuse("generate"),
    async *stream() {
      return yield await refuse("stream")();
    },
    engine: refuse("engine"),
    score: refuse("score"),
    past: refuse("past"),
  };
}
