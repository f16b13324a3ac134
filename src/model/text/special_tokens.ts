import { CheckpointError, show } from "../../runtime/errors.js";
import type { Json } from "../checkpoint/checkpoint.js";
import type { AddedToken } from "./added_tokens.js";

/** The text of a token in tokenizer_config.json: a string, or an object with `content`; undefined when there is none. */
export function contentOf(token: unknown): string | undefined {
  const content = typeof token === "object" && token !== null ? (token as Json).content : token;
  return typeof content === "string" ? content : undefined;
}

const NAMED = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"] as const;

/** The tokens of a tokenizer that mean something of their own. An id is undefined where there is no such token. */
export interface SpecialTokens extends Readonly<Record<`${(typeof NAMED)[number]}_id`, number | undefined>> {
  /** Those that tokenizer_config.json names, by their names: `bos_token`, `eos_token`, `pad_token` and so on. */
  readonly special_tokens_map: Readonly<Record<string, string>>;
  /** The ids of all, also of those without a name. `decode` leaves them out with `skip_special_tokens`. */
  readonly all_special_ids: readonly number[];
}

/** The special tokens among the added ones. `unknown` is the one of the vocabulary. */
export function specialTokensOf(
  config: Json,
  added: readonly AddedToken[],
  unknown: string | undefined,
  token_to_id: (token: string) => number | undefined,
): SpecialTokens {
  const extra = config.extra_special_tokens;
  const named = { ...config, ...(typeof extra === "object" && !Array.isArray(extra) ? extra : {}) } as Json;
  const names = [...NAMED, ...Object.keys(named).filter((name) => Object.hasOwn(extra ?? {}, name))];
  const texts = names.map((name) => [name, contentOf(named[name])] as const);
  const idOf = (name: string): number | undefined =>
    token_to_id(contentOf(config[name]) ?? (name === "unk_token" ? unknown : undefined) ?? "");
  return {
    special_tokens_map: Object.fromEntries(texts.filter((entry): entry is [string, string] => Boolean(entry[1]))),
    all_special_ids: added.filter(({ special }) => special).map(({ id }) => id),
    ...(Object.fromEntries(NAMED.map((name) => [`${name}_id`, idOf(name)])) as Record<
      `${(typeof NAMED)[number]}_id`,
      number | undefined
    >),
  };
}

/**
 * The added tokens: those of `tokenizer.json`, then those of tokenizer_config.json that are not among them. Tokens that it
 * names are special, and get an id where the vocabulary has none for them. Throws CheckpointError for one without content
 * or id.
 */
export function addedTokensOf(definition: Json, config: Json, ids: ReadonlyMap<string, number>): AddedToken[] {
  const lists = [config.additional_special_tokens, config.extra_special_tokens].flatMap((list) =>
    typeof list === "object" && list !== null ? Object.values(list) : [],
  );
  const named = new Map<string, Json>();
  for (const token of [...NAMED.map((name) => config[name]), ...lists]) {
    const content = contentOf(token);
    if (content) named.set(content, typeof token === "string" ? {} : (token as Json));
  }
  const own = (definition.added_tokens ?? []) as Json[];
  const more = Object.entries((config.added_tokens_decoder ?? {}) as Record<string, Json>);
  const added = new Map<string, AddedToken>();
  for (const token of [...own, ...more.map(([id, token]) => ({ ...token, id: Number(id) }))].map(addedToken))
    if (!added.has(token.content))
      added.set(token.content, { ...token, special: token.special || named.has(token.content) });
  let last = -1;
  for (const id of ids.values()) last = Math.max(last, id);
  for (const { id } of added.values()) last = Math.max(last, id);
  for (const [content, token] of named)
    if (!added.has(content))
      added.set(content, addedToken({ ...token, content, id: ids.get(content) ?? ++last, special: true }));
  return [...added.values()];
}

function addedToken(token: Json): AddedToken {
  const { id, content, special } = token;
  if (typeof content !== "string" || !Number.isSafeInteger(id) || Number(id) < 0)
    throw new CheckpointError(`an added token must have content and id, got ${show(token)}`);
  return {
    id: Number(id),
    content,
    spelling: content,
    special: Boolean(special),
    normalized: Boolean(token.normalized ?? !special),
    single_word: Boolean(token.single_word),
    lstrip: Boolean(token.lstrip),
    rstrip: Boolean(token.rstrip),
  };
}
