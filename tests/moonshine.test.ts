import { checkCheckpoint } from "./support/checkpoint.js";

/** Why Chrome leaves a model out. */
const CHROME = { chrome: "the pipelines of every checkpoint would take minutes; marian stands for all" };

await checkCheckpoint("tests/fixtures/moonshine", undefined, CHROME);
