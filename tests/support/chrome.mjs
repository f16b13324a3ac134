// Headless Chrome as a runtime: serves the files of this repository on localhost and runs a bundle in a page.
// The adapter is SwiftShader; CHROME_FLAGS adds flags, such as --use-webgpu-adapter=default for the adapter of the machine.
import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";

const root = fileURLToPath(new URL("../..", import.meta.url));
export const FLAGS = [
  "--headless=new",
  "--no-sandbox",
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  ...(process.env.CHROME_FLAGS?.split(" ").filter(Boolean) ?? []),
];
const CLOSING = 10e3; // ms; a browser that takes longer ends with this process
const SCRIPT = "text/javascript";
const TYPES = {
  ".html": "text/html",
  ".css": "text/css",
  ".js": SCRIPT,
  ".mjs": SCRIPT,
  ".json": "application/json",
  ".wasm": "application/wasm",
};
const EMPTY_PAGE = '<!doctype html><title>wgformer</title><link rel="icon" href="data:,">';

const sizeOf = (file) => {
  const found = statSync(file, { throwIfNoEntry: false });
  return found?.isFile() ? found.size : undefined;
};

// Isolated pages have fine-grained clocks.
/** @type {Record<string, string>} */
const ISOLATED = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

/**
 * Answers a request for a file of `folder`, which ends in a slash; the root is an empty page.
 * @param {string} folder
 * @param {import("node:http").IncomingMessage} request
 * @param {import("node:http").ServerResponse} response
 */
export function answer(folder, { url = "/", headers: { range } }, response) {
  const path = decodeURIComponent(new URL(url, "http://localhost").pathname);
  response.setHeader("Cache-Control", "no-store");
  response.setHeader("Content-Type", TYPES[path === "/" ? ".html" : extname(path)] ?? "application/octet-stream");
  if (path === "/") return response.end(EMPTY_PAGE);
  const file = folder + path.slice(1);
  const size = path.includes("..") ? undefined : sizeOf(file);
  if (size === undefined) return response.writeHead(404).end();
  const [, first, last] = range?.match(/^bytes=(\d+)-(\d*)$/) ?? [];
  if (first === undefined) return createReadStream(file).pipe(response);
  const [start, end] = [Number(first), Math.min(last ? Number(last) : Infinity, size - 1)];
  if (start > end) return response.writeHead(416, { "Content-Range": `bytes */${size}` }).end();
  response.writeHead(206, { "Content-Range": `bytes ${start}-${end}/${size}`, "Content-Length": end - start + 1 });
  return createReadStream(file, { start, end }).pipe(response);
}

/** Serves files by `handle`; by default the repository, also by byte range, at a free port. Every answer has `headers`. */
export async function serve(handle = answer.bind(undefined, root), headers = ISOLATED, port = 0) {
  const server = createServer((request, response) => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    return handle(request, response);
  });
  await new Promise((resolve, reject) =>
    server.once("error", reject).listen(port, "localhost", () => resolve(undefined)),
  );
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  const address = server.address();
  if (!address || typeof address === "string") throw new Error("the server of the tests has no port");
  return { url: `http://localhost:${address.port}/`, close };
}

/**
 * Rejects when the page fails or prints nothing for some minutes; prints its console.
 * @param {import("playwright-core").Browser} browser
 * @param {import("playwright-core").Page} page
 * @param {{ onError?: (text: string) => void, print?: (text: string) => void, silence?: number }} settings
 * @returns {Promise<never>}
 */
function watch(browser, page, { print, silence, onError }) {
  return new Promise((_, reject) => {
    const fail = (why) => reject(new Error(`Chrome: ${why}`));
    const hung = !silence
      ? undefined
      : setTimeout(() => fail(`the page hangs, it has printed nothing for ${silence} minutes`), 60e3 * silence);
    page.on("console", (message) => {
      hung?.refresh();
      const text = stripVTControlCharacters(message.text());
      if (!text.startsWith("Failed to load resource")) print?.(text); // sources ask for files that may not exist
    });
    page.on("pageerror", ({ stack, message }) => (onError ?? fail)(`uncaught in the page: ${stack ?? message}`));
    page.on("crash", () => fail("the page crashed"));
    browser.on("disconnected", () => {
      clearTimeout(hung);
      fail("the browser stopped");
    });
  });
}

/**
 * Opens an empty page and calls `use(call, version)`, in which `call(module, name, ...args)` returns an export of a module (a
 * path in the repository), or the result of calling it if it is a function. `print` gets the output of the page's console;
 * after `silence` minutes without any, the page counts as hung. Without `onError`, uncaught errors of the page are fatal.
 * @param {string} executablePath
 * @param {(call: (module: string, name: string, ...args: unknown[]) => Promise<any>, version: string) => Promise<any>} use
 * @param {{ onError?: (text: string) => void, print?: (text: string) => void, silence?: number }} [settings]
 */
export async function inChrome(executablePath, use, settings = {}) {
  const { chromium } = await import("playwright-core");
  const { url, close } = await serve();
  const browser = await chromium.launch({ executablePath, args: FLAGS });
  try {
    const page = await browser.newPage();
    const failure = watch(browser, page, settings);
    failure.catch(() => {}); // it may come when nothing awaits it any more
    await page.goto(url);
    /** @param {[string, string, unknown[]]} which */
    const take = async ([path, name, args]) => {
      const found = (await import(path))[name];
      return typeof found === "function" ? found(...args) : found;
    };
    const call = (module, name, ...args) =>
      Promise.race([
        page.evaluate(take, /** @type {[string, string, unknown[]]} */ ([`/${module}`, name, args])),
        failure,
      ]);
    return await use(call, browser.version());
  } finally {
    await Promise.race([browser.close(), new Promise((resolve) => setTimeout(resolve, CLOSING).unref())]);
    close();
  }
}

/** Runs a bundle (its path in the repository) in a page and resolves with its export `result`. */
export const runInChrome = (executablePath, bundle, print, silence) =>
  inChrome(executablePath, (call) => call(bundle, "result"), { print, silence });
