// Packs the package, uses it as strangers do, and prints what came of each use as JSON, by name, in its last line:
// node tests/consumers/run.mjs
import { execFile } from "node:child_process";
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { promisify } from "node:util";
import { ensureBrowser } from "../../setup.mjs";
import { buildWithEsbuild, buildWithVite, buildWithWebpack, serveWithVite } from "./bundlers.mjs";
import { serveFixture, visitAll } from "./pages.mjs";
import { makeProject, root } from "./project.mjs";

const FIXTURE = `${root}tests/fixtures/gpt2`;
const tool = (name) => `${root}node_modules/${name}`;
const TYPES = [tool("typescript/bin/tsc"), "--noEmit", "--strict", "--target", "es2022", "types.ts"];

/** What each command does in the project; its words follow Node. */
const checks = (tarball) => ({
  publint: [tool("publint/src/cli.js"), "run", tarball, "--strict"],
  "are the types wrong": [
    tool("@arethetypeswrong/cli/dist/index.js"),
    tarball,
    "--config-path",
    `${root}.attw.json`,
    "--no-emoji",
  ],
  "TypeScript with nodenext": [...TYPES, "types.cts", "--module", "nodenext"],
  "TypeScript with bundler": [...TYPES, "--module", "esnext", "--moduleResolution", "bundler"],
  "TypeScript without the DOM": [...TYPES, "--module", "nodenext", "--lib", "es2023"],
});

const builds = { esbuild: buildWithEsbuild, webpack: buildWithWebpack, Vite: buildWithVite };

/** Uses the package in a project in `folder`; resolves with the outcomes. */
async function useAll(folder) {
  const { project, tarball } = await makeProject(folder);
  const outcomes = {};
  /** Notes what `work` resolves with, or its error; `{}` for nothing. */
  const note = async (name, work) => {
    const failure = ({ message, stdout = "" }) => ({ error: `${message}\n${stdout}`.trim() });
    outcomes[name] = await work.then((value) => value ?? {}, failure);
  };
  const run = async (file, words) => (await promisify(execFile)(file, words, { cwd: project })).stdout;
  const check = async (words) => void (await run(process.execPath, words));
  const answer = async (file, words) => JSON.parse(await run(file, words));

  const vite = await serveWithVite(project, serveFixture);
  await Promise.all([
    ...Object.entries(checks(tarball)).map(([name, words]) => note(name, check(words))),
    ...Object.entries(builds).map(([name, build]) => note(name, build(project))),
    note("require", answer(process.execPath, ["required.cjs", FIXTURE])),
    note("Deno", answer(tool(".bin/deno"), ["run", "--allow-read", "deno.js", FIXTURE])),
  ]);
  Object.assign(outcomes, await visitAll(ensureBrowser(), project, vite));
  await note("the log of Vite's server", Promise.resolve().then(vite.check));
  await vite.close();
  return outcomes;
}

const folder = await realpath(await mkdtemp(`${tmpdir()}/wgformer-`));
try {
  console.log(JSON.stringify(await useAll(folder)));
} finally {
  await rm(folder, { recursive: true, force: true });
}
process.exit(); // whatever a bundler has left running
