// The project in pages of headless Chrome: as it was built, in plain modules, in a worker, and in pages that are not as
// a library would like them.
import { chromium } from "playwright-core";
import { answer, FLAGS, serve } from "../support/chrome.mjs";
import { root } from "./project.mjs";

const ANYONE = { "Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "Content-Range" };
const PATIENCE = 120e3; // ms; other runtimes may keep the machine busy
const INSECURE = "page.test"; // http under a name that is not localhost

/** Serves the fixtures of the tests under a path from which that of the request is taken. */
export const serveFixture = answer.bind(undefined, `${root}tests/fixtures/`);

const CDN = /^\/npm\/wgformer@[\d.]+\//;

/** Serves the project, the fixtures, and the package as a CDN does. @param {string} project */
export function serveProject(project) {
  const files = answer.bind(undefined, `${project}/`);
  const handle = (request, response) => {
    const url = request.url.replace(CDN, "/node_modules/wgformer/");
    return url.startsWith("/fixtures/")
      ? serveFixture(Object.assign(request, { url: url.slice("/fixtures".length) }), response)
      : files(Object.assign(request, { url }), response);
  };
  return serve(handle, ANYONE);
}

export const startChrome = (executablePath) =>
  chromium.launch({ executablePath, args: [...FLAGS, `--host-resolver-rules=MAP ${INSECURE} 127.0.0.1`] });

/**
 * What the project's page at `url` comes to, after `prepare` ran in it; in its frame where it has one.
 * @param {import("playwright-core").Browser} browser
 */
export async function visit(browser, url, prepare = () => {}) {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE);
    const errors = [];
    page.on("pageerror", ({ message }) => errors.push(message));
    page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
    await page.addInitScript(prepare);
    await page.goto(url);
    const [main, frame = main] = page.frames();
    const found = await frame.evaluate(() =>
      Promise.resolve(globalThis.result).then(
        (result) => result,
        (error) => ({ error: `${error.name}: ${error.message}` }),
      ),
    );
    return found ?? { error: `no result; ${errors.join("; ")}` };
  } finally {
    await context.close();
  }
}

/** What pages hold for the library in some applications: each runs before the page's own scripts. */
export const ODD_PAGES = {
  "a page with a process of its own": () => {
    Object.assign(globalThis, { process: { env: {}, versions: { node: "20.0.0" }, platform: "browser" } });
  },
  "a page with setImmediate": () => {
    Object.assign(globalThis, { setImmediate: (call) => setTimeout(() => call()) });
    Atomics.wait = () => {
      throw new Error("the page waits");
    };
  },
  "a page whose caches throw": () => {
    Object.defineProperty(globalThis, "caches", {
      get() {
        throw new DOMException("denied", "SecurityError");
      },
    });
  },
};

/** Visits the project in all pages, one after another; resolves with what came of each, by name. */
export async function visitAll(executablePath, project, vite) {
  const { url, close } = await serveProject(project);
  const browser = await startChrome(executablePath);
  const plain = `${url}plain.html`;
  const insecure = new URL(plain);
  insecure.hostname = INSECURE;
  /** @type {Record<string, [string, (() => void)?]>} */
  const places = {
    "the bundle of Vite": [`${url}vite/index.html`],
    "the bundle of webpack": [`${url}webpack/index.html`],
    "the bundle of esbuild": [`${url}esbuild/index.html`],
    "Vite's server": [`${vite.url}index.html`],
    "plain modules": [plain],
    "a page with a CDN": [`${url}cdn.html`],
    "a worker in the bundle of Vite": [`${url}vite/worker.html`],
    "a worker in the bundle of webpack": [`${url}webpack/worker.html`],
    "a worker of Vite's server": [`${vite.url}worker.html`],
    "a frame of a sandbox": [`${url}sandbox.html`],
    "a page that is not secure": [insecure.href],
  };
  for (const [name, prepare] of Object.entries(ODD_PAGES)) places[name] = [plain, prepare];
  try {
    const found = {};
    for (const [name, [place, prepare]] of Object.entries(places)) {
      found[name] = await visit(browser, place, prepare).catch(({ message }) => ({ error: message }));
    }
    return found;
  } finally {
    await browser.close();
    close();
  }
}
