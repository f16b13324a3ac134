import { CheckpointError, show } from "../../runtime/errors.js";
import type { Json } from "../checkpoint/checkpoint.js";

/** A place of a template: special tokens, or the tokens of the first (0) or second (1) text, and their segment. */
export type Slot = { readonly segment: number } & ({ readonly special: readonly Special[] } | { readonly text: 0 | 1 });

/** A special token of a template. */
export interface Special {
  readonly token: string;
  readonly id: number;
}

/** How a tokenizer puts special tokens around its texts. */
export interface Template {
  /** The places around one text, and around two. */
  readonly single: readonly Slot[];
  readonly pair: readonly Slot[];
  /** Whether the ranges of byte-level tokens leave out their white space; false of one that the tokenizer put first. */
  readonly trim?: { readonly prefixed: boolean };
}

/** A whole number, as ids and segments must be. Throws CheckpointError for anything else. */
export function whole(name: string, value: unknown): number {
  if (Number.isSafeInteger(value) && Number(value) >= 0) return Number(value);
  throw new CheckpointError(`post_processor: ${name} must be a whole number, got ${show(value)}`);
}

const text = (index: 0 | 1, segment: number): Slot => ({ text: index, segment: whole("type_id", segment) });
const plain: Template = { single: [text(0, 0)], pair: [text(0, 0), text(1, 1)] };

/** The template of the post-processor in `tokenizer.json`. Throws CheckpointError for a type that is unknown. */
export function createTemplate(
  definition: Json | null | undefined,
  idOf: (token: string) => number | undefined,
): Template {
  if (!definition) return plain;
  const { type, trim_offsets = true, add_prefix_space = true } = definition;
  const trim = trim_offsets ? { prefixed: Boolean(add_prefix_space) } : undefined;
  if (type === "ByteLevel") return { ...plain, trim };
  if (type === "Sequence") {
    const all = (definition.processors as Json[]).map((one) => createTemplate(one, idOf));
    const own = all.filter(({ single, pair }) => single !== plain.single || pair !== plain.pair);
    return { ...(own[own.length - 1] ?? plain), trim: all.find((one) => one.trim)?.trim };
  }
  if (type === "BertProcessing" || type === "RobertaProcessing") {
    const isRoberta = type === "RobertaProcessing";
    const special = ([token, id]: [string, number], segment: number): Slot => ({
      special: [{ token, id: whole("an id", id) }],
      segment,
    });
    const { cls, sep } = definition as { cls: [string, number]; sep: [string, number] };
    const second = isRoberta ? 0 : 1;
    const single = [special(cls, 0), text(0, 0), special(sep, 0)];
    const between = isRoberta ? [special(sep, 0)] : [];
    return {
      single,
      pair: [...single, ...between, text(1, second), special(sep, second)],
      trim: isRoberta ? trim : undefined,
    };
  }
  if (type !== "TemplateProcessing") throw new CheckpointError(`post_processor ${String(type)} is not supported`);
  const specials = (definition.special_tokens ?? {}) as Readonly<Record<string, { ids: number[]; tokens: string[] }>>;
  const slots = (list: unknown): Slot[] => (list as Json[]).map((entry) => slotOf(entry, specials, idOf));
  return { single: slots(definition.single), pair: slots(definition.pair) };
}

function slotOf(
  entry: Json,
  specials: Readonly<Record<string, { ids: number[]; tokens: string[] }>>,
  idOf: (token: string) => number | undefined,
): Slot {
  const { Sequence, SpecialToken } = entry as Record<string, { id: string; type_id: number } | undefined>;
  if (Sequence) return text(Sequence.id === "B" ? 1 : 0, Sequence.type_id);
  if (!SpecialToken) throw new CheckpointError("post_processor: a place must be Sequence or SpecialToken");
  const { id: token, type_id: segment } = SpecialToken;
  const known = Object.hasOwn(specials, token) ? specials[token] : { ids: [idOf(token)], tokens: [token] };
  return {
    segment: whole("type_id", segment),
    special: known.ids.map((id, i) => ({ token: known.tokens[i], id: whole(`the id of ${show(token)}`, id) })),
  };
}
