import { checkCheckpoint } from "./support/checkpoint.js";

await checkCheckpoint("tests/fixtures/bert");
await checkCheckpoint("tests/fixtures/bert-token-classifier");
await checkCheckpoint("tests/fixtures/bert-sequence-classifier");
await checkCheckpoint("tests/fixtures/roberta");
await checkCheckpoint("tests/fixtures/distilbert");
await checkCheckpoint("models/bert-pos");
