// Headless Chrome as a runtime: serves the files of this repository on localhost and runs a bundle in a page of theirs.
// The adapter is SwiftShader; CHROME_FLAGS adds flags, e.g. --use-webgpu-adapter=default for that of the machine.
import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";

const root = fileURLToPath(new URL("../..", import.meta.url));
const FLAGS = [
  "--headless=new",
  "--no-sandbox",
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  ...(process.env.CHROME_FLAGS?.split(" ").filter(Boolean) ?? []),
];
const CLOSING = 10e3; // ms; a browser that takes longer dies with this process
const SCRIPT = "text/javascript";
const TYPES = { ".html": "text/html", ".js": SCRIPT, ".mjs": SCRIPT, ".json": "application/json" };
const EMPTY_PAGE = '<!doctype html><title>wgformer</title><link rel="icon" href="data:,">';

const sizeOf = (file) => {
  const found = statSync(file, { throwIfNoEntry: false });
  return found?.isFile() ? found.size : undefined;
};

/**
 * @param {import("node:http").IncomingMessage} request
 * @param {import("node:http").ServerResponse} response
 */
function answer({ url = "/", headers: { range } }, response) {
  const path = decodeURIComponent(new URL(url, "http://localhost").pathname);
  // A page of its own process has fine-grained clocks.
  response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
  response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
  response.setHeader("Cache-Control", "no-store");
  response.setHeader("Content-Type", TYPES[path === "/" ? ".html" : extname(path)] ?? "application/octet-stream");
  if (path === "/") return response.end(EMPTY_PAGE);
  const file = root + path.slice(1);
  const size = path.includes("..") ? undefined : sizeOf(file);
  if (size === undefined) return response.writeHead(404).end();
  const [, first, last] = range?.match(/^bytes=(\d+)-(\d*)$/) ?? [];
  if (first === undefined) return createReadStream(file).pipe(response);
  const [start, end] = [Number(first), Math.min(last ? Number(last) : Infinity, size - 1)];
  if (start > end) return response.writeHead(416, { "Content-Range": `bytes */${size}` }).end();
  response.writeHead(206, { "Content-Range": `bytes ${start}-${end}/${size}`, "Content-Length": end - start + 1 });
  return createReadStream(file, { start, end }).pipe(response);
}

/** Serves the repository, by byte range where one is asked for. */
export async function serve() {
  const server = createServer(answer);
  await new Promise((resolve, reject) => server.once("error", reject).listen(0, "localhost", () => resolve(undefined)));
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  const address = server.address();
  if (!address || typeof address === "string") throw new Error("the server of the tests has no port");
  return { url: `http://localhost:${address.port}/`, close };
}

/** Rejects when the page fails or prints nothing for some minutes; prints its console. */
function watch(browser, page, print, silence) {
  return new Promise((_, reject) => {
    const fail = (why) => reject(new Error(`Chrome: ${why}`));
    const hung = setTimeout(
      () => fail(`the page hangs, it has printed nothing for ${silence} minutes`),
      60e3 * silence,
    );
    page.on("console", (message) => {
      hung.refresh();
      const text = stripVTControlCharacters(message.text());
      if (!text.startsWith("Failed to load resource")) print(text); // sources ask for files that may be absent
    });
    page.on("pageerror", (error) => fail(`uncaught in the page: ${error.stack ?? error.message}`));
    page.on("crash", () => fail("the page crashed"));
    browser.on("disconnected", () => {
      clearTimeout(hung);
      fail("the browser stopped");
    });
  });
}

/** Imports a bundle (its path in the repository) in a page, resolves with its export `result`. Silence is in minutes. */
export async function runInChrome(executablePath, bundle, print, silence) {
  const { chromium } = await import("playwright-core");
  const { url, close } = await serve();
  const browser = await chromium.launch({ executablePath, args: FLAGS });
  try {
    const page = await browser.newPage();
    const failure = watch(browser, page, print, silence);
    failure.catch(() => {}); // it may come when nothing waits for it any more
    await page.goto(url);
    const result = page.evaluate(async (path) => (await import(path)).result, `/${bundle}`);
    return await Promise.race([result, failure]);
  } finally {
    await Promise.race([browser.close(), new Promise((resolve) => setTimeout(resolve, CLOSING).unref())]);
    close();
  }
}
