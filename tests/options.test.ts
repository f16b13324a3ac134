import type { Json } from "../src/model/checkpoint/checkpoint.js";
import { type GenerateOptions, OPTIONS } from "../src/model/decode/options.js";
import { hasRules, resolveOptions } from "../src/model/decode/resolve.js";
import { NO_ID } from "../src/kernels/constants.js";
import { OptionError } from "../src/runtime/errors.js";
import { assert, readFile, refuses, suite } from "./support/harness.js";

const test = suite("options");

const V = 97;
const P = 80;
const CHECKPOINT = { decoder_start_token_id: 96, eos_token_id: 0, pad_token_id: 95 };

/** Resolves options given as a caller without types gives them. */
const resolved = (call: Json = {}, checkpoint: Json = {}) =>
  resolveOptions({ call, checkpoint: { ...CHECKPOINT, ...checkpoint }, V, P, given: 1 });

test("the defaults are those of Transformers", () =>
  assert.equal(resolved(), {
    beams: 1,
    n: 1,
    W: 1,
    C: 1,
    beamStep: { groups: 1, length_penalty: 1, diversity_penalty: 0, early_stopping: 1 },
    rules: {
      repetition_penalty: 1,
      presence_penalty: 0,
      no_repeat_ngram_size: 0,
      min_new_tokens: 0,
      forced_bos: NO_ID,
      forced_eos: NO_ID,
      begin: 0,
    },
    lists: { end: [0], suppress: [], begin_suppress: [], banned: [] },
    sampling: undefined,
    renormalize: false,
    logits_processor: undefined,
    newTokens: 19,
    start: 96,
    pad: 95,
    returned: 1,
    output_scores: false,
    stop_strings: [],
  }));
test("the checkpoint's options hold where the call has none", () => assert.is(resolved({}, { num_beams: 4 }).W, 4));
test("the call's options win over the checkpoint's", () =>
  assert.is(resolved({ num_beams: 2 }, { num_beams: 4 }).W, 2));
test("null in the call leaves the checkpoint's option", () =>
  assert.is(resolved({ num_beams: null }, { num_beams: 4 }).W, 4));
test("undefined in the call leaves the checkpoint's option", () =>
  assert.is(resolved({ num_beams: undefined }, { num_beams: 4 }).W, 4));
test("null in the checkpoint means unset", () => assert.is(resolved({}, { max_length: null }).newTokens, 19));
test("max_length counts the given tokens", () => assert.is(resolved({ max_length: 10 }).newTokens, 9));
test("max_new_tokens does not count the given tokens", () => assert.is(resolved({ max_new_tokens: 10 }).newTokens, 10));
test("max_new_tokens wins over max_length", () =>
  assert.is(resolved({ max_length: 50, max_new_tokens: 3 }).newTokens, 3));
test("max_new_tokens of the checkpoint wins over max_length of the call", () =>
  assert.is(resolved({ max_length: 50 }, { max_new_tokens: 3 }).newTokens, 3));
test("a list of end ids is kept in order", () => assert.equal(resolved({ eos_token_id: [5, 3] }).lists.end, [5, 3]));
test("without pad_token_id results are padded with the first end id", () =>
  assert.is(resolved({}, { pad_token_id: null, eos_token_id: [7, 8] }).pad, 7));
test("without end ids results run to the limit", () =>
  assert.equal(resolved({}, { eos_token_id: null }).lists.end, []));
test("bad words that are only an end id are dropped", () =>
  assert.equal(resolved({ bad_words_ids: [[0], [5], [0, 0]] }).lists.banned, [[5], [0, 0]]));
test("early_stopping does not matter to greedy search", () =>
  assert.equal(resolved({ early_stopping: "never" }).beamStep, resolved().beamStep));
test("the three kinds of early_stopping differ", () =>
  assert.is(
    new Set(
      [true, false, "never"].map((kind) => resolved({ num_beams: 2, early_stopping: kind }).beamStep.early_stopping),
    ).size,
    3,
  ));
test("the last position may be used", () => assert.is(resolved({ max_length: P + 1 }).newTokens, P));

const INERT = {
  _from_model_config: true,
  transformers_version: "5.18.0",
  use_cache: true,
  bos_token_id: null,
  return_dict_in_generate: false,
  num_beam_groups: 1,
  diversity_penalty: 0,
  temperature: 1,
  top_k: 50,
  top_p: 1,
  output_attentions: false,
  output_hidden_states: false,
  output_scores: false,
  typical_p: 1,
  remove_invalid_values: false,
};
for (const [key, value] of Object.entries(INERT)) {
  test(`generation_config.json may hold ${key}: ${JSON.stringify(value)}, which changes nothing`, () =>
    assert.equal(resolved({}, { [key]: value }), resolved()));
}

