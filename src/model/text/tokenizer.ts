import { checkOptions, FLAG, wholeNumber } from "../../runtime/checks.js";
import { CheckpointError, InputError, OptionError, show } from "../../runtime/errors.js";
import type { Folder, Json } from "../checkpoint/checkpoint.js";
import type { ChatTemplates } from "./chat_template.js";
import { cleanUp, createDecoder } from "./decoders.js";
import { createEncode, type EncodeOptions } from "./encode.js";
import { createReader, type Encoding } from "./encoding.js";
import { createTemplateOf, languagesOf, targetTokens } from "./languages.js";
import { lettersOf, textOf } from "./letters.js";
import { createNormalizer } from "./normalizers.js";
import { createPreTokenizer } from "./pre_tokenizers.js";
import { addedTokensOf, type SpecialTokens, specialTokensOf } from "./special_tokens.js";
import { createTemplate, type Special, whole } from "./template.js";
import { createVocabulary } from "./vocabulary.js";

/** How to turn tokens into a text. */
export interface DecodeOptions {
  /** Leave special tokens out. Default false. */
  readonly skip_special_tokens?: boolean;
  /**
   * Take away spaces before punctuation and contractions. Default: as tokenizer_config.json says, except for BPE, whose
   * spaces are those of the text.
   */
  readonly clean_up_tokenization_spaces?: boolean;
}

const DECODE = { skip_special_tokens: FLAG, clean_up_tokenization_spaces: FLAG };

/**
 * Turns texts into token ids and back, by `tokenizer.json` and `tokenizer_config.json`, and conversations into texts.
 * @example
 * const tokenizer = await loadTokenizer("models/gpt2-brown");
 * const { ids } = tokenizer.encode("The jury said");
 * console.log(ids, tokenizer.decode(ids), tokenizer.count("The jury said"), tokenizer.eos_token_id);
 */
export interface Tokenizer extends SpecialTokens, ChatTemplates {
  /**
   * The tokens of a text or of two, with the ranges that they stand for. Throws InputError for what is no text, or when
   * not even one token of each text fits into max_length, and OptionError.
   */
  encode(text: string, options?: EncodeOptions): Encoding;
  /** How many tokens a text has, special ones included unless the options say otherwise. Throws as `encode` does. */
  count(text: string, options?: EncodeOptions): number;
  /** The text of token ids; ids without a token have none. Throws InputError for what are no ids, and OptionError. */
  decode(ids: ArrayLike<number | bigint>, options?: DecodeOptions): string;
  /** The id of a token as the vocabulary spells it; undefined when it is not in it. */
  token_to_id(token: string): number | undefined;
  /** The token of an id as the vocabulary spells it; undefined when there is none. */
  id_to_token(id: number): string | undefined;
  /**
   * The tokens of languages by their codes, as `src_lang` takes them: eng_Latn of NLLB, en is `__en__` in M2M100, fra
   * `>>fra<<` in Marian.
   */
  readonly languages: ReadonlyMap<string, string>;
  /** The most tokens that tokenizer_config.json allows; undefined when it does not say. */
  readonly model_max_length: number | undefined;
  /** Whether `decode` cleans up unless it is told not to. */
  readonly clean_up_tokenization_spaces: boolean;
  /** What the model takes, if tokenizer_config.json says so: input_ids, token_type_ids, attention_mask. */
  readonly model_input_names: readonly string[] | undefined;
}

/**
 * Reads the tokenizer of a checkpoint; undefined when it has none. Throws CheckpointError when it is broken. Its regular
 * expressions run as they stand: one of a hostile file can take a text any time.
 */
export async function readTokenizer(folder: Folder): Promise<Tokenizer | undefined> {
  const { json, label } = folder;
  const definition = await json("tokenizer.json");
  if (!definition) return undefined;
  const config = (await json("tokenizer_config.json")) ?? {};
  const fault = (cause: unknown): Error =>
    cause instanceof InputError || cause instanceof OptionError
      ? cause
      : new CheckpointError(
          `${label}/tokenizer.json: must be a tokenizer of Hugging Face, ${(cause as Error).message}`,
          { cause },
        );
  const guarded = <A extends unknown[], T>(call: (...given: A) => T): ((...given: A) => T) => {
    return (...given) => {
      try {
        return call(...given);
      } catch (error) {
        throw fault(error);
      }
    };
  };
  const parts = guarded(createTokenizer)(definition, config);
  const [encode, decode] = [guarded(parts.encode), guarded(parts.decode)];
  const idsOf = (text: string): number[] => [...encode(text, { add_special_tokens: false }).ids];
  let opening: Promise<ChatTemplates> | undefined;
  const chat = (): Promise<ChatTemplates> =>
    (opening ??= import("./chat_template.js").then(({ createChatTemplates }) =>
      createChatTemplates(folder, config, parts.special_tokens_map, idsOf),
    ));
  const has_chat_template = async (): Promise<boolean> => (await chat()).has_chat_template();
  const apply_chat_template: Tokenizer["apply_chat_template"] = async (messages, options) =>
    (await chat()).apply_chat_template(messages, options);
  const count: Tokenizer["count"] = (text, options) => encode(text, options).ids.length;
  return { ...parts, encode, decode, count, has_chat_template, apply_chat_template };
}

