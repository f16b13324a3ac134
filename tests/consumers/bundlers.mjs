// Builds of the project by the bundlers that people use, each into a folder of the project.
import { writeFile } from "node:fs/promises";
import { build as esbuild } from "esbuild";
import { build as viteBuild, createServer } from "vite";
import webpack from "webpack";

/** Puts a page into a folder of a bundle. */
const addPage = (folder, script, name = "index") =>
  writeFile(
    `${folder}/${name}.html`,
    `<!doctype html><link rel="icon" href="data:,"><script type="module" src="./${script}"></script>`,
  );

/** @param {string} project */
export async function buildWithEsbuild(project) {
  const outdir = `${project}/esbuild`;
  const { warnings } = await esbuild({
    entryPoints: [`${project}/page.js`],
    outdir,
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    absWorkingDir: project,
    logLevel: "silent",
  });
  if (warnings.length) throw new Error(warnings.map(({ text }) => text).join("; "));
  await addPage(outdir, "page.js");
}

/** For the web: Webpack takes apart what a dynamic import and `new Worker` name. */
export async function buildWithWebpack(project) {
  const path = `${project}/webpack`;
  const compiler = webpack({
    context: project,
    mode: "production",
    target: "web",
    entry: { page: "./page.js", worker_page: "./worker_page.js" },
    output: { path, publicPath: "auto" },
    performance: false,
    optimization: { minimize: false }, // it takes seconds
  });
  const stats = await new Promise((resolve, reject) =>
    compiler.run((error, found) => (error ? reject(error) : resolve(found))),
  );
  await new Promise((resolve) => compiler.close(resolve));
  const { errors, warnings } = stats.toJson({ all: false, errors: true, warnings: true });
  if (errors.length + warnings.length)
    throw new Error([...errors, ...warnings].map(({ message }) => message).join("; "));
  await addPage(path, "page.js");
  await addPage(path, "worker_page.js", "worker");
}

const QUIET = { checks: { bundlerTimings: false } }; // on a busy machine it warns of time

/** What Vite says, kept from the terminal: a warning is a failure here. */
function listen() {
  const heard = [];
  const hear = (message) => void heard.push(message);
  const logger = {
    info() {},
    warn: hear,
    warnOnce: hear,
    error: hear,
    clearScreen() {},
    hasErrorLogged: () => false,
    hasWarned: false,
  };
  const check = () => {
    if (heard.length) throw new Error(heard.join("; "));
  };
  return { logger, check };
}

export async function buildWithVite(project) {
  const { logger, check } = listen();
  await viteBuild({
    root: project,
    base: "./",
    configFile: false,
    customLogger: logger,
    build: {
      outDir: "vite",
      chunkSizeWarningLimit: 10_000,
      reportCompressedSize: false,
      rolldownOptions: { ...QUIET, input: [`${project}/index.html`, `${project}/worker.html`] },
    },
  });
  check();
}

/** The development server of Vite, which bundles dependencies when a page asks for them; it also serves the fixtures. */
export async function serveWithVite(project, serveFixture) {
  const { logger, check } = listen();
  const server = await createServer({
    root: project,
    configFile: false,
    customLogger: logger,
    optimizeDeps: { rolldownOptions: QUIET },
    server: { port: 0, host: "127.0.0.1", hmr: false, watch: null },
    plugins: [
      { name: "fixtures", configureServer: ({ middlewares }) => void middlewares.use("/fixtures", serveFixture) },
    ],
  });
  await server.listen();
  const [url] = server.resolvedUrls?.local ?? [];
  return { url, check, close: () => server.close() };
}
