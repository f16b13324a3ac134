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

const run = promisify(execFile);
const node = (args, cwd) => run(process.execPath, args, { cwd });
const failure = ({ message, stdout = "" }) => ({ error: `${message}\n${stdout}`.trim() });
const FIXTURE = `${root}tests/fixtures/gpt2`;

/** What `work` resolves with, or its error; `{}` for nothing. */
const settle = (work) => work.then((value) => value ?? {}, failure);

const outcomes = {};
const note = async (name, work) => {
  outcomes[name] = await settle(work);
};

const compile = (project, ...options) =>
  node(
    [`${root}node_modules/typescript/bin/tsc`, "--noEmit", "--strict", "--target", "es2022", ...options, "types.ts"],
    project,
  );

async function runInDeno(project) {
  const args = ["run", "--allow-read", "deno.js", FIXTURE];
  return JSON.parse((await run(`${root}node_modules/.bin/deno`, args, { cwd: project })).stdout);
}

const folder = await realpath(await mkdtemp(`${tmpdir()}/wgformer-`));
try {
  const { project, tarball } = await makeProject(folder);
  const parsed = async (work) => JSON.parse((await work).stdout);
  const vite = await serveWithVite(project, serveFixture);
  await Promise.all([
    note(
      "publint",
      node([`${root}node_modules/publint/src/cli.js`, "run", tarball, "--strict"], project).then(() => {}),
    ),
    note(
      "are the types wrong",
      node(
        [`${root}node_modules/@arethetypeswrong/cli/dist/index.js`, tarball, "--profile", "esm-only", "--no-emoji"],
        project,
      ).then(() => {}),
    ),
    note(
      "TypeScript with nodenext",
      compile(project, "--module", "nodenext").then(() => {}),
    ),
    note(
      "TypeScript with bundler",
      compile(project, "--module", "esnext", "--moduleResolution", "bundler").then(() => {}),
    ),
    note(
      "TypeScript without the DOM",
      compile(project, "--module", "nodenext", "--lib", "es2023,esnext.disposable").then(() => {}),
    ),
    note("require", parsed(node(["required.cjs", FIXTURE], project))),
    note("Deno", runInDeno(project)),
    note("esbuild", buildWithEsbuild(project)),
    note("webpack", buildWithWebpack(project)),
    note("Vite", buildWithVite(project)),
  ]);
  Object.assign(outcomes, await visitAll(ensureBrowser(), project, vite));
  await note("the log of Vite's server", Promise.resolve().then(vite.check));
  await vite.close();
} finally {
  await rm(folder, { recursive: true, force: true });
}
console.log(JSON.stringify(outcomes));
