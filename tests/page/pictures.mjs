// Pictures of all views as they are, for people to look at, and what is too wide for a phone.
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** @import { Page } from "playwright-core" */

const FOLDER = fileURLToPath(new URL("../../build/screenshots/", import.meta.url));
const WIDTHS = { 1280: 800, 390: 844 };

/** Resolves with the views whose page scrolls sideways, by width. @param {Page} page */
export async function takePictures(page) {
  mkdirSync(FOLDER, { recursive: true });
  await page.addStyleTag({ content: ".colophon { position: static }" }); // or else it lies across a long picture
  const wide = [];
  for (const [width, height] of Object.entries(WIDTHS)) {
    await page.setViewportSize({ width: Number(width), height });
    for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      for (const tab of await page.getByRole("tab").all()) {
        await tab.click();
        await page.waitForFunction(() => !document.querySelector("main [aria-busy]:not([hidden] *)"));
        const name = (await tab.innerText()).toLowerCase().replaceAll(" ", "-");
        const [seen, whole] = await page.evaluate(() => [innerWidth, document.documentElement.scrollWidth]);
        if (whole > seen) wide.push(`${name} at ${width}`);
        await page.screenshot({ path: `${FOLDER}${name}-${width}-${colorScheme}.png`, fullPage: true });
      }
    }
  }
  return { wide };
}
