import { logitsProcess } from "../src/kernels/index.js";
import { args, values } from "./logits_process.args.js";
import { checkKernel, f32, type Mutants, u32 } from "./support/kernel.js";

const all = {
  end: 1,
  suppress: 1,
  begin_suppress: 1,
  banned: 1,
  ngram: 2,
  min_new: 30,
  penalty: 1.3,
  presence: 0.375,
};

/** Sentences of 15 and more tokens, 3 of them given; ids from 20 on are timestamps. */
const times = { B: 13, W: 3, V: 40, M: 60, position: 14, start: 3, end: 12, no_timestamps: 19 };

/** Faults that the texts of all variants can have. */
const mutants: Mutants = {
  "penalties that overflow": [
    "a repetition penalty beyond f32",
    (wgsl) => wgsl.replace("-LOWEST, bits == 0x7f800000u), overflows)", "-LOWEST, bits == 0x7f800000u), false)"),
  ],
  "the table of the other parity": [
    "banned sequences",
    (wgsl) => wgsl.replace("+ (position & 1u)", "+ ((position + 1u) & 1u)"),
  ],
  "a past that ignores the indirection": [
    "banned sequences",
    (wgsl) => wgsl.replace("history[indirection[s.table + t]]", "history[t]"),
  ],
  "a token that is not recorded": [
    "history through the indirection, even",
    (wgsl) => wgsl.replace("history[indirection[s.table + s.position]] = s.id;", ""),
  ],
  "a penalty that rewards negative scores": [
    "repetition penalty, tokens seen twice",
    (wgsl) => wgsl.replace("score < 0.0)", "false)"),
  ],
  "a presence penalty that waits for the other": [
    "presence penalty, tokens seen twice",
    (wgsl) => wgsl.replace(" || s.presence_penalty != 0.0", ""),
  ],
  "a presence penalty that divides": [
    "presence penalty, tokens seen twice",
    (wgsl) => wgsl.replace("repeated - s.presence_penalty", "repeated / (1.0 + s.presence_penalty)"),
  ],
  "pads that are not counted": [
    "no forced first token after pads",
    (wgsl) => wgsl.replace("s.length = s.lead +", "s.length ="),
  ],
  "pads of the first sentence": [
    "pads, trigrams, a first token",
    (wgsl) => wgsl.replace("s.lead_count = setting(b,", "s.lead_count = setting(0u,"),
  ],
  "pads of another id": [
    "pads in banned sequences",
    (wgsl) => wgsl.replace("return lists[s.lead_at + at];", "return lists[s.lead_at + at] + 1u;"),
  ],
  "ids before the prompt in another order": [
    "other ids before the prompt, trigrams",
    (wgsl) => wgsl.replace("return lists[s.lead_at + at];", "return lists[s.lead_at];"),
  ],
  "penalties that begin after the first ids": [
    "other ids before the prompt, repetition penalty",
    (wgsl) => wgsl.replace("SETTING_LEAD_FIRST)", "SETTING_LEAD_COUNT)"),
  ],
  "covered tokens that count twice": [
    "ids that cover tokens, repetition penalty",
    (wgsl) => wgsl.replace("s.lead_count - setting(b, SETTING_LEAD_COVERED)", "s.lead_count"),
  ],
  "a prompt without its pads": [
    "pads, suppressed at the beginning",
    (wgsl) => wgsl.replace("s.start = s.lead + setting", "s.start = setting"),
  ],
  "a limit that counts pads": [
    "pads, no forced last token before",
    (wgsl) => wgsl.replace("s.position + 2u ==", "s.length + 1u =="),
  ],
  "a first token that pads do not shift": [
    "no forced first token after pads",
    (wgsl) => wgsl.replace("NO_ID && s.length == 1u", "NO_ID && s.position == 0u"),
  ],
  "the first token of another sentence": [
    "a forced first token of each sentence",
    (wgsl) => wgsl.replace("setting(b, SETTING_FORCED_BOS)", "setting(0u, SETTING_FORCED_BOS)"),
  ],
  "n-grams compared by one token": [
    "pads, trigrams, a first token",
    (wgsl) => wgsl.replace("end, s.length, prefix)", "end, s.length, min(prefix, 1u))"),
  ],
  "banned sequences that end one token early": [
    "banned sequences",
    (wgsl) => wgsl.replace("s.length - count + j)", "s.length - count + j - 1u)"),
  ],
  "a banned sequence that hides the next": [
    "banned sequences longer than the row",
    (wgsl) => wgsl.replace("next += count + 1u;", "next += count;"),
  ],
  "an end id one token too late": [
    "at the minimum of new tokens",
    (wgsl) => wgsl.replace("s.length - s.start < s.min_new_tokens", "s.length - s.start <= s.min_new_tokens"),
  ],
  "a minimum that counts the prompt": [
    "one short of the minimum of new tokens",
    (wgsl) => wgsl.replace("s.length - s.start < s.min_new_tokens", "s.length < s.min_new_tokens"),
  ],
  "a forced last token after the last": [
    "a forced last token",
    (wgsl) => wgsl.replace("s.position + 2u ==", "s.position + 1u =="),
  ],
  "a beginning that ignores the forced token": [
    "not suppressed before the beginning",
    (wgsl) => wgsl.replace("select(0u, s.begin, s.start == 1u)", "0u"),
  ],
  "a beginning that waits for a forced token that never comes": [
    "suppressed after a longer prompt",
    (wgsl) => wgsl.replace("select(0u, s.begin, s.start == 1u)", "s.begin"),
  ],
  "timestamps that go back": [
    "timestamps",
    (wgsl) => wgsl.replace(/if \(t > s\.start\) \{ allowed.first = [^}]*\}/, ""),
  ],
  "the same timestamp for two pairs": [
    "timestamps",
    (wgsl) => wgsl.replace("select(1u, 0u, closes", "select(0u, 0u, closes"),
  ],
  "three timestamps on end": ["timestamps", (wgsl) => wgsl.replace("{ allowed.end = begin; }", "{}")],
  "text after one timestamp": ["timestamps", (wgsl) => wgsl.replace("{ allowed.text = lists[s.lists + 4u]; }", "{}")],
  "timestamps that are given": [
    "timestamps, the second token",
    (wgsl) => wgsl.replace("while (t > s.start", "while (t > 0u").replace("if (t > s.start)", "if (t > 0u)"),
  ],
  "a pair with a given timestamp": [
    "timestamps, the second token",
    (wgsl) => wgsl.replace("s.length < s.start + 2u ||", "false ||"),
  ],
  "text first": ["timestamps, the first token", (wgsl) => wgsl.replace("allowed.text = begin;", "")],
  "a late first timestamp": [
    "timestamps, the first token",
    (wgsl) => wgsl.replace("s.max_initial < params.V - begin", "false"),
  ],
  "the id of no timestamps": ["timestamps", (wgsl) => wgsl.replace("v == s.no_timestamps ||", "false ||")],
  "timestamps that never win": ["timestamps", (wgsl) => wgsl.replace("> BANNED &&", "> -BANNED &&")],
  "timestamps that win one by one": ["timestamps", (wgsl) => wgsl.replace(/ \+ log(_total|\(total\)) >/, " >")],
  "rows without rules": ["sentences of many kinds", (wgsl) => wgsl.replace("& FLAG_RULED) != 0u", "| 1u) != 0u")],
  "lists of the first sentence": [
    "sentences of many kinds",
    (wgsl) => wgsl.replace("setting(b, SETTING_LISTS)", "setting(0u, SETTING_LISTS)"),
  ],
  "a stop that is not heeded": [
    "status 0 writes nothing",
    (wgsl) => wgsl.replace("status[0] == status[1]", "status[0] == 7u"),
  ],
};