const refusesOptions = (name: string, call: Json, message: RegExp, checkpoint = {}): void =>
  test(`refuses ${name}`, () => refuses(() => resolved(call, checkpoint), OptionError, message));

const IDS = "token ids? from 0 to 96";
const RANGES: Readonly<Record<keyof GenerateOptions, readonly [says: string, ...wrong: unknown[]]>> = {
  num_beams: ["a whole number from 1 to 32", 0, 33, 1.5, "4", true, NaN, Infinity, 4n],
  num_beam_groups: ["a whole number from 1 to 32", 0, 33],
  diversity_penalty: ["a number of at least 0 and below 1e6", -1, NaN],
  num_return_sequences: ["a whole number from 1 to 32", 0, 33, 0.5],
  length_penalty: ["a finite number", "1", NaN, Infinity, [1]],
  early_stopping: ['true, false or "never"', "always", 1],
  max_length: ["a whole number of at least 1", 0, -1, 2.5, 2 ** 40],
  max_new_tokens: ["a whole number of at least 1", 0, -1, 2.5, "9"],
  min_length: ["a whole number of at least 0", -1, 0.5],
  min_new_tokens: ["a whole number of at least 0", -1, 0.5],
  repetition_penalty: ["a number above 0 and below 1e6", 0, 1e6, -1, NaN, Infinity, "2"],
  presence_penalty: ["a finite number", "1", NaN, Infinity],
  no_repeat_ngram_size: ["a whole number of at least 0", -1, 1.5],
  bad_words_ids: [`a list of non-empty lists of ${IDS}`, 5, [5], [[]], [[V]], [[1.5]]],
  suppress_tokens: [`a list of ${IDS}`, 5, [V], [-1], ["5"]],
  begin_suppress_tokens: [`a list of ${IDS}`, 5, [V], [-1]],
  forced_bos_token_id: [`a ${IDS}`, V, -1, 0.5, [5]],
  forced_eos_token_id: [`a ${IDS}`, V, -1, 0.5, [5]],
  eos_token_id: [`a ${IDS}, or a list of them`, V, -1, [], [V], "0"],
  pad_token_id: [`a ${IDS}`, V, -1],
  decoder_start_token_id: [`a ${IDS}`, V, -1],
  renormalize_logits: ["true or false", 1, "true"],
  do_sample: ["true or false", 1, "true"],
  temperature: ["a number above 0 and below 1e6", 0, -1, "1"],
  top_k: ["a whole number of at least 0", -1, 0.5],
  top_p: ["a number above 0 and at most 1", 0, 1.1, "1"],
  min_p: ["a number of at least 0 and at most 1", -0.1, 1.1],
  seed: ["a whole number from 0 to 4294967295", -1, 0.5, 2 ** 32],
  output_scores: ["true or false", 1],
  stop_strings: ["a text or a list of texts, none empty", 5, "", ["a", ""], [5]],
  logits_processor: ["a function of ids and scores", 5, "softmax"],
};
const shownAs = (value: unknown): string => {
  if (typeof value === "bigint") return `${value}n`;
  return typeof value === "number" ? String(value) : JSON.stringify(value);
};
for (const [key, [says, ...wrong]] of Object.entries(RANGES)) {
  for (const value of wrong) {
    const shown = shownAs(value);
    const escaped = shown.replace(/[[\]]/g, "\\$&");
    refusesOptions(
      `${key}: ${shown}, with its rule`,
      { [key]: value },
      new RegExp(`^generate: ${key} must be ${says}, got ${escaped}$`),
    );
  }
}

refusesOptions(
  "an unknown option, naming it and those known",
  { num_beam: 4 },
  /^generate: num_beam is not supported; supported are num_beams, /,
);
refusesOptions(
  "an option that only JavaScript's objects know",
  { constructor: 4 },
  /^generate: constructor is not supported/,
);
refusesOptions(
  "a sampling option without do_sample",
  { top_k: 50 },
  /^generate: top_k acts only with do_sample: true, which is not set$/,
);
refusesOptions("sampling with beams", { do_sample: true, num_beams: 2 }, /num_beams must be 1 with do_sample, got 2/);
test("a checkpoint may sample by default", () => {
  const { sampling } = resolved({ seed: 7 }, { do_sample: true, temperature: 0.6, top_p: 0.9 });
  assert.equal(sampling, { temperature: 0.6, top_k: 50, top_p: 0.9, min_p: 0, seed: 7 });
});
test("sampling draws num_return_sequences of a prompt", () =>
  assert.is(resolved({ do_sample: true, num_return_sequences: 3 }).n, 3));
