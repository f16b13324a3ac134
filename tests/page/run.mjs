// Builds the page, uses it in a browser as people do, and prints what came of each use as JSON, by name, in its last line:
// node tests/page/run.mjs. Pictures of all views are left in build/screenshots.
import { chromium } from "playwright-core";
import { ensureBrowser } from "../../setup.mjs";
import { buildSite, serveSite, siteBytes } from "../../web/build.mjs";
import { FLAGS } from "../support/chrome.mjs";
import { takePictures } from "./pictures.mjs";
import { HUB, USES, watchDevices } from "./uses.mjs";
import { VIEW_USES } from "./views.mjs";

const PATIENCE = 120e3; // ms; other runtimes may keep the machine busy

/**
 * Opens the page in a window of its own; `prepare` runs before its scripts.
 * @param {import("playwright-core").Browser} browser
 * @param {string} url
 */
async function open(browser, url, prepare = () => {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: "reduce" });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const faults = [];
  page.on("pageerror", ({ message }) => faults.push(message));
  page.on("console", (message) => {
    const absent = message.text().startsWith("Failed to load resource"); // sources ask for files that may not exist
    if (["error", "warning"].includes(message.type()) && !absent) faults.push(message.text());
  });
  page.on("request", (request) => {
    const known = [url, HUB, "data:", "blob:"].some((start) => request.url().startsWith(start));
    if (!known) faults.push(`asks ${request.url()}`);
  });
  await page.addInitScript(prepare);
  await page.goto(url);
  return { page, faults };
}

const outcomes = {};
const note = async (name, work) => {
  const start = performance.now();
  outcomes[name] = await work().catch(({ message }) => ({ error: message }));
  console.log(`${name}: ${((performance.now() - start) / 1e3).toFixed(1)} s`);
};

await buildSite();
outcomes.size = siteBytes();
const { url, close } = await serveSite();
const browser = await chromium.launch({ executablePath: ensureBrowser(), args: FLAGS });
try {
  const { page, faults } = await open(browser, url, watchDevices);
  for (const [name, use] of Object.entries({ ...USES, ...VIEW_USES })) await note(name, () => use(page));
  await note("pictures", () => takePictures(page));
  outcomes.faults = faults;
  const without = await open(browser, url, () => Object.defineProperty(navigator, "gpu", { value: undefined }));
  await note("without WebGPU", async () => {
    await without.page.getByRole("button", { name: "Search" }).click();
    return without.page.getByRole("alert").innerText();
  });
} finally {
  await browser.close();
  close();
}
console.log(JSON.stringify(outcomes));
process.exit();
