import type { Json } from "../src/model/checkpoint/checkpoint.js";
import { type GenerationDefaults, readDefaults } from "../src/model/decode/defaults.js";
import { mergeOptions } from "../src/model/decode/option_checks.js";
import { type GenerateOptions, OPTIONS } from "../src/model/decode/options.js";
import { hasRules, resolveOptions, specialTokens } from "../src/model/decode/resolve.js";
import { NO_ID } from "../src/kernels/constants.js";
import { OptionError } from "../src/runtime/errors.js";
import { assert, readFile, refuses, suite } from "./support/harness.js";

const test = suite("options");

const V = 97;
const P = 80;
const CHECKPOINT = { decoder_start_token_id: 96, eos_token_id: 0, pad_token_id: 95 };

/** Options given as a caller without types gives them, for prompts of this width, the longest of so many tokens. */
const settled = (call: Json, defaults: GenerationDefaults, width = 1, longest = width) =>
  resolveOptions(mergeOptions(call, defaults, V), { call, B: 1, P, width, longest });

const defaultsOf = (generationConfig: Json | undefined, config: Json = {}) =>
  readDefaults({ config, generationConfig }, V, P);

const resolved = (call: Json = {}, checkpoint: Json = {}) =>
  settled(call, defaultsOf({ ...CHECKPOINT, ...checkpoint }));

test("the defaults are those of Transformers", () =>
  assert.equal(resolved(), {
    beams: 1,
    n: 1,
    W: 1,
    C: 1,
    shown: 0,
    search: "transformers",
    beamStep: { A: 1, groups: 1, length_penalty: 1, coverage_penalty: 0, diversity_penalty: 0, early_stopping: 1 },
    rules: {
      repetition_penalty: 1,
      presence_penalty: 0,
      no_repeat_ngram_size: 0,
      min_new_tokens: 0,
      forced_eos: NO_ID,
      begin: 0,
      no_timestamps: NO_ID,
      max_initial: NO_ID,
    },
    lists: { end: [0], suppress: [], begin_suppress: [], banned: [] },
    sampling: undefined,
    renormalize: false,
    logits_processor: undefined,
    newTokens: 20,
    forced_bos: [NO_ID],
    pad: 95,
    returned: 1,
    output_scores: false,
    top_logprobs: 0,
    output_attentions: false,
    stop_strings: [],
    ruled: false,
  }));
test("the checkpoint's options hold where the call has none", () => assert.is(resolved({}, { num_beams: 4 }).W, 4));
test("the call's options win over the checkpoint's", () =>
  assert.is(resolved({ num_beams: 2 }, { num_beams: 4 }).W, 2));
test("null in the call switches the checkpoint's option off", () => {
  assert.is(resolved({ num_beams: null }, { num_beams: 4 }).W, 1);
  assert.equal(resolved({ eos_token_id: null }).lists.end, []);
  assert.is(resolved({ forced_eos_token_id: null }, { forced_eos_token_id: 5 }).rules.forced_eos, NO_ID);
  assert.is(resolved({ max_length: null }, { max_length: 7 }).newTokens, 20);
  assert.is(resolved({ do_sample: true, top_k: null }).sampling?.top_k, 0);
});
test("undefined in the call leaves the checkpoint's option", () =>
  assert.is(resolved({ num_beams: undefined }, { num_beams: 4 }).W, 4));
test("null in the checkpoint means unset", () => assert.is(resolved({}, { max_length: null }).newTokens, 20));
test("max_length counts the given tokens", () => assert.is(resolved({ max_length: 10 }).newTokens, 9));
test("max_new_tokens does not count the given tokens", () => assert.is(resolved({ max_new_tokens: 10 }).newTokens, 10));
test("max_new_tokens wins over max_length", () =>
  assert.is(resolved({ max_length: 50, max_new_tokens: 3 }).newTokens, 3));
test("max_new_tokens of the checkpoint wins over max_length of the call", () =>
  assert.is(resolved({ max_length: 50 }, { max_new_tokens: 3 }).newTokens, 3));
test("a list of end ids is kept in order", () => assert.equal(resolved({ eos_token_id: [5, 3] }).lists.end, [5, 3]));
test("without pad_token_id results are padded with the first end id", () =>
  assert.is(resolved({}, { pad_token_id: null, eos_token_id: [7, 8] }).pad, 7));