test("each call without a seed draws its own", () =>
  assert.is.not(resolved({ do_sample: true }).sampling?.seed, resolved({ do_sample: true }).sampling?.seed));
test("without an encoder no start token is needed", () =>
  assert.is(
    resolveOptions({ call: {}, checkpoint: { eos_token_id: 0 }, V, P, given: 4, decoderOnly: true }).newTokens,
    16,
  ));
test("min_length counts the prompt", () =>
  assert.is(
    resolveOptions({ call: { min_length: 9 }, checkpoint: CHECKPOINT, V, P, given: 4 }).rules.min_new_tokens,
    5,
  ));
refusesOptions(
  "a value out of range in generation_config.json, naming the file",
  {},
  /^generation_config\.json: num_beams must be .* got 99$/,
  { num_beams: 99 },
);
refusesOptions(
  "an unsupported value in generation_config.json, naming the file",
  {},
  /^generation_config\.json: typical_p is not supported/,
  { typical_p: 0.5 },
);
refusesOptions(
  "groups that do not divide the beams",
  { num_beams: 4, num_beam_groups: 3, diversity_penalty: 1 },
  /num_beam_groups must divide num_beams=4, got 3/,
);
refusesOptions("groups without a penalty", { num_beams: 4, num_beam_groups: 2 }, /go together, got 2 and 0/);
refusesOptions("a penalty without groups", { num_beams: 4, diversity_penalty: 1 }, /go together, got 1 and 1/);
refusesOptions(
  "an unsupported option in generation_config.json, naming the file",
  {},
  /^generation_config\.json: guidance_scale is not supported/,
  { guidance_scale: 3 },
);
refusesOptions(
  "more results than beams, with the cure",
  { num_beams: 2, num_return_sequences: 3 },
  /num_return_sequences must be at most num_beams=2, got 3; raise num_beams or set do_sample$/,
);
refusesOptions(
  "a limit that leaves no token, with the cure",
  { max_length: 1 },
  /max_length must be above the 1 given tokens, got 1; raise it or give max_new_tokens$/,
);
refusesOptions(
  "max_length beyond the position table, with the cure",
  { max_length: 82 },
  /max_length must leave at most 80 positions .*got 81; lower it to 81$/,
);
refusesOptions(
  "max_new_tokens beyond the position table, with the cure",
  { max_new_tokens: 81 },
  /max_new_tokens must leave at most 80 positions .*got 81; lower it to 80$/,
);
refusesOptions("a missing start token", {}, /decoder_start_token_id must be given, by the checkpoint or by the call$/, {
  decoder_start_token_id: null,
});
const ENDS = Array.from({ length: V }, (_, id) => id);
refusesOptions(
  "more beams than the end ids leave room for",
  { num_beams: 32, eos_token_id: ENDS },
  /num_beams must be at most 31 with 97 end ids, got 32$/,
);
test("the most beams go with nearly any number of end ids", () =>
  assert.is(resolved({ num_beams: 32, eos_token_id: ENDS.slice(1) }).C, 128));

for (const [name, call] of Object.entries({
  "bad words": { bad_words_ids: [[5]] },
  suppress_tokens: { suppress_tokens: [5] },
  begin_suppress_tokens: { begin_suppress_tokens: [5] },
  forced_bos_token_id: { forced_bos_token_id: 0 },
  forced_eos_token_id: { forced_eos_token_id: 0 },
  min_length: { min_length: 2 },
  min_new_tokens: { min_new_tokens: 1 },
  repetition_penalty: { repetition_penalty: 0.9 },
  no_repeat_ngram_size: { no_repeat_ngram_size: 1 },
}))
  test(`${name} is a rule on the scores`, () => assert.is(hasRules(resolved(call)), true));
test("without rules no launch is spent on them", () =>
  assert.is(hasRules(resolved({ num_beams: 4, length_penalty: 2 })), false));

test("the documentation of each option ends with its default, and only there", async () => {
  const text = new TextDecoder().decode(await readFile("src/model/decode/options.ts"));
  const documented = [...text.matchAll(/\/\*\*((?:(?!\*\/)[^])*)\*\/\s+(\w+): option\((?:.*), (.*), "\w+"\),/g)];
  assert.equal(
    documented.map(([, , name]) => name),
    Object.keys(OPTIONS),
  );
  for (const [, doc, name, preset] of documented) {
    const told = doc.match(/ Default (\S+)\.\s*$/)?.[1];
    assert.is(told ?? "none", /undefined|\[\]/.test(preset) ? "none" : preset, name);
  }
});
