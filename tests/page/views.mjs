// What people do in the views Attention, Write on, Inside and Benchmark; each use resolves with what they see.
import { fileURLToPath } from "node:url";

/** @import { Page } from "playwright-core" */

const RESULTS = fileURLToPath(new URL("../../bench/results/", import.meta.url));

/** Follows a link to a view. @param {Page} page @param {string} place */
const follow = (page, place) => page.goto(`${page.url().split("#")[0]}#${place}`);

/** How many colours each canvas of the attention has. @param {Page} page */
const coloursOf = (page) =>
  page.locator(".attention canvas").evaluateAll((canvases) =>
    canvases.map((canvas) => {
      const { width, height } = /** @type {HTMLCanvasElement} */ (canvas);
      const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
      copy?.drawImage(/** @type {HTMLCanvasElement} */ (canvas), 0, 0);
      return new Set(new Uint32Array(copy?.getImageData(0, 0, width, height).data.buffer ?? [])).size;
    }),
  );

/** Waits until all canvases are drawn. @param {Page} page */
async function drawnColours(page) {
  for (;;) {
    const colours = await coloursOf(page);
    if (colours.every((count) => count > 1)) return colours;
    await page.waitForTimeout(50);
  }
}

/** Looks at one head of g2p-en, at one phoneme of it, leaves the tab and comes back. @param {Page} page */
async function attention(page) {
  await follow(page, "attention?source=cross&text=transformer");
  await page.getByRole("button", { name: "Draw" }).click();
  await page.getByRole("button", { name: "layer 2, head 3" }).click();
  const colours = await drawnColours(page);
  await page.locator(".links li button", { hasText: "N" }).first().focus();
  const said = await page.locator(".attention [aria-live]").innerText();
  await page.getByRole("img", { name: "Weights of the head" }).focus();
  for (const key of ["ArrowRight", "ArrowDown"]) await page.keyboard.press(key);
  const cell = await page.locator(".attention [aria-live]").innerText();
  await page.getByRole("tab", { name: "Inside" }).click();
  await page.getByRole("tab", { name: "Attention" }).click();
  await page.locator(".attention:not([aria-busy])").waitFor(); // what it shows is on the device again
  await page
    .locator(".attention canvas")
    .evaluateAll((all) => all.forEach((canvas) => canvas.toggleAttribute("width")));
  await page.getByRole("button", { name: "layer 1, head 1" }).click();
  return { colours, said, cell, again: await drawnColours(page) };
}

/** Lets gpt2-brown write, and takes another word. @param {Page} page */
async function writing(page) {
  await follow(page, "write?do_sample=false&max_new_tokens=5&text=The+jury+said");
  const finished = page.locator("#panel-write [role=status]").filter({ hasText: /^Done: / });
  await page.getByRole("button", { name: "Write", exact: true }).click();
  await finished.waitFor();
  const text = await page.locator(".passage").innerText();
  await page.locator(".passage .token").nth(2).focus();
  const other = page.locator(".alternatives button:enabled").first();
  const word = (await other.locator(".mono").innerText()).replace("·", " ");
  await other.click();
  await page.locator(".passage .token").nth(6).waitFor();
  await finished.waitFor();
  const tokens = await page.locator(".passage .token").evaluateAll((all) => all.map((token) => token.textContent));
  return { text, word, tokens };
}

/** Verifies and times the encoder of bert-pos, and reads a shader. @param {Page} page */
async function inside(page) {
  await follow(page, "inside?model=bert-pos&plan=encoder&rows=4");
  const summary = page.locator("#panel-inside [role=status]");
  await page.getByRole("button", { name: "Verify" }).click();
  await summary.filter({ hasText: "agree" }).waitFor();
  const verdict = await summary.innerText();
  await page.getByRole("button", { name: "Time", exact: true }).click();
  await summary.filter({ hasText: "one after the other" }).waitFor();
  await page
    .getByRole("button", { name: /^attention/ })
    .first()
    .click();
  return {
    verdict,
    launches: await page.locator(".launches tbody tr").count(),
    dots: await page.locator("#panel-inside .dot").count(),
    shader: await page.locator(".wgsl").innerText(),
  };
}

/** Looks at stored results, beside themselves, and follows a link to them. @param {Page} page */
async function results(page) {
  const topk = `${RESULTS}node-llvmpipe-mesa-25-0-7-2-bpo12-1-l-topk.json`;
  await follow(page, "bench");
  await page.setInputFiles("#panel-bench input[type=file]", topk);
  await page.setInputFiles("#panel-bench input[type=file]", topk);
  await page.getByRole("columnheader", { name: "Than the other" }).waitFor();
  const compared = await page.locator("#panel-bench tbody td:last-child").allInnerTexts();
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.getByRole("button", { name: "Copy link" }).click();
  await page.locator("#status").filter({ hasText: "The link is copied" }).waitFor();
  const link = await page.evaluate(() => navigator.clipboard.readText());
  await page.goto(link);
  await page.locator("#panel-bench tbody td").first().waitFor();
  return { compared, linked: await page.locator("#panel-bench tbody td:nth-child(2)").allInnerTexts() };
}

/** Predicts a step of g2p-en and runs it. @param {Page} page */
async function prediction(page) {
  await follow(page, "bench?predict=g2p-en&rows=2");
  await page.getByRole("button", { name: "Predict and run" }).click();
  const summary = page.locator("#panel-bench [role=status]").filter({ hasText: /^Predicted / });
  await summary.waitFor();
  const cells = page.locator(".predicted tbody td.number");
  return {
    summary: await summary.innerText(),
    kinds: await page.locator(".predicted tbody tr").count(),
    times: await cells.allInnerTexts(),
    bounds: await page.locator(".predicted tbody td:last-child").allInnerTexts(),
  };
}

/** All uses by name. */
export const VIEW_USES = { attention, writing, inside, results, prediction };
