import { CheckpointError, InputError, OptionError, show } from "../../runtime/errors.js";
import type { CheckpointLike } from "../checkpoint/checkpoint.js";
import type { LoadOptions } from "../load.js";
import type { Tokenizer } from "../text/tokenizer.js";
import {
  type EncodedSequence,
  type EncodingOptions,
  openEncoderTask,
  probabilities,
  type TaskKind,
  type TaskParts,
} from "./encoder_task.js";
import { MASK_RULES } from "./option_rules.js";

/** Options of filling masks. */
export interface MaskOptions extends EncodingOptions {
  /** How many tokens to return for a mask, best first. Default 5. */
  readonly top_k?: number;
  /** The only tokens to choose from, as the vocabulary or the text spells them; a text of several tokens is refused. */
  readonly targets?: string | readonly string[];
}

/** A token in place of a mask. */
export interface FilledMask {
  /** Its probability among all tokens. */
  readonly score: number;
  /** Its id. */
  readonly token: number;
  /** Its text. */
  readonly token_str: string;
  /** The text with it, special tokens left out unless there are more masks. */
  readonly sequence: string;
}

/**
 * Filling of masks on one checkpoint. A text with one mask gives a list, best first; a text with several gives a list for
 * each, so say `Found` then.
 */
export interface MaskTask extends TaskParts {
  /** The tokens for the masks of a text, or of each of a list. */
  <Found extends FilledMask[] | FilledMask[][] = FilledMask[]>(text: string, options?: MaskOptions): Promise<Found>;
  /** The tokens for the masks of a text, or of each of a list. */
  <Found extends FilledMask[] | FilledMask[][] = FilledMask[]>(
    texts: readonly string[],
    options?: MaskOptions,
  ): Promise<Found[]>;
  /** What stands for a token that is to be found, such as [MASK] or <mask>. */
  readonly mask_token: string;
}

const MASKS: TaskKind = {
  name: "fill-mask",
  needs: "a head for masked tokens",
  takes: ({ head }) => head?.masks !== undefined,
};

/**
 * Opens the filling of masks: tokens for each `mask_token` in a text, as FillMaskPipeline of Transformers finds them. Throws
 * CheckpointError without a head for it or a mask token, and all that `load` throws.
 */
export async function fillMask(source: CheckpointLike, options: LoadOptions = {}): Promise<MaskTask> {
  const task = await openEncoderTask(MASKS, source, options, (model, tokenizer) => {
    const mask = maskOf(tokenizer, model.checkpoint.label);
    return {
      options: MASK_RULES,
      truncation: false,
      read(text: string, _: MaskOptions, encode) {
        const encoding = encode({ text });
        const pooled = encoding.ids.flatMap((id, t) => (id === mask.id ? [[t, 1] as const] : []));
        if (!pooled.length)
          throw new InputError(`text: must hold ${mask.token}, the mask of this model, got ${show(text)}`);
        return [{ encoding, pooled }];
      },
      wanted: () => ({ mask_logits: true }),
      result: ([sequence], _, { top_k = 5, targets }) => {
        const found = fill(tokenizer, sequence, top_k, targets === undefined ? undefined : idsOf(tokenizer, targets));
        return found.length === 1 ? found[0] : found;
      },
    };
  });
  const { token } = maskOf(task.tokenizer, task.model.checkpoint.label);
  return Object.assign(task, { mask_token: token });
}

function maskOf({ mask_token_id: id, id_to_token }: Tokenizer, label: string): { id: number; token: string } {
  const token = id === undefined ? undefined : id_to_token(id);
  if (id !== undefined && token !== undefined) return { id, token };
  throw new CheckpointError(`${label}/tokenizer_config.json: must name mask_token for fill-mask, found none`);
}

/** The ids of tokens to choose from. Throws OptionError for a text that is not one token. */
function idsOf(tokenizer: Tokenizer, targets: string | readonly string[]): number[] {
  const ids = [targets].flat().map((target) => {
    const known = tokenizer.token_to_id(target);
    if (known !== undefined) return known;
    const { ids: own, unknown } = tokenizer.encode(target, { add_special_tokens: false });
    if (own.length === 1 && !unknown) return own[0];
    throw new OptionError(
      `fill-mask: targets must each be one token of the vocabulary, ${show(target)} is ${unknown ? "not in it" : `${own.length}`}`,
    );
  });
  return [...new Set(ids)];
}

/** The best tokens for each mask of a text. */
function fill(
  tokenizer: Tokenizer,
  { encoding: { ids }, pooled = [], results: { mask_logits } }: EncodedSequence,
  top_k: number,
  targets: readonly number[] | undefined,
): FilledMask[][] {
  const V = mask_logits.length / pooled.length;
  return pooled.map(([place], m) => {
    const scores = probabilities(mask_logits.subarray(m * V, (m + 1) * V), "softmax");
    const choices = targets ?? [...scores.keys()];
    const least =
      Float64Array.from(choices, (id) => scores[id])
        .sort()
        .at(-top_k) ?? 0;
    const best = choices.filter((id) => scores[id] >= least);
    best.sort((x, y) => scores[y] - scores[x] || x - y);
    return best.slice(0, top_k).map((token) => {
      const filled = ids.with(place, token).filter((id) => id !== tokenizer.pad_token_id);
      return {
        score: scores[token],
        token,
        token_str: tokenizer.decode([token]),
        sequence: tokenizer.decode(filled, { skip_special_tokens: pooled.length === 1 }),
      };
    });
  });
}
