// What people do on the page; each use resolves with what they see.
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** @import { Page } from "playwright-core" */

/** Where the model is that is named by its id. */
export const HUB = "https://huggingface.co/tests/";
const FOLDER = fileURLToPath(new URL("../fixtures/t5-texts/", import.meta.url));

/** Runs in the page: keeps the devices that it opens. */
export function watchDevices() {
  /** @type {GPUDevice[]} */
  const devices = [];
  const { requestDevice } = GPUAdapter.prototype;
  GPUAdapter.prototype.requestDevice = async function (descriptor) {
    const device = await requestDevice.call(this, descriptor);
    devices.push(device);
    return device;
  };
  Object.assign(globalThis, { devices });
}

const devicesOf = (page) => page.evaluate(() => globalThis.devices.length);

/** The results in the table, once the search is over. */
async function resultsOf(page, status = /^Searched/) {
  await page.locator("#status").filter({ hasText: status }).waitFor();
  await page.getByRole("columnheader", { name: "Result", exact: true }).waitFor();
  return page.locator(".ranked td.mono").allInnerTexts();
}

/** The finished results of the tree: the labels of the nodes that lead to each. */
const finishedInTree = (page) =>
  page.locator(".tree g.finished").evaluateAll((ends) =>
    ends.map((end) => {
      const labels = [];
      for (let node = end; node?.dataset.parent;) {
        labels.unshift(node.querySelector("text").textContent);
        node = node.ownerSVGElement.querySelector(`[data-key="${node.dataset.parent}"]`);
      }
      return labels.slice(0, -1).join(" ");
    }),
  );

/** Types a word and follows the search with the keyboard alone. @param {Page} page */
async function keyboard(page) {
  const asked = await devicesOf(page);
  const press = (...keys) => keys.reduce((done, key) => done.then(() => page.keyboard.press(key)), Promise.resolve());
  const focused = () => page.evaluate(() => document.activeElement?.textContent);
  await page.getByRole("tab").first().waitFor();
  await press("Tab", "Tab", "ArrowRight");
  const second = await focused();
  await press("End");
  const last = await focused();
  await press("Home", "Tab", "Tab"); // the model, then the word
  await page.keyboard.type("transformer"); // what is there is selected
  const start = performance.now();
  await press("Enter");
  await page.locator('[data-step="1"]').first().waitFor();
  console.log(`the first step is seen ${((performance.now() - start) / 1e3).toFixed(1)} s after the key`);
  await page.locator(".ranked td.mono").first().waitFor();
  console.log(`the first result is seen ${((performance.now() - start) / 1e3).toFixed(1)} s after the key`);
  const results = await resultsOf(page);
  await page.locator('[data-key][tabindex="0"]').focus();
  await press("ArrowRight", "ArrowRight", "ArrowDown");
  const said = await page.locator(".about").innerText();
  await press("Enter");
  const actions = await page.locator(".about button").allInnerTexts();
  return { asked, second, last, results, tree: await finishedInTree(page), said, actions };
}

/** Forces the second best first token. @param {Page} page */
async function forcing(page) {
  await page.locator('[data-key="0/1/1"]').click();
  await page.getByRole("button", { name: "Force this beginning" }).click();
  await page.locator(".forced").waitFor();
  return { results: await resultsOf(page) };
}

/** Changes options: the tree is another. @param {Page} page */
async function options(page) {
  await page.getByLabel("Beams W").fill("2");
  await page.getByLabel("Groups").fill("2");
  await page.getByLabel("Groups").press("Tab");
  await page.getByRole("heading", { name: "Group 2" }).waitFor();
  await resultsOf(page);
  return { groups: await page.locator(".tree").count(), link: new URL(page.url()).hash };
}