test("a first token may be forced for each prompt", () => {
  const settle = (forced_bos_token_id: unknown, B: number) =>
    resolveOptions(mergeOptions({ forced_bos_token_id } as never, defaultsOf(CHECKPOINT), V), {
      ...{ call: {}, B, P, width: 1, longest: 1 },
    }).forced_bos;
  assert.equal(settle(5, 3), [5, 5, 5]);
  assert.equal(settle([5, 6, 7], 3), [5, 6, 7]);
  assert.equal(settle(new Uint32Array([5, 6]), 2), [5, 6]);
  assert.throws(
    () => settle([5, 6], 3),
    (error: Error) =>
      error instanceof OptionError &&
      /^generate: forced_bos_token_id must be one id, or one for each of the 3 prompts, got 2$/.test(error.message),
  );
});
test("without end ids results run to the limit", () =>
  assert.equal(resolved({}, { eos_token_id: null }).lists.end, []));
test("bad words that are only an end id are dropped", () =>
  assert.equal(resolved({ bad_words_ids: [[0], [5], [0, 0]] }).lists.banned, [[5], [0, 0]]));
test("the three kinds of early_stopping differ", () =>
  assert.is(
    new Set(
      [true, false, "never"].map((kind) => resolved({ num_beams: 2, early_stopping: kind }).beamStep.early_stopping),
    ).size,
    3,
  ));
test("the last position may be used", () => assert.is(resolved({ max_length: P + 1 }).newTokens, P));

const OFF = {
  eos_token_id: undefined,
  pad_token_id: undefined,
  decoder_start_token_id: undefined,
  bos_token_id: undefined,
};

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

const HOLES = Object.assign([] as unknown[], { length: 2 });
const IDS = "token ids? from 0 to 96";
const RANGES: Readonly<Record<keyof GenerateOptions, readonly [says: string, ...wrong: unknown[]]>> = {
  num_beams: ["a whole number from 1 to 32", 0, 33, 1.5, "4", true, NaN, Infinity, 4n],
  search: ['"transformers" or "opennmt"', "beam", 1, "toString"],
  num_beam_groups: ["a whole number from 1 to 32", 0, 33],
  diversity_penalty: ["a number of at least 0 and below 1e6", -1, NaN],
  num_return_sequences: ["a whole number from 1 to 32", 0, 33, 0.5],
  length_penalty: ["a finite number", "1", NaN, Infinity, [1]],
  early_stopping: ['true, false or "never"', "always", 1],
  patience: ["a number above 0 and at most 32", 0, -1, 33, "1", NaN],
  coverage_penalty: ["a number of at least 0 and below 1e6", -1, 1e6, NaN],
  max_length: ["a whole number of at least 1", 0, -1, 2.5, 2 ** 40],
  max_new_tokens: ["a whole number of at least 1", 0, -1, 2.5, "9"],
  min_length: ["a whole number of at least 0", -1, 0.5],
  min_new_tokens: ["a whole number of at least 0", -1, 0.5],
  repetition_penalty: ["a number from 1e-30 to 1e6", 0, 1e7, -1, NaN, Infinity, "2", 1e-46, 5e-324],
  return_alternatives: ["true or false", 1, "true"],
  min_alternative_expansion_prob: ["a number of at least 0 and at most 1", -0.1, 1.1, "0.5", NaN],
  presence_penalty: ["a number from -1e6 to 1e6", "1", NaN, Infinity, 1e39, 1e308],
  no_repeat_ngram_size: ["a whole number of at least 0", -1, 1.5],
  bad_words_ids: [`a list of non-empty lists of ${IDS}`, 5, [5], [[]], [[V]], [[1.5]], HOLES, [HOLES]],
  suppress_tokens: [`a list of ${IDS}`, 5, [V], [-1], ["5"], HOLES],
  begin_suppress_tokens: [`a list of ${IDS}`, 5, [V], [-1], [5, ...HOLES]],
  return_timestamps: ["true or false", 1, "word"],
  no_timestamps_token_id: [`a ${IDS}`, V, -1],
  max_initial_timestamp_index: ["a whole number of at least 0", -1, 0.5],
  forced_bos_token_id: [`a ${IDS}, or a list of one for each prompt`, V, -1, 0.5, [], [V], [5.5], HOLES],
  forced_eos_token_id: [`a ${IDS}`, V, -1, 0.5, [5]],
  eos_token_id: [`a ${IDS}, or a list of them`, V, -1, [], [V], "0", HOLES],
  pad_token_id: [`a ${IDS}`, V, -1],
  decoder_start_token_id: [`a ${IDS}, or a list of one for each prompt`, V, -1, [], [V], HOLES],
  bos_token_id: [`a ${IDS}`, V, -1],
  renormalize_logits: ["true or false", 1, "true"],
  do_sample: ["true or false", 1, "true"],
  temperature: ["a number from 1e-30 to 1e6", 0, -1, "1", 1e-46, 5e-324],
  top_k: ["a whole number of at least 0", -1, 0.5],
  top_p: ["a number from 1e-30 to 1", 0, 1.1, "1", 1e-46],
  min_p: ["a number of at least 0 and at most 1", -0.1, 1.1],
  seed: ["a whole number from 0 to 4294967295", -1, 0.5, 2 ** 32],
  output_scores: ["true or false", 1],
  top_logprobs: ["a whole number from 0 to 128", -1, 129, 2.5, true],
  output_attentions: ["true or false", 1],
  stop_strings: ["a text or a list of texts, none empty", 5, "", ["a", ""], [5], HOLES],
  logits_processor: ["a function of ids and scores", 5, "softmax"],
};
const shownAs = (value: unknown): string => {
  if (typeof value === "bigint") return `${value}n`;
  return typeof value === "number" ? String(value) : JSON.stringify(value);
};
for (const [key, [says, ...wrong]] of Object.entries(RANGES)) {
  for (const value of wrong) {
    const shown = shownAs(value);
    const escaped = shown.replace(/[[\]+]/g, "\\$&");
    refusesOptions(
      `${key}: ${shown}, with its rule`,
      { [key]: value },
      new RegExp(`^generate: ${key} must be ${says}, got ${escaped}$`),
    );
  }
}

