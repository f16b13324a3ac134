import type { Model, Tasks } from "../../../../src/index.js";
import { field, selectInput, textInput } from "../../../support/controls.js";
import { el } from "../../../support/dom.js";
import { bars, marked, matrix } from "../outputs.js";
import { area, linesOf, type TaskForm, wide } from "./form.js";

const SENTENCE = "The old boat sails at dawn.";
const SENTENCES = "The boat sails at dawn.\nA ship leaves in the morning.\nTaxes are due in April.";

const POOLING = {
  "": "as the checkpoint says",
  mean: "mean",
  cls: "first token",
  max: "maximum",
  lasttoken: "last token",
};

/** How states become vectors: by the checkpoint, or by their mean where it does not say. */
async function poolingField({ model }: { readonly model: Model }) {
  const says = await model.checkpoint.list("modules.json");
  const select = selectInput(POOLING, says ? "" : "mean");
  return {
    field: field("Pooling", select),
    read: () => (select.value ? { pooling: select.value as "mean" } : {}),
  };
}

/** Vectors of texts, by their cosines. */
export async function vectors(task: Tasks["feature-extraction"]): Promise<TaskForm> {
  const texts = area(SENTENCES, 4);
  const pooling = await poolingField(task);
  return {
    fields: [wide("Texts, one a line", texts), pooling.field],
    async run(show, signal) {
      const lines = linesOf(texts);
      const how = { ...pooling.read(), normalize: true, signal };
      const found = (await task(lines, how)).map(({ embedding = new Float32Array() }) => embedding);
      const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, value, i) => sum + value * b[i], 0);
      show(
        el("p", { class: "note" }, `Cosines of ${found.length} vectors of ${found[0]?.length ?? 0} numbers`),
        matrix(
          lines,
          found.map((a) => found.map((b) => dot(a, b))),
        ),
      );
    },
  };
}

/** Labels of a text. */
export function labels(task: Tasks["text-classification"]): TaskForm {
  const text = area(SENTENCE);
  return {
    fields: [wide("Text", text)],
    async run(show, signal) {
      const { labels } = await task(text.value, { top_k: null, signal });
      show(bars(labels.map(({ label, score }) => [label, score])));
    },
  };
}

/** Labels of words. */
export function tags(task: Tasks["token-classification"]): TaskForm {
  const text = area(SENTENCE);
  return {
    fields: [wide("Text", text)],
    async run(show, signal) {
      const { entities } = await task(text.value, { aggregation_strategy: "first", signal });
      show(marked(text.value, entities));
    },
  };
}

/** What a masked word may be. */
export function masks(task: Tasks["fill-mask"]): TaskForm {
  const text = area(`The old ${task.mask_token} sails at dawn.`);
  return {
    fields: [wide(`Text with ${task.mask_token}`, text)],
    async run(show, signal) {
      const found = [await task(text.value, { signal })].flat(2);
      show(bars(found.map(({ token_str, score }) => [token_str, score])));
    },
  };
}

/** Where a text answers a question. */
export function answers(task: Tasks["question-answering"]): TaskForm {
  const question = textInput("When does the boat sail?");
  const context = area(`${SENTENCE} It comes back at dusk.`, 5);
  return {
    fields: [wide("Question", question), wide("Text", context)],
    async run(show, signal) {
      const found = await task({ question: question.value, context: context.value }, { top_k: 3, signal });
      show(
        bars(found.map(({ answer, score }) => [answer, score])),
        marked(context.value, [{ ...found[0], entity: "answer" }]),
      );
    },
  };
}

/** Which of the labels of the caller fit a text. */
export function ownLabels(task: Tasks["zero-shot-classification"]): TaskForm {
  const [text, candidates] = [area(SENTENCE), textInput("travel, finance, cooking")];
  return {
    fields: [wide("Text", text), wide("Labels, divided by commas", candidates)],
    async run(show, signal) {
      const { labels, scores } = await task(text.value, { candidate_labels: candidates.value, signal });
      show(bars(labels.map((label, i) => [label, scores[i]])));
    },
  };
}

/** Which documents answer a query. */
export function ranking(task: Tasks["text-ranking"]): TaskForm {
  const [query, documents] = [textInput("When does the ferry leave?"), area(SENTENCES, 4)];
  return {
    fields: [wide("Query", query), wide("Documents, one a line", documents)],
    async run(show, signal) {
      const lines = linesOf(documents);
      const ranked = await task({ query: query.value, documents: lines }, { signal });
      show(bars(ranked.map(({ corpus_id, score }) => [lines[corpus_id], score])));
    },
  };
}

/** How near sentences are to another. */
export async function similarity(task: Tasks["sentence-similarity"]): Promise<TaskForm> {
  const [source, sentences] = [textInput("A ferry departs early."), area(SENTENCES, 4)];
  const pooling = await poolingField(task);
  return {
    fields: [wide("Sentence", source), wide("Others, one a line", sentences), pooling.field],
    async run(show, signal) {
      const lines = linesOf(sentences);
      const found = await task({ source_sentence: source.value, sentences: lines }, { ...pooling.read(), signal });
      show(bars(lines.map((line, i) => [line, found[i]])));
    },
  };
}
