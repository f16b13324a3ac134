import { OptionError } from "../../runtime/errors.js";
import type { CheckpointLike } from "../checkpoint/checkpoint.js";
import type { LoadOptions } from "../load.js";
import { checkText } from "../text/checks.js";
import { entailmentOf } from "./default_task.js";
import { type EncodingOptions, openEncoderTask, probabilities, type TaskKind, type TaskParts } from "./encoder_task.js";
import { ZERO_SHOT_RULES } from "./option_rules.js";

/** Options of zero-shot classification. */
export interface ZeroShotOptions extends EncodingOptions {
  /** The labels to choose from, as a list or divided by commas. */
  readonly candidate_labels: string | readonly string[];
  /** What the model is asked about each label, which stands for {}. Default "This example is {}." */
  readonly hypothesis_template?: string;
  /** Whether several labels may be true: each is scored on its own. Default false. */
  readonly multi_label?: boolean;
}

/** The labels of a text, best first. */
export interface ZeroShot {
  /** The text. */
  readonly sequence: string;
  /** The labels, best first. */
  readonly labels: readonly string[];
  /** The score of each label. */
  readonly scores: readonly number[];
  /** The most tokens of the text that were left out for any of the labels. */
  readonly truncated: number;
}

/** Zero-shot classification on one checkpoint. */
export interface ZeroShotTask extends TaskParts {
  /** The labels of a text, or of each of a list. */
  <T extends string | readonly string[]>(
    text: T,
    options: ZeroShotOptions,
  ): Promise<T extends readonly unknown[] ? ZeroShot[] : ZeroShot>;
}

const ENTAILMENT: TaskKind = {
  name: "zero-shot-classification",
  needs: "a classifier of sequences with a label entailment",
  takes: ({ head }) => head?.classifier === "sentence" && entailmentOf(head.labels) !== undefined,
};

/**
 * Opens classification by labels that the call names: a model of natural language inference says whether the text entails
 * "This example is LABEL." (Yin et al. 2019, arXiv:1909.00161; ZeroShotClassificationPipeline of Transformers). Throws
 * CheckpointError for other models, and all that `load` throws.
 */
export function zeroShotClassification(source: CheckpointLike, options: LoadOptions = {}): Promise<ZeroShotTask> {
  return openEncoderTask(ENTAILMENT, source, options, ({ architecture }) => {
    const entailment = entailmentOf(architecture.head?.labels ?? []) ?? 0;
    return {
      options: ZERO_SHOT_RULES,
      truncation: true,
      read(text: string, options: ZeroShotOptions, encode) {
        const { hypothesis_template: template = "This example is {}." } = options;
        return labelsOf(options).map((label) => ({
          encoding: encode({ text: checkText(text), text_pair: template.replace("{}", () => label) }),
        }));
      },
      wanted(options) {
        labelsOf(options);
        return { logits: true };
      },
      result(sequences, sequence, { multi_label = false, ...options }): ZeroShot {
        const all = sequences.map(({ results: { logits } }) => logits);
        const single = multi_label || all.length === 1;
        const scores = single
          ? all.map((logits) => {
              const contradiction = entailment === 0 ? logits.length - 1 : 0;
              return probabilities([logits[contradiction], logits[entailment]], "softmax")[1];
            })
          : probabilities(
              all.map((logits) => logits[entailment]),
              "softmax",
            );
        const labels = labelsOf(options);
        const order = [...labels.keys()].sort((a, b) => scores[b] - scores[a] || b - a);
        return {
          sequence,
          labels: order.map((id) => labels[id]),
          scores: order.map((id) => scores[id]),
          truncated: Math.max(...sequences.map(({ encoding }) => encoding.truncated)),
        };
      },
    };
  });
}

/** The labels of a call. Throws OptionError without any, and for a template without a place for them. */
function labelsOf({ candidate_labels: given, hypothesis_template }: ZeroShotOptions): readonly string[] {
  const labels = typeof given === "string" ? given.split(",").flatMap((label) => label.trim() || []) : (given ?? []);
  if (!labels.length)
    throw new OptionError("zero-shot-classification: candidate_labels must name at least one label, got none");
  if (hypothesis_template !== undefined && !hypothesis_template.includes("{}"))
    throw new OptionError("zero-shot-classification: hypothesis_template must hold {} for the label");
  return labels;
}