refusesOptions(
  "an unknown option, naming the nearest that is known",
  { num_beam: 4 },
  /^generate: num_beam is not supported; did you mean num_beams\?$/,
);
refusesOptions(
  "an option of Transformers that is not supported",
  { guidance_scale: 3 },
  /^generate: guidance_scale is not supported, got 3; leave it out$/,
);
test("an option that is not supported may be given as it does nothing", () =>
  assert.equal(resolved({ guidance_scale: 1, typical_p: null }), resolved()));
for (const call of [
  { length_penalty: 2 },
  { early_stopping: true },
  { early_stopping: "never" },
  { search: "opennmt" },
  { patience: 2 },
  { coverage_penalty: 0.2 },
])
  refusesOptions(
    `${JSON.stringify(call)} without beams`,
    call,
    /^generate: (search|length_penalty|coverage_penalty|early_stopping|patience) acts only with num_beams above 1, which is 1$/,
  );
test("what acts with beams alone may be given as it is by default, or by the checkpoint", () =>
  assert.equal(resolved({ length_penalty: 1, early_stopping: false }, { early_stopping: true }), resolved()));
test("OpenNMT's search has no length penalty but that of the call", () => {
  const call = { search: "opennmt", num_beams: 2 };
  const checkpoint = { length_penalty: 2, early_stopping: "never", search: "opennmt" };
  const { length_penalty, early_stopping } = resolved(call, checkpoint).beamStep;
  assert.equal([length_penalty, early_stopping], [0, 0]);
  assert.is(resolved({ ...call, length_penalty: 0.6 }, checkpoint).beamStep.length_penalty, 0.6);
  assert.is(resolved({ ...call, length_penalty: null }, checkpoint).beamStep.length_penalty, 0);
  assert.is(resolved({ num_beams: 2 }, checkpoint).search, "transformers");
});
test("a search keeps num_beams * patience hypotheses, and at least one", () => {
  const kept = (patience: number) => resolved({ num_beams: 3, patience }).beamStep.A;
  assert.equal([0.1, 0.5, 1, 1.5, 2].map(kept), [1, 2, 3, 5, 6]);
});
refusesOptions(
  "more results than patience leaves",
  { num_beams: 4, patience: 0.5, num_return_sequences: 3 },
  /^generate: num_return_sequences must be at most 2 with num_beams=4 and patience=0.5, got 3; raise patience$/,
);
for (const other of [{ search: "opennmt" }, { num_beam_groups: 2, diversity_penalty: 1 }])
  refusesOptions(
    `patience with ${JSON.stringify(other)}`,
    { num_beams: 4, patience: 2, ...other },
    /^generate: patience acts only with search: "transformers" and num_beam_groups 1, got (opennmt and 1|transformers and 2);/,
  );
