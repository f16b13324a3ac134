import type { Tasks } from "../../../../src/index.js";
import type { TaskForm } from "./form.js";
import { answers, labels, masks, ownLabels, ranking, similarity, tags, vectors } from "./reading.js";
import { generation, speech, textToText } from "./writing.js";

const SENTENCE = "The old boat sails at dawn.";

/** The form of each task. */
export const FORMS: { readonly [N in keyof Tasks]: (task: Tasks[N]) => TaskForm | Promise<TaskForm> } = {
  text2text: (task) => textToText(task, "transformer"),
  translation: (task) => textToText(task, SENTENCE),
  summarization: (task) => textToText(task, SENTENCE),
  "text-generation": generation,
  "feature-extraction": vectors,
  "text-classification": labels,
  "token-classification": tags,
  "automatic-speech-recognition": speech,
  "fill-mask": masks,
  "question-answering": answers,
  "zero-shot-classification": ownLabels,
  "text-ranking": ranking,
  "sentence-similarity": similarity,
};
