import type { Tasks } from "../../../../src/index.js";
import { field, numberInput, selectInput } from "../../../support/controls.js";
import { el } from "../../../support/dom.js";
import { area, type TaskForm, wide } from "./form.js";

type TextTask = Tasks["text2text" | "translation" | "summarization"];

/** From text to text, with languages where the model has some. */
export function textToText(task: TextTask, example: string): TaskForm {
  const text = area(example);
  const beams = numberInput(4, { min: 1, max: 32 });
  const codes = Object.fromEntries([...task.tokenizer.languages.keys()].map((code) => [code, code]));
  const language = (): HTMLSelectElement => selectInput({ "": "as the checkpoint says", ...codes }, "");
  const [from, to] = [language(), language()];
  return {
    fields: [
      wide("Text", text),
      field("Beams", beams),
      ...(Object.keys(codes).length > 0 ? [field("From", from), field("To", to)] : []),
    ],
    async run(show, signal) {
      const num_beams = Number(beams.value);
      const results = await task(text.value, {
        num_beams,
        num_return_sequences: Math.min(4, num_beams),
        ...(from.value && { src_lang: from.value }),
        ...(to.value && { tgt_lang: to.value }),
        signal,
      });
      const textOf = (result: object): string => Object.values(result).find((value) => typeof value === "string") ?? "";
      show(el("ol", { class: "texts" }, ...results.map((result) => el("li", {}, textOf(result)))));
    },
  };
}

/** A conversation where the checkpoint has a template for it, or else the continuation of a text. */
export async function generation(task: Tasks["text-generation"]): Promise<TaskForm> {
  const tokens = numberInput(40, { min: 1, max: 4096 });
  const heat = numberInput(0.8, { min: 0, max: 2, step: 0.1 });
  const fields = [field("Tokens", tokens), field("Temperature", heat, "0 takes the best token")];
  const how = () => {
    const temperature = Number(heat.value);
    return { max_new_tokens: Number(tokens.value), ...(temperature > 0 && { do_sample: true, temperature }) };
  };
  return (await task.tokenizer.has_chat_template()) ? conversation(task, fields, how) : continuation(task, fields, how);
}

type How = () => { readonly max_new_tokens: number };

function continuation(task: Tasks["text-generation"], fields: readonly HTMLElement[], how: How): TaskForm {
  const text = area("The jury said");
  return {
    fields: [wide("Beginning", text), ...fields],
    async run(show, signal) {
      let written = text.value;
      for await (const piece of task.stream(text.value, { ...how(), signal })) {
        written += piece.text;
        show(el("p", { class: "texts" }, written));
      }
    },
  };
}

function conversation(task: Tasks["text-generation"], fields: readonly HTMLElement[], how: How): TaskForm {
  const text = area("Hello! Who are you?");
  const chat = task.chat();
  const line = (role: string, content: string): HTMLElement =>
    el("div", {}, el("dt", { class: "note" }, role), el("dd", {}, content));
  return {
    fields: [wide("Say", text), ...fields],
    async run(show, signal) {
      const before = chat.messages.map(({ role, content }) => line(role, String(content)));
      const said = line("user", text.value);
      let reply = "";
      for await (const piece of chat.stream(text.value, { ...how(), signal })) {
        reply += piece.text;
        show(el("dl", { class: "texts" }, ...before, said, line("assistant", reply)));
      }
      text.value = "";
    },
    dispose: () => chat.dispose(),
  };
}

/** From a recording to text. */
export function speech(task: Tasks["automatic-speech-recognition"]): TaskForm {
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
