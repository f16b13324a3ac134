import { checkCheckpoint } from "./support/checkpoint.js";

const CHROME = { chrome: "the pipelines of every checkpoint would take minutes; marian stands for all" };

for (const name of ["bart", "mbart", "pegasus", "m2m_100", "marian-untied"])
  await checkCheckpoint(`tests/fixtures/${name}`, undefined, CHROME);