function createTokenizer(definition: Json, config: Json): Omit<Tokenizer, keyof ChatTemplates | "count"> {
  const vocabulary = createVocabulary((definition.model ?? {}) as Json);
  const normalize = definition.normalizer ? createNormalizer(definition.normalizer as Json) : undefined;
  const stated = { ...definition, added_tokens: [definition.added_tokens ?? [], targetTokens(vocabulary.ids)].flat() };
  const added = addedTokensOf(stated, config, vocabulary.ids).map((token) =>
    token.normalized && normalize ? { ...token, spelling: textOf(normalize(lettersOf(token.content))) } : token,
  );
  const tokens: string[] = [];
  for (const [token, id] of vocabulary.ids) tokens[id] = token;
  for (const { spelling, id } of added) tokens[id] = spelling;
  const ids = new Map(added.map(({ content, id }) => [content, id]));
  const token_to_id = (token: string): number | undefined => ids.get(token) ?? vocabulary.ids.get(token);
  const template = createTemplate(definition.post_processor as Json | null | undefined, token_to_id);
  const languages = languagesOf(added);
  const special = (token: string): Special => ({ token, id: whole(`the id of ${show(token)}`, token_to_id(token)) });
  const templateOf = createTemplateOf(template, languages, config, special);
  const preTokenize = definition.pre_tokenizer ? createPreTokenizer(definition.pre_tokenizer as Json) : undefined;
  const found = config.split_special_tokens === true ? added.filter(({ special }) => !special) : added;
  const read = createReader({ added: found, vocabulary, normalize, preTokenize, trim: template.trim });
  const side = config.truncation_side ?? (definition.truncation as Json | null | undefined)?.direction;
  const special_tokens = specialTokensOf(config, added, vocabulary.unknown, token_to_id);
  const cleansBpe = config.clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output === true;
  const cleans = config.clean_up_tokenization_spaces === true && (vocabulary.type !== "BPE" || cleansBpe);
  const { model_max_length: limit, model_input_names: names } = config;
  return {
    encode: createEncode(templateOf, read, String(side).toLowerCase() === "left", special_tokens.unk_token_id),
    decode: createDecode(definition, special_tokens.all_special_ids, tokens, cleans),
    token_to_id,
    id_to_token: (id) => tokens[id],
    ...special_tokens,
    languages,
    model_max_length: wholeNumber(1).holds(limit) ? Number(limit) : undefined,
    clean_up_tokenization_spaces: cleans,
    model_input_names: Array.isArray(names) ? names.map(String) : undefined,
  };
}

function createDecode(
  definition: Json,
  special: readonly number[],
  tokens: readonly (string | undefined)[],
  cleans: boolean,
): Tokenizer["decode"] {
  const decoder = createDecoder(definition.decoder as Json | null | undefined);
  const skipped = new Set(special);
  return (given, options = {}) => {
    checkOptions("decode", options, DECODE);
    const { skip_special_tokens = false, clean_up_tokenization_spaces = cleans } = options;
    const ids = checkIds(given).filter((id) => !(skip_special_tokens && skipped.has(id)));
    const text = decoder(ids.flatMap((id) => tokens[id] ?? [])).join("");
    return clean_up_tokenization_spaces ? cleanUp(text) : text;
  };
}

function checkIds(given: ArrayLike<number | bigint>): number[] {
  const isList = Array.isArray(given) || (ArrayBuffer.isView(given) && !(given instanceof DataView));
  const ids = isList ? Array.from(given, Number) : [NaN];
  const bad = ids.findIndex((id) => !Number.isSafeInteger(id) || id < 0);
  if (bad < 0) return ids;
  throw new InputError(`decode: ids must be a list of whole numbers, got ${show(isList ? given[bad] : given)}`);
}
