import { checkCheckpoint } from "./support/checkpoint.js";

for (const name of ["t5", "t5-gated"]) await checkCheckpoint(`tests/fixtures/${name}`);
