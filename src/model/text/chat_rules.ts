import { FLAG, type Rule } from "../../runtime/checks.js";

const OBJECTS: Rule = {
  words: "a list of objects",
  holds: (value) =>
    Array.isArray(value) && Array.from<unknown>(value).every((one) => typeof one === "object" && one !== null),
};
const TEXT: Rule = { words: "the name of a template or a template", holds: (value) => typeof value === "string" };
const OBJECT: Rule = {
  words: "an object",
  holds: (value) => typeof value === "object" && value !== null && !Array.isArray(value),
};
const FIELD: Rule = {
  words: "true, false or the name of a field",
  holds: (value) => typeof value === "boolean" || (typeof value === "string" && value !== ""),
};

/** Options about conversations, as chat templates take them. */
export const CHAT_RULES = {
  tools: OBJECTS,
  documents: OBJECTS,
  chat_template: TEXT,
  chat_template_kwargs: OBJECT,
  add_generation_prompt: FLAG,
  continue_final_message: FIELD,
};
