import { type DatedResults, readResults, resultsText } from "../../../bench/support/results.js";
import { el } from "../../support/dom.js";

/** Numbers with four digits: more say nothing of a device. */
const rounded = (_: string, value: unknown): unknown =>
  typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value;

async function through(
  bytes: Uint8Array<ArrayBuffer>,
  stream: GenericTransformStream,
): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(stream)).arrayBuffer());
}

/** Results as a text for links: JSON, deflated, in the letters of base64url. */
export async function packResults(results: DatedResults): Promise<string> {
  const json = new TextEncoder().encode(JSON.stringify(results, rounded));
  const packed = await through(json, new CompressionStream("deflate-raw"));
  const letters = Array.from(packed, (byte) => String.fromCharCode(byte)).join("");
  return btoa(letters).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** The results in a link. Throws Error for a text that `packResults` did not make. */
export async function unpackResults(text: string): Promise<DatedResults> {
  const letters = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  const packed = Uint8Array.from(letters, (letter) => letter.charCodeAt(0));
  const json = await through(packed, new DecompressionStream("deflate-raw"));
  return readResults(new TextDecoder().decode(json), "the link");
}

/** Gives the user a file of results, as `npm run bench` writes it to bench/results. */
export function saveResults(name: string, results: DatedResults): void {
  const href = URL.createObjectURL(new Blob([resultsText(results)], { type: "application/json" }));
  el("a", { href, download: `${name}.json` }).click();
  setTimeout(() => URL.revokeObjectURL(href), 10e3); // the browser may still be reading it
}

/** The name of the browser, as files of results begin. */
export function browserName({ userAgent }: Navigator): string {
  const names = { firefox: /Firefox\//, edge: /Edg\//, chrome: /Chrome\//, safari: /Safari\// };
  return Object.entries(names).find(([, pattern]) => pattern.test(userAgent))?.[0] ?? "browser";
}
