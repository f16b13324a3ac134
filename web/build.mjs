// Makes the static site of the page, build/web: any web server can serve it. The bundled models are in models/ beside it:
// --models copies them there. --serve builds, serves the site with the models of this repository, and builds again after
// each change.
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build, context } from "esbuild";
import { common, wgslLoader } from "../build.mjs";

/** @import { BuildOptions } from "esbuild" */

const root = fileURLToPath(new URL("..", import.meta.url));
const SITE = "build/web"; // in the repository
const MODELS = ["g2p-en", "bert-pos", "gpt2-brown"];
const FILES = ["config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"];

/** @type {BuildOptions} */
const page = {
  ...common,
  entryPoints: { main: "web/main.ts", style: "web/style.css" },
  splitting: true, // a view is fetched with its tab
  chunkNames: "[name]-[hash]",
  outdir: SITE,
  platform: "browser",
  minify: true,
  plugins: [wgslLoader({ release: false })], // the page shows shaders as they are written
};

function prepareSite() {
  rmSync(root + SITE, { recursive: true, force: true });
  mkdirSync(root + SITE, { recursive: true });
  cpSync(`${root}web/index.html`, `${root}${SITE}/index.html`);
}

/** Builds the site without models. */
export async function buildSite() {
  prepareSite();
  await build(page);
}

/** Bytes of the site's files without models, and as servers send them. */
export function siteBytes() {
  const files = readdirSync(root + SITE, { withFileTypes: true }).filter((entry) => entry.isFile());
  const texts = files.map(({ name }) => readFileSync(`${root}${SITE}/${name}`));
  const sum = (/** @type {Buffer[]} */ list) => list.reduce((total, { length }) => total + length, 0);
  return { stored: sum(texts), sent: sum(texts.map((text) => gzipSync(text))) };
}

function copyModels() {
  for (const model of MODELS)
    for (const name of FILES) {
      const file = `${root}models/${model}/${name}`;
      if (statSync(file, { throwIfNoEntry: false })) cpSync(file, `${root}${SITE}/models/${model}/${name}`);
    }
}

/** Serves the site, and the models of this repository beside it. */
export async function serveSite(port = 0) {
  const { answer, serve } = await import("../tests/support/chrome.mjs");
  const handle = (request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    if (pathname.startsWith("/models/")) return answer(root, request, response);
    return answer(
      `${root}${SITE}/`,
      Object.assign(request, { url: pathname === "/" ? "/index.html" : pathname }),
      response,
    );
  };
  return serve(handle, undefined, port);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await buildSite();
  if (process.argv.includes("--models")) copyModels();
  if (process.argv.includes("--serve")) {
    await (await context({ ...page, logLevel: "info" })).watch();
    const { url } = await serveSite(Number(process.env.PORT ?? 8013));
    console.log(url);
  } else {
    const { stored, sent } = siteBytes();
    console.log(`${SITE}: ${(stored / 1e3).toFixed(0)} kB without models, ${(sent / 1e3).toFixed(0)} kB compressed`);
  }
}
