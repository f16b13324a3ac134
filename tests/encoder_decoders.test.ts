import { checkCheckpoint } from "./support/checkpoint.js";

const CHROME = { chrome: "the pipelines of every checkpoint would take minutes; marian stands for all" };
const NODE = { ...CHROME, deno: "bart and m2m_100 stand for their kin" };

for (const name of ["bart", "m2m_100"]) await checkCheckpoint(`tests/fixtures/${name}`, undefined, CHROME);
for (const name of ["mbart", "pegasus", "marian-untied"])
  await checkCheckpoint(`tests/fixtures/${name}`, undefined, NODE);
