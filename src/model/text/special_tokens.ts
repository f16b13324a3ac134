import { CheckpointError, show } from "../../runtime/errors.js";
import type { Json } from "../checkpoint/checkpoint.js";
import type { AddedToken } from "./added_tokens.js";
import { createTemplate, type Slot, type Template } from "./template.js";

type IdOf = (token: string) => number | undefined;

/** The text of a token in tokenizer_config.json: a string, or an object with `content`; undefined when there is none. */
export function contentOf(token: unknown): string | undefined {
  const content = typeof token === "object" && token !== null ? (token as Json).content : token;
  return typeof content === "string" ? content : undefined;
}

const NAMED = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/**
 * The added tokens: those of `tokenizer.json`, then those of tokenizer_config.json that are not among them. Throws
 * CheckpointError for one without content or id.
 */
export function addedTokensOf(definition: Json, config: Json, ids: ReadonlyMap<string, number>): AddedToken[] {
  const added = ((definition.added_tokens ?? []) as Json[]).map(addedToken);
  const known = new Set(added.map(({ content }) => content));
  const more = Object.entries((config.added_tokens_decoder ?? {}) as Record<string, Json>)
    .map(([id, token]) => addedToken({ ...token, id: Number(id) }))
    .filter(({ content }) => !known.has(content));
  for (const { content } of more) known.add(content);
  const named = [
    ...NAMED.map((name) => config[name]),
    ...[config.additional_special_tokens, config.extra_special_tokens].flatMap((list) =>
      typeof list === "object" && list !== null ? Object.values(list) : [],
    ),
  ].flatMap((token) => contentOf(token) ?? []);
  const special = [...new Set(named)].filter((content) => ids.has(content) && !known.has(content));
  return [...added, ...more, ...special.map((content) => addedToken({ content, id: ids.get(content), special: true }))];
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

/**
 * The template of a tokenizer. `add_bos_token` and `add_eos_token` of tokenizer_config.json replace the one of
 * `tokenizer.json`, as in Transformers.
 */
export function templateOf(definition: Json, config: Json, idOf: IdOf): Template {
  const template = createTemplate(definition.post_processor as Json | null, idOf);
  if (typeof config.add_bos_token !== "boolean" && typeof config.add_eos_token !== "boolean") return template;
  const [bos, eos] = (["bos", "eos"] as const).map((name) => (segment: number): Slot[] => {
    const token = config[`add_${name}_token`] === true ? contentOf(config[`${name}_token`]) : undefined;
    const id = token === undefined ? undefined : idOf(token);
    return token === undefined || id === undefined ? [] : [{ special: [{ token, id }], segment }];
  });
  const around = (text: 0 | 1): Slot[] => [...bos(text), { text, segment: text }, ...eos(text)];
  return { single: around(0), pair: [...around(0), ...around(1)], trim: template.trim };
}
