// Draws what `node bench/peers/run.mjs ft --json FILE` measured: node bench/peers/ft/plot.mjs FILE > docs/ft.svg
import { readFileSync } from "node:fs";

const { date, rows } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const COLOURS = ["#9aa5b1", "#5b8def", "#12805c"];
const [LEFT, WIDTH, BAR, GAP, TOP] = [120, 760, 14, 16, 44];

/** Times of a step by setting: of each rival, and of Decoding, the mean of its medians beside each of them. */
const settings = [...new Set(rows.filter(({ failed }) => !failed).map(({ setting }) => setting))].map((setting) => {
  const own = rows.filter((row) => row.setting === setting && !row.failed);
  const bars = own.map(({ rival, theirs_ms }) => [rival, theirs_ms.median]);
  const ours = own.reduce((sum, { ours_ms }) => sum + ours_ms.median, 0) / own.length;
  return { name: setting.replace(", a step", ""), bars: [...bars, ["wgformer's Decoding", ours]] };
});
const names = [...new Set(settings.flatMap(({ bars }) => bars.map(([name]) => name)))];
const most = Math.max(...settings.flatMap(({ bars }) => bars.map(([, ms]) => ms)));
const scale = (WIDTH - LEFT - 90) / most;
const text = (x, y, words, more = "") => `<text x="${x}" y="${y}" ${more}>${words}</text>`;
const digits = (ms) => (ms < 10 ? ms.toFixed(1) : ms.toFixed(0));

let y = TOP;
const drawn = settings.flatMap(({ name, bars }) => {
  const middle = y + (bars.length * BAR) / 2 + 4;
  const lines = bars.map(([rival, ms]) => {
    const at = y;
    y += BAR;
    const width = (ms * scale).toFixed(1);
    return `<rect x="${LEFT}" y="${at}" width="${width}" height="${BAR - 2}" fill="${COLOURS[names.indexOf(rival)]}"/>${text(LEFT + Number(width) + 5, at + BAR - 4, `${digits(ms)} ms`)}`;
  });
  y += GAP;
  return [text(LEFT - 8, middle, name, 'text-anchor="end"'), ...lines];
});
const legend = names.map(
  (name, i) =>
    `<rect x="${LEFT + 225 * i}" y="14" width="10" height="10" fill="${COLOURS[i]}"/>${text(LEFT + 225 * i + 15, 23, name)}`,
);
console.log(`<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${y}" viewBox="0 0 ${WIDTH} ${y}" font-family="sans-serif" font-size="11">
<title>FasterTransformer's decoder, milliseconds a step, ${date.slice(0, 10)}</title>
<rect width="100%" height="100%" fill="white"/>
${[...legend, ...drawn].join("\n")}
</svg>`);
