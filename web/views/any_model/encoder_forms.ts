import type { Tasks } from "../../../src/index.js";
import { checkbox } from "../../support/controls.js";
import { el } from "../../support/dom.js";
import { area, linesOf, type TaskForm, wide } from "./form.js";
import { bars, marked } from "./outputs.js";

const BOATS = "The boat sails at dawn.\nA ship leaves in the morning.\nTaxes are due in April.";

/** A masked word, and the best tokens in its place. */
export function fillMask(task: Tasks["fill-mask"]): TaskForm {
  const text = area(`The old ${task.mask_token} sails at dawn.`);
  return {
    fields: [wide(`Text with ${task.mask_token}`, text)],
    async run(show, signal) {
      const found = await task(text.value, { signal });
      const masks = (Array.isArray(found[0]) ? found : [found]) as { token_str: string; score: number }[][];
      show(...masks.map((best) => bars(best.map(({ token_str, score }) => [token_str, score]))));
    },
  };
}

/** A question, and where a text answers it. */
export function answer(task: Tasks["question-answering"]): TaskForm {
  const question = el("input", { value: "When does the boat sail?" });
  const context = area("The old boat sails at dawn. A ship leaves in the morning.", 5);
  return {
    fields: [wide("Question", question), wide("Text", context)],
    async run(show, signal) {
      const asked = { question: question.value, context: context.value };
      const { score, start, end } = await task(asked, { signal });
      show(marked(context.value, [{ entity: score.toFixed(3), score, start, end }]));
    },
  };
}

/** A text, and how well labels that nobody trained fit it. */
export function zeroShot(task: Tasks["zero-shot-classification"]): TaskForm {
  const text = area("The old boat sails at dawn.");
  const labels = area("travel\nfinance\nmusic");
  const several = checkbox(false);
  return {
    fields: [wide("Text", text), wide("Labels, one a line", labels), wide("Several may fit", several)],
    async run(show, signal) {
      const how = { candidate_labels: linesOf(labels), multi_label: several.checked, signal };
      const { labels: names, scores } = await task(text.value, how);
      show(bars(names.map((name, index) => [name, scores[index]])));
    },
  };
}

/** A query, and documents by how well they answer it. */
export function rank(task: Tasks["text-ranking"]): TaskForm {
  const query = el("input", { value: "When does the boat leave?" });
  const documents = area(BOATS, 5);
  return {
    fields: [wide("Query", query), wide("Documents, one a line", documents)],
    async run(show, signal) {
      const asked = { query: query.value, documents: linesOf(documents) };
      const ranked = await task(asked, { return_documents: true, signal });
      show(bars(ranked.map(({ text = "", score }) => [text, score])));
    },
  };
}

/** A sentence, and how near others are. */
export function similarity(task: Tasks["sentence-similarity"]): TaskForm {
  const source = el("input", { value: "A boat leaves." });
  const sentences = area(BOATS, 5);
  return {
    fields: [wide("Sentence", source), wide("Others, one a line", sentences)],
    async run(show, signal) {
      const lines = linesOf(sentences);
      const scores = await task({ source_sentence: source.value, sentences: lines }, { signal });
      show(bars(lines.map((line, index) => [line, scores[index]])));
    },
  };
}
