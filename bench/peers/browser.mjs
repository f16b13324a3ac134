// Headless Chrome on its software adapter, with a page that may import the modules of this folder.
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname } from "node:path";
import { chromium } from "playwright-core";
import { here, models } from "./harness.mjs";

const FLAGS = ["--headless=new", "--no-sandbox", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];
const TYPES = { ".mjs": "text/javascript", ".js": "text/javascript", ".wasm": "application/wasm" };

/** This folder and the models, with byte ranges, isolated so that wasm may have threads. */
function serve() {
  const server = createServer(({ url, headers: { range } }, response) => {
    const path = decodeURIComponent(new URL(url, "http://localhost").pathname);
    response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
    response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
    response.setHeader("Content-Type", TYPES[extname(path)] ?? "text/html");
    if (path === "/index.html") return response.end("<!doctype html>");
    const file = path.startsWith("/models/") ? models + path.slice(8) : here + path.slice(1);
    if (path.includes("..") || !existsSync(file)) return response.writeHead(404).end();
    const bytes = readFileSync(file);
    const [, start, end] = range?.match(/^bytes=(\d+)-(\d*)$/) ?? [];
    if (start === undefined) return response.end(bytes);
    const last = Math.min(end ? Number(end) : Infinity, bytes.length - 1);
    response.writeHead(206, { "Content-Range": `bytes ${start}-${last}/${bytes.length}` });
    return response.end(bytes.subarray(Number(start), last + 1));
  });
  return new Promise((resolve) => server.listen(0, "localhost", () => resolve(server)));
}

/** Opens Chrome for `use(call, version)`, where `call(name, ...args)` runs an export of `module` in the page. */
export async function inChrome(executablePath, module, use) {
  const server = await serve();
  const browser = await chromium.launch({ executablePath, args: FLAGS });
  try {
    const page = await browser.newPage();
    page.on("pageerror", (error) => console.log(`Chrome: ${error.message}`));
    await page.goto(`http://localhost:${server.address().port}/index.html`);
    const call = (name, ...args) =>
      page.evaluate(async ([from, f, list]) => (await import(from))[f](...list), [module, name, args]);
    return await use(call, browser.version());
  } finally {
    await browser.close();
    server.close();
  }
}