refusesOptions(
  "coverage in Transformers' search",
  { num_beams: 4, coverage_penalty: 0.2 },
  /^generate: coverage_penalty acts only with search: "opennmt", which is not set$/,
);
refusesOptions(
  "groups in OpenNMT's search",
  { search: "opennmt", num_beams: 4, num_beam_groups: 2, diversity_penalty: 1 },
  /^generate: num_beam_groups must be 1 with search: "opennmt", got 2;/,
);
refusesOptions(
  "an end of OpenNMT's search",
  { search: "opennmt", num_beams: 4, early_stopping: true },
  /^generate: early_stopping acts only with search: "transformers"; "opennmt" ends when all beams have ended$/,
);
refusesOptions(
  "a length_penalty whose powers no f32 holds",
  { num_beams: 2, length_penalty: -1000, max_new_tokens: 6 },
  /^generate: length_penalty must be from -30 to 30 for 6 new tokens, got -1000$/,
);
test("timestamps are the ids above no_timestamps_token_id, with a limit to the first if there is one", () => {
  const whisper = { no_timestamps_token_id: 50, max_initial_timestamp_index: 5 };
  const rules = resolved({ return_timestamps: true }, whisper).rules;
  assert.equal([rules.no_timestamps, rules.max_initial], [50, 5]);
  const call = { return_timestamps: true, max_initial_timestamp_index: null };
  assert.is(resolved(call, whisper).rules.max_initial, NO_ID);
  assert.not(hasRules(resolved({}, whisper)));
});
refusesOptions(
  "timestamps without the id that bans them",
  { return_timestamps: true },
  /^generate: return_timestamps must be false without no_timestamps_token_id; Whisper's generation_config/,
);
refusesOptions(
  "timestamps without an end id",
  { return_timestamps: true, no_timestamps_token_id: 50, eos_token_id: null },
  /^generate: return_timestamps must be false without eos_token_id/,
);
refusesOptions(
  "a forced token that is suppressed",
  { forced_eos_token_id: 5, suppress_tokens: [4, 5] },
  /^generate: suppress_tokens must not hold forced_eos_token_id=5, which is forced; drop one of them$/,
);
refusesOptions(
  "a forced first token that is suppressed",
  { forced_bos_token_id: 5 },
  /^generate: suppress_tokens must not hold forced_bos_token_id=5/,
  { suppress_tokens: [5] },
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
test("min_length counts the prompt", () =>
  assert.is(settled({ min_length: 9 }, defaultsOf(CHECKPOINT), 4).rules.min_new_tokens, 5));
test("min_new_tokens wins over min_length", () =>
  assert.is(settled({ min_length: 14, min_new_tokens: 2 }, defaultsOf(CHECKPOINT), 5).rules.min_new_tokens, 2));

test("without a length 20 tokens are generated, or fewer where the positions end", () => {
  for (const [width, count] of [
    [1, 20],
    [30, 20],
    [60, 20],
    [70, 10],
    [79, 1],
    [80, 1],
  ])
    assert.is(settled({}, defaultsOf(CHECKPOINT), width).newTokens, count);
});
test("columns of padding are no positions", () => {
  assert.is(settled({}, defaultsOf(CHECKPOINT), 96, 3).newTokens, 20);
  assert.is(settled({ max_new_tokens: 78 }, defaultsOf(CHECKPOINT), 96, 3).newTokens, 78);
  assert.is(settled({ max_length: 100 }, defaultsOf(CHECKPOINT), 96, 3).newTokens, 4);
});
test("a length of the checkpoint ends where the positions end", () => {
  assert.is(settled({}, defaultsOf({ max_length: 512 }), 4).newTokens, P - 4);
  assert.is(settled({}, defaultsOf({ max_new_tokens: 512 }), 4).newTokens, P - 4);
  assert.is(defaultsOf({ max_length: 512 }).options.max_length, P);
});

test("without generation_config.json the options of config.json hold", () => {
  const config = {
    model_type: "marian",
    eos_token_id: 7,
    decoder_start_token_id: 3,
    num_beams: 4,
    vocab_size: V,
    seed: 5,
    max_position_embeddings: P,
  };
  const { file, options, setAside } = defaultsOf(undefined, config);
  assert.is(file, "config.json");
  assert.equal(options, { eos_token_id: 7, decoder_start_token_id: 3, num_beams: 4, forced_eos_token_id: 0 });
  assert.equal(Object.keys(setAside), ["pad_token_id"]); // 58100, which Transformers fills in
  assert.equal(defaultsOf({}, config).options, {});
});
test("a bos_token_id is the start token where there is no other", () => {
  const { start } = specialTokens(mergeOptions({ decoder_start_token_id: null }, defaultsOf({ bos_token_id: 3 }), V));
  assert.is(start, 3);
  assert.is(specialTokens({ ...OFF, bos_token_id: 4 }).start, 4);
  assert.is(specialTokens({ ...OFF, bos_token_id: 4, decoder_start_token_id: 5 }).start, 5);
});

const SET_ASIDE: Readonly<Record<string, unknown>> = {
  pad_token_id: -1,
  eos_token_id: -1,
  decoder_start_token_id: V,
  forced_bos_token_id: 1e9,
  bad_words_ids: [[V]],
  suppress_tokens: [-1],
  chat_format: "chatml",
  max_window_size: 24000,
  guidance_scale: 1,
  token_healing: false,
  typical_p: 1,
  penalty_alpha: 0,
  cache_implementation: "hybrid",
  output_attentions: true,
  return_dict_in_generate: true,
  seed: 7,
  presence_penalty: 1.5,
};
for (const [name, value] of Object.entries(SET_ASIDE))
  test(`a checkpoint's ${name}: ${JSON.stringify(value)} is set aside, readably`, () => {
    const { options, setAside, unsupported } = defaultsOf({ [name]: value });
    assert.equal([options, unsupported], [{}, {}]);
    assert.equal(Object.keys(setAside), [name]);
  });
test("of a list, the ids that the vocabulary has are kept", () => {
  const { options, setAside } = defaultsOf({ eos_token_id: [5, -1, V], bad_words_ids: [[1, V], [2]] });
  assert.equal(options, { eos_token_id: [5], bad_words_ids: [[2]] });
  assert.equal(Object.keys(setAside), ["eos_token_id", "bad_words_ids"]);
});
const UNSUPPORTED: Readonly<Record<string, unknown>> = {
  guidance_scale: 3,
  encoder_repetition_penalty: 1.2,
  sequence_bias: [[[5], 2]],
  num_beams: 99,
  repetition_penalty: 0,
  no_repeat_ngram_size: -1,
};
for (const [name, value] of Object.entries(UNSUPPORTED)) {
  const said = new RegExp(`^generation_config\\.json: ${name} .*; give ${name} in the call, null switches it off$`);
  test(`a checkpoint's ${name}: ${JSON.stringify(value)} must be overridden by each call`, async () => {
    const defaults = defaultsOf({ [name]: value });
    await refuses(() => settled({}, defaults), OptionError, said);
    assert.equal(settled({ [name]: null }, defaults), settled({}, defaultsOf({})));
  });
}
test("a checkpoint's temperature of 0 matters when tokens are drawn", async () => {
  const defaults = defaultsOf({ temperature: 0, typical_p: 0.9 });
  settled({}, defaults);
  await refuses(
    () => settled({ do_sample: true }, defaults),
    OptionError,
    /^generation_config\.json: temperature must/,
  );
  await refuses(
    () => settled({ do_sample: true, temperature: 1 }, defaults),
    OptionError,
    /^generation_config\.json: typical_p is not supported, got 0\.9/,
  );
  settled({ do_sample: true, temperature: 1, typical_p: 1 }, defaults);
});
refusesOptions(
  "a value out of range in generation_config.json, naming the file",
  {},
  /^generation_config\.json: num_beams must be .* got 99; give num_beams in the call, null switches it off$/,
  { num_beams: 99 },
);
refusesOptions(
  "an unsupported value in generation_config.json, naming the file",
  {},
  /^generation_config\.json: encoder_no_repeat_ngram_size is not supported/,
  { encoder_no_repeat_ngram_size: 2 },
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
