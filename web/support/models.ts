import type { BundledModel, BundledTask } from "./view.js";

/** What each bundled model is for. */
export const TASKS: Readonly<Record<BundledModel, BundledTask>> = {
  "g2p-en": "text2text",
  "bert-pos": "token-classification",
  "gpt2-brown": "text-generation",
};