/** Loses the device, and searches again. @param {Page} page */
async function lostDevice(page) {
  const before = await devicesOf(page);
  await page.evaluate(() => globalThis.devices.at(-1).destroy());
  await page.locator("#status").filter({ hasText: "another is open" }).waitFor();
  await page.getByLabel("Groups").fill("1");
  await page.getByLabel("Beams W").fill("4");
  await page.getByRole("button", { name: "Search", exact: true }).click();
  return { before, after: await devicesOf(page), results: await resultsOf(page) };
}

/** Drops a folder as a file manager does, loads the model in it, and runs it. @param {Page} page */
async function dropped(page) {
  await page.getByRole("tab", { name: "Any model" }).click();
  const { x = 0, y = 0 } = (await page.locator(".drop").boundingBox()) ?? {};
  const browser = await page.context().newCDPSession(page);
  const data = { items: [], files: [FOLDER], dragOperationsMask: 1 };
  for (const type of /** @type {const} */ (["dragEnter", "dragOver", "drop"]))
    await browser.send("Input.dispatchDragEvent", { type, x: x + 9, y: y + 9, data });
  await page.getByRole("heading", { name: "t5-texts" }).waitFor();
  const task = await page.getByRole("combobox", { name: "Task" }).inputValue();
  const plan = await page.locator("#panel-model th").allInnerTexts();
  await page.getByRole("button", { name: "Load" }).click();
  await page.locator("#panel-model textarea").fill("the house is wonderful.");
  await page.getByRole("button", { name: "Run" }).click();
  await page.locator(".texts li").first().waitFor();
  const texts = await page.locator(".texts li").allInnerTexts();
  await page.getByRole("button", { name: "Dispose" }).click();
  return { task, plan, texts, left: await page.locator(".texts").count() };
}

const OPEN = { "Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "*" };

/** Answers as the Hub does, with the files of a fixture. @param {import("playwright-core").Route} route */
function answerAsHub(route) {
  const name = new URL(route.request().url()).pathname.split("/").at(-1) ?? "";
  const headers = { ...OPEN, ETag: `"${name}"`, "X-Repo-Commit": "0".repeat(40) };
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(route.request().headers().range ?? "") ?? [];
  if (!readdirSync(FOLDER).includes(name)) return route.fulfill({ status: 404, headers });
  const body = readFileSync(FOLDER + name);
  if (from === undefined) return route.fulfill({ body, headers });
  const end = Math.min(body.length - 1, Number(to || Infinity));
  const range = { ...headers, "Content-Range": `bytes ${from}-${end}/${body.length}` };
  return route.fulfill({ status: 206, body: body.subarray(Number(from), end + 1), headers: range });
}

/** Names a model of the Hub, loads it, and removes it from what the browser keeps. @param {Page} page */
async function ofTheHub(page) {
  await page.route(`${HUB}**`, answerAsHub);
  await page.locator("#panel-model").getByPlaceholder("org/name").fill("tests/t5");
  await page.getByRole("button", { name: "Look at it" }).click();
  await page.getByRole("heading", { name: "tests/t5" }).waitFor();
  await page.getByRole("button", { name: "Load" }).click();
  await page.getByRole("button", { name: "Dispose" }).click();
  await page.getByText("Models that this browser keeps").click();
  await page.getByRole("button", { name: "Remove tests/t5" }).click();
  return { link: new URL(page.url()).hash, kept: await page.getByText("None yet.").innerText() };
}

/** Measures two kernels. @param {Page} page */
async function benchmark(page) {
  await page.goto(`${page.url().split("#")[0]}#bench?kernels=pooling,rope`);
  await page.getByRole("button", { name: "Measure" }).click();
  await page.locator("#status").filter({ hasText: "shapes measured" }).waitFor();
  const kernels = await page.locator("#panel-bench tbody tr").evaluateAll((rows) => rows.map((row) => row.textContent));
  return { kernels, plots: await page.locator("#panel-bench svg").count() };
}

/** All uses by name, in the order of a visit: they share the page, its device and its models. */
export const USES = {
  keyboard,
  forcing,
  options,
  "a lost device": lostDevice,
  "a folder": dropped,
  "a model of the Hub": ofTheHub,
  benchmark,
};