checkKernel(logitsProcess, {
  args,
  values,
  tolerance: 5e-7, // measured 1.6e-7
  cases: {
    "one row, no rule": { B: 1, V: 1, M: 1, position: 0 },
    "history through the indirection, even": { B: 2, W: 4, V: 40, M: 20, position: 8, penalty: 2 },
    "history through the indirection, odd": { B: 2, W: 4, V: 40, M: 20, position: 7, penalty: 2 },
    "repetition penalty, tokens seen twice": { B: 2, W: 2, V: 7, M: 20, position: 12, penalty: 1.5 },
    "presence penalty, tokens seen twice": { B: 2, W: 2, V: 7, M: 20, position: 12, presence: 1.5 },
    "a presence penalty below zero": { B: 2, W: 2, V: 40, M: 20, position: 8, presence: -0.75 },
    "a repetition penalty beyond f32": { B: 2, W: 2, V: 40, M: 20, position: 8, penalty: 1e38 },
    "a repetition penalty close to 0": { B: 2, W: 2, V: 40, M: 20, position: 8, penalty: 1e-37, gain: 80 },
    "a presence penalty beyond f32": { B: 2, W: 2, V: 40, M: 20, position: 8, presence: 3e38, gain: 1e38 },
    "99 tokens, log-softmax": { B: 3, W: 3, V: 99, M: 7, position: 2, log: 1, penalty: 1.5 },
    "repetition and presence penalty": { B: 2, W: 2, V: 40, M: 20, position: 8, penalty: 1.5, presence: 0.5 },
    unigrams: { B: 2, W: 2, V: 9, M: 8, position: 4, ngram: 1 },
    bigrams: { B: 3, W: 2, V: 6, M: 20, position: 13, ngram: 2 },
    trigrams: { B: 3, W: 3, V: 3, M: 32, position: 25, ngram: 3 },
    "n-grams longer than the row": { B: 1, W: 2, V: 3, M: 8, position: 1, ngram: 4 },
    "banned sequences": { B: 1, W: 2, V: 9, M: 20, position: 11, banned: 1 },
    "banned sequences longer than the row": { B: 1, W: 1, V: 9, M: 20, position: 0, banned: 1 },
    "one short of the minimum of new tokens": { B: 1, V: 9, M: 20, position: 8, start: 4, end: 1, min_new: 6 },
    "at the minimum of new tokens": { B: 1, V: 9, M: 20, position: 9, start: 4, end: 1, min_new: 6 },
    "a forced first token": { B: 1, W: 2, V: 9, M: 20, position: 0, bos: 4 },
    "a forced first token of each sentence": { B: 3, W: 2, V: 9, M: 3, position: 0, bos: 4 },
    "no forced first token later": { B: 1, W: 2, V: 9, M: 20, position: 1, bos: 4 },
    "a forced last token": { B: 1, W: 2, V: 9, M: 20, position: 8, limit: 10, eos: 7 },
    "no forced last token before": { B: 1, W: 2, V: 9, M: 20, position: 7, limit: 10, eos: 7 },
    "no forced last token after": { B: 1, W: 2, V: 9, M: 20, position: 9, limit: 10, eos: 7 },
    suppressed: { B: 2, V: 9, M: 20, position: 6, suppress: 1, end: 1 },
    "suppressed at the beginning": { B: 1, V: 9, M: 20, position: 2, start: 3, suppress: 1, begin_suppress: 1 },
    "suppressed one later": { B: 1, V: 9, M: 20, position: 1, start: 1, begin: 1, begin_suppress: 1 },
    "not suppressed before the beginning": { B: 1, V: 9, M: 20, position: 0, start: 1, begin: 1, begin_suppress: 1 },
    "suppressed after a longer prompt": { B: 1, V: 9, M: 20, position: 2, start: 3, begin: 1, begin_suppress: 1 },
    "no pads": { B: 1, W: 2, V: 9, M: 20, position: 6, lead: 0, penalty: 1.5, ngram: 2 },
    "pads, repetition penalty": { B: 3, W: 2, V: 40, M: 20, position: 5, lead: 3, penalty: 2 },
    "pads, presence penalty": { B: 3, W: 2, V: 40, M: 20, position: 5, lead: 3, presence: 1.5 },
    "pads, unigrams": { B: 3, W: 2, V: 40, M: 20, position: 4, lead: 1, ngram: 1 },
    "pads, bigrams": { B: 4, W: 2, V: 4, M: 20, position: 6, lead: 3, ngram: 2 },
    "pads, trigrams, a first token": { B: 4, W: 2, V: 3, M: 4, position: 0, lead: 4, ngram: 3 },
    "pads, trigrams": { B: 4, W: 2, V: 3, M: 32, position: 8, lead: 4, ngram: 3 },
    "other ids before the prompt, repetition penalty": {
      B: 3,
      W: 2,
      V: 40,
      M: 20,
      position: 5,
      lead: 7,
      mixed_ids: 3,
      penalty: 2,
    },
    "other ids before the prompt, trigrams": { B: 4, W: 2, V: 3, M: 32, position: 8, lead: 9, mixed_ids: 2, ngram: 3 },
    "other ids before the prompt, banned sequences": {
      B: 1,
      W: 2,
      V: 9,
      M: 20,
      position: 1,
      lead: 3,
      mixed_ids: 5,
      banned: 1,
    },
    "ids that cover tokens, repetition penalty": {
      B: 3,
      V: 40,
      M: 20,
      position: 5,
      start: 4,
      lead: 3,
      mixed_ids: 3,
      covered: 2,
      penalty: 2,
    },
    "ids that cover tokens, bigrams": {
      B: 3,
      W: 2,
      V: 4,
      M: 20,
      position: 6,
      start: 4,
      lead: 3,
      mixed_ids: 1,
      covered: 3,
      ngram: 2,
    },
    "ids that cover tokens, at the minimum": {
      B: 2,
      V: 9,
      M: 20,
      position: 9,
      start: 4,
      lead: 3,
      covered: 2,
      end: 1,
      min_new: 6,
    },
    "pads in banned sequences": { B: 1, W: 2, V: 9, M: 20, position: 1, lead: 3, banned: 1 },
    "banned sequences longer than the pads and the row": { B: 1, W: 1, V: 9, M: 20, position: 0, lead: 1, banned: 1 },
    "pads, one short of the minimum": { B: 1, V: 9, M: 20, position: 8, start: 4, lead: 3, end: 1, min_new: 6 },
    "pads, at the minimum": { B: 1, V: 9, M: 20, position: 9, start: 4, lead: 3, end: 1, min_new: 6 },
    "pads, a forced last token": { B: 1, W: 2, V: 9, M: 20, position: 8, limit: 10, lead: 3, eos: 7 },
    "pads, no forced last token before": { B: 1, W: 2, V: 9, M: 20, position: 5, limit: 10, lead: 3, eos: 7 },
    "no forced first token after pads": { B: 1, W: 2, V: 9, M: 20, position: 0, lead: 2, bos: 4 },
    "pads, suppressed at the beginning": { B: 2, V: 9, M: 20, position: 2, start: 3, lead: 2, begin_suppress: 1 },
    "log-softmax": { B: 2, W: 2, V: 33, M: 8, position: 2, log: 1 },
    "log-softmax far above zero": { B: 2, W: 2, V: 33, M: 8, position: 2, log: 1, offset: 1000 },
    "log-softmax far below zero": { B: 2, W: 2, V: 33, M: 8, position: 2, log: 1, offset: -1000 },
    "repetition and presence penalty of log-softmax": {
      B: 2,
      W: 2,
      V: 40,
      M: 20,
      position: 8,
      penalty: 1.5,
      presence: 0.5,
      log: 1,
    },
    "pads, every rule": { ...all, B: 4, W: 3, V: 12, M: 24, position: 14, lead: 2, log: 1 },
    "every rule": { ...all, B: 4, W: 3, V: 12, M: 24, position: 14, log: 1 },
    "every rule on logits": { ...all, B: 4, W: 3, V: 12, M: 24, position: 15 },
    "every rule at the beginning": { ...all, B: 1, W: 3, V: 12, M: 24, position: 0, bos: 4, log: 1 },
    "every rule at the limit": { ...all, B: 1, W: 3, V: 12, M: 24, position: 18, limit: 20, eos: 5, log: 1 },
    "one short of a workgroup": { B: 21, W: 3, V: 5, M: 8, position: 5, ngram: 2, penalty: 1.2 },
    "one over a workgroup": { B: 13, W: 5, V: 5, M: 8, position: 5, ngram: 2, penalty: 1.2 },
    timestamps: times,
    "timestamps, log-softmax": { ...times, log: 1 },
    "timestamps, the first token": { ...times, B: 1, W: 9, position: 2, max_initial: 4 },
    "timestamps, the first token of any time": { ...times, B: 1, W: 9, position: 2 },
    "timestamps, the first token within reach": { ...times, B: 1, W: 9, position: 2, max_initial: 19 },
    "timestamps, the second token": { ...times, B: 1, W: 30, position: 3 },
    "timestamps, the third token": { ...times, B: 1, W: 30, position: 4 },
    "timestamps after pads": { ...times, lead: 3 },
    "timestamps, few ids": { ...times, few: 4 },
    "no time is left": { ...times, no_timestamps: 38 },
    "no time at all": { ...times, no_timestamps: 39 },
    "timestamps and every rule": { ...all, ...times, log: 1 },
    "timestamps, one id over the lanes": { ...times, V: 65, no_timestamps: 31, end: 30 },
    "timestamps over the lanes": { ...times, V: 700, no_timestamps: 400, end: 399, few: 7 },
    "status 1 goes on": { B: 1, V: 9, M: 4, position: 2, penalty: 2, status: 1 },
    "status 0 writes nothing": { B: 1, V: 9, M: 4, position: 2, penalty: 2, status: 0 },
    "one id short of the lanes": { ...all, B: 2, W: 2, V: 63, M: 80, position: 62, log: 1 },
    "an id a lane": { ...all, B: 2, W: 2, V: 64, M: 80, position: 63, log: 1 },
    "one id over the lanes": { ...all, B: 2, W: 2, V: 65, M: 80, position: 64, log: 1 },
    "one id over 256 lanes": { ...all, B: 2, W: 2, V: 2049, M: 80, position: 64, log: 1, few: 20 },
    "a vocabulary far above the lanes": {
      // one long sum rounds more than a tree
      ...all,
      B: 2,
      W: 2,
      V: 5003,
      M: 300,
      position: 280,
      log: 1,
      few: 60,
      tolerance: 2e-6,
    },
    "a long past": { ...all, B: 3, W: 2, V: 40, M: 700, position: 515, lead: 130, log: 1 },
    "a long past of few tokens": { B: 2, W: 2, V: 5, M: 400, position: 300, ngram: 6, penalty: 1.2 },
    "a forced token over the lanes": { ...all, B: 2, W: 2, V: 700, M: 80, position: 18, limit: 20, eos: 5, log: 1 },
    "lists longer than the lanes": { ...all, B: 1, W: 2, V: 700, M: 80, position: 60, many: 150 },
    "a vocabulary of two bitmaps": { B: 1, W: 2, V: 131072, M: 80, position: 64, few: 8, penalty: 1.5 },
    "a vocabulary of three bitmaps, the last cut": {
      B: 1,
      W: 1,
      V: 131109,
      M: 80,
      position: 64,
      few: 27,
      presence: 1.5,
    },
    "sentences of many kinds": { B: 16, W: 2, V: 40, M: 24, position: 4, mixed: 1 },
    "sentences of many kinds over the lanes": { B: 8, W: 1, V: 300, M: 90, position: 68, few: 30, mixed: 1 },
    "rows past 65535": { B: 65537, V: 4, M: 2, position: 1, penalty: 2 },
  },
  mutants: {
    direct: {
      ...mutants,
      "pads that are not penalised": [
        "pads, presence penalty",
        (wgsl) => wgsl.replace("var t = s.lead_first;", "var t = s.lead;"),
      ],
      "a penalty for each time a token was seen": [
        "presence penalty, tokens seen twice",
        (wgsl) => wgsl.replace("seen = seen ||", "seen = false &&"),
      ],
      "a last n-gram that is not looked at": [
        "bigrams",
        (wgsl) => wgsl.replace("end < s.length; end++", "end + 1u < s.length; end++"),
      ],
      "a missing maximum": [
        "one id over the lanes",
        (wgsl) => wgsl.replace("total += exp(logits[at + v] - top)", "total += exp(logits[at + v])"),
      ],
    },
    shared: {
      ...mutants,
      "pads that are not penalised": [
        "pads, presence penalty",
        (wgsl) => wgsl.replace("var t = s.lead_first + lane", "var t = s.lead + lane"),
      ],
      "a penalty for each time a token was seen": [
        "repetition penalty, tokens seen twice",
        (wgsl) => wgsl.replace("(atomicOr(&seen", "0u * (atomicOr(&seen"),
      ],
      "a penalty once a bit": [
        "history through the indirection, odd",
        (wgsl) => wgsl.replace("let bit = 1u << (id % 32u)", "let bit = 1u << (id % 16u)"),
      ],
      "a bitmap that is not cleared": [
        "a vocabulary of two bitmaps",
        (wgsl) => wgsl.replace("atomicStore(&seen[word], 0u);", ""),
      ],
      "a bitmap whose tail is not cleared": [
        "a vocabulary of two bitmaps",
        (wgsl) => wgsl.replace("word < WORDS; word += LANES", "word < 64u; word += LANES"),
      ],
      "only the first bitmap": [
        "a vocabulary of three bitmaps, the last cut",
        (wgsl) => wgsl.replace("first < params.V; first +=", "first < 1u; first +="),
      ],
      "a past that ends at the lanes": [
        "one id over the lanes",
        (wgsl) => wgsl.replace("t < s.length; t += LANES", "t < s.length; t += 2u * LANES"),
      ],
      "a last n-gram that is not looked at": [
        "bigrams",
        (wgsl) => wgsl.replace("end < s.length; end +=", "end + 1u < s.length; end +="),
      ],
      "n-grams past the lanes": [
        "a vocabulary far above the lanes",
        (wgsl) => wgsl.replace("end < s.length; end += LANES", "end < s.length; end += 2u * LANES"),
      ],
      "a missing maximum": ["every rule", (wgsl) => wgsl.replace("exp(x - best), places", "exp(x), places")],
      "timestamps past the lanes": [
        "timestamps over the lanes",
        (wgsl) => wgsl.replace(/LANES(\) \{\s+if \(bans)/, "2u * LANES$1"),
      ],
      "sums of timestamps past the lanes": [
        "timestamps over the lanes",
        (wgsl) => wgsl.replace(/LANES(\) \{\s+if \(is_timestamp)/, "params.V$1"),
      ],
      "text past the lanes that stays": [
        "timestamps over the lanes",
        (wgsl) => wgsl.replace("v <= s.no_timestamps; v += LANES", "v <= s.no_timestamps; v += params.V"),
      ],
      "sums that are not scaled": [
        "every rule",
        (wgsl) => wgsl.replace("sums[other] * exp(tops[other] - top)", "sums[other]"),
      ],
      "a tree without its last step": ["every rule", (wgsl) => wgsl.replace("many > 1u;", "many > 2u;")],
      "a tree that loses the odd one": [
        "every rule",
        (wgsl) => wgsl.replace("many = (many + 1u) / 2u", "many = many / 2u"),
      ],
      "a list that ends at the lanes": [
        "lists longer than the lanes",
        (wgsl) => wgsl.replace("first + count; i += LANES", "first + count; i += 2u * LANES"),
      ],
      "sequences past the lanes": [
        "lists longer than the lanes",
        (wgsl) => wgsl.replace("i % LANES == lane", "i == lane"),
      ],
      "a forced token that ends at the lanes": [
        "a forced token over the lanes",
        (wgsl) =>
          wgsl.replace(
            "v < params.V; v += LANES) { logits[at + v] = select",
            "v < params.V; v += 2u * LANES) { logits[at + v] = select",
          ),
      ],
    },
  },
  refused: {
    "rows of three fields": [
      { B: 1, V: 4, M: 2, position: 0 },
      (args) => {
        args.rows = u32([1, 3], () => 0);
      },
      /rows must be u32\[R,4\] with R=1, got rows u32\[1,3\]/,
    ],
    "an indirection of other rows": [
      { B: 2, V: 4, M: 2, position: 0 },
      (args) => {
        args.indirection = u32([3, 3, 2], () => 0);
      },
      /indirection must be u32\[R,3,M\] with R=2, M=2, got indirection u32\[3,3,2\]/,
    ],
    "a history of rows": [
      { B: 3, V: 4, M: 2, position: 0 },
      (args) => {
        args.history = u32([3, 2], () => 0);
      },
      /history must be u32\[Z\], got history u32\[3,2\]/,
    ],
    "lists of a wrong format": [
      { B: 1, V: 4, M: 2, position: 0 },
      (args) => {
        args.lists = f32([4], () => 0);
      },
      /lists must be u32\[X\], got lists f32\[4\]/,
    ],
    "sentences that are missing": [
      { B: 1, V: 4, M: 2, position: 0 },
      (args) => {
        args.sentences = undefined;
      },
      /sentences must be u32\[B,Y\], got nothing/,
    ],
  },
});
