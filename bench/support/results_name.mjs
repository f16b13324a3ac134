/**
 * The name of a file of results, without its ending: what ran the benches, on which adapter, and which.
 * @param {{ runtime: string, adapter: string }} results
 * @param {readonly string[]} words
 */
export function resultsName({ runtime, adapter }, words) {
  const slug = adapter
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 32)
    .replace(/^-|-$/g, "");
  return [runtime, slug, ...words].join("-");
}
