import type { Tasks } from "../../../src/index.js";
import { field, numberInput, selectInput } from "../../support/controls.js";
import { el } from "../../support/dom.js";
import { answer, fillMask, rank, similarity, zeroShot } from "./encoder_forms.js";
import { area, linesOf, type TaskForm, wide } from "./form.js";
import { bars, marked, matrix } from "./outputs.js";

type TranslatingTask = Tasks["text2text" | "translation" | "summarization"];

/** From text to text, with languages where the model has some. */
function textToText(task: TranslatingTask): TaskForm {
  const text = area("transformer");
  const beams = numberInput(4, { min: 1, max: 32 });
  const codes = [...task.tokenizer.languages.keys()];
  const language = (label: string, preset: string): HTMLSelectElement =>
    selectInput({ "": `${label}: as it is`, ...Object.fromEntries(codes.map((code) => [code, code])) }, preset);
  const [from, to] = [language("from", ""), language("to", "")];
  return {
    fields: [
      wide("Text", text),
      field("Beams", beams),
      ...(codes.length > 0 ? [field("From", from), field("To", to)] : []),
    ],
    async run(show, signal) {
      const results = await task(text.value, {
        num_beams: Number(beams.value),
        num_return_sequences: Math.min(4, Number(beams.value)),
        ...(from.value && { src_lang: from.value }),
        ...(to.value && { tgt_lang: to.value }),
        signal,
      });
      const textOf = (result: object): string => Object.values(result).find((value) => typeof value === "string") ?? "";
      show(el("ol", { class: "texts" }, ...results.map((result) => el("li", {}, textOf(result)))));
    },
  };
}

function continuation(task: Tasks["text-generation"]): TaskForm {
  const text = area("The jury said");
  const tokens = numberInput(40, { min: 1, max: 4096 });
  const heat = numberInput(0.8, { min: 0, max: 2, step: 0.1 });
  return {
    fields: [wide("Beginning", text), field("Tokens", tokens), field("Temperature", heat, "0 takes the best token")],
    async run(show, signal) {
      const temperature = Number(heat.value);
      const how = temperature > 0 ? { do_sample: true, temperature } : {};
      let written = text.value;
      for await (const piece of task.stream(text.value, { ...how, max_new_tokens: Number(tokens.value), signal })) {
        written += piece.text;
        show(el("p", { class: "texts" }, written));
      }
    },
  };
}

function vectors(task: Tasks["feature-extraction"]): TaskForm {
  const texts = area("The boat sails at dawn.\nA ship leaves in the morning.\nTaxes are due in April.", 4);
  const pooling = selectInput({ mean: "mean", cls: "first token", max: "maximum" }, "mean");
  return {
    fields: [wide("Texts, one a line", texts), field("Pooling", pooling)],
    async run(show, signal) {
      const lines = linesOf(texts);
      const how = { pooling: pooling.value as "mean", normalize: true, signal };
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

function labels(task: Tasks["text-classification"]): TaskForm {
  const text = area("The old boat sails at dawn.");
  return {
    fields: [wide("Text", text)],
    async run(show, signal) {
      const { labels } = await task(text.value, { top_k: null, signal });
      show(bars(labels.map(({ label, score }) => [label, score])));
    },
  };
}

function tags(task: Tasks["token-classification"]): TaskForm {
  const text = area("The old boat sails at dawn.");
  return {
    fields: [wide("Text", text)],
    async run(show, signal) {
      const { entities } = await task(text.value, { aggregation_strategy: "first", signal });
      show(marked(text.value, entities));
    },
  };
}

function speech(task: Tasks["automatic-speech-recognition"]): TaskForm {
  const file = el("input", { type: "file", accept: "audio/*,.wav" });
  return {
    fields: [wide("Recording", file)],
    async run(show, signal) {
      const recording = file.files?.[0];
      if (!recording) throw new Error("Choose a recording first.");
      let heard = "";
      for await (const { text } of task.stream(recording, { signal })) {
        heard += text;
        show(el("p", { class: "texts" }, heard));
      }
    },
  };
}

/** The form of each task. */
export const FORMS: { readonly [N in keyof Tasks]: (task: Tasks[N]) => TaskForm } = {
  text2text: textToText,
  translation: textToText,
  summarization: textToText,
  "text-generation": continuation,
  "feature-extraction": vectors,
  "text-classification": labels,
  "token-classification": tags,
  "automatic-speech-recognition": speech,
  "fill-mask": fillMask,
  "question-answering": answer,
  "zero-shot-classification": zeroShot,
  "text-ranking": rank,
  "sentence-similarity": similarity,
};
