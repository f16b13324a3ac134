// Draws the tree of beams in which the pronunciations of a word are found: node examples/beam_tree.mjs [WORD] [FILE.svg]
import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { pipeline } from "wgformer";

const [word = "tomato", file = "build/beams.svg"] = process.argv.slice(2);
const speak = await pipeline("text2text", "models/g2p-en");
const steps = [];
await speak(word, { num_beams: 4, onStep: ({ sentences: [step] }) => void steps.push(step) });
const { finished } = steps[steps.length - 1];

// A column for each step: what was kept or finished, and the best two of what was cut, best first.
const [WIDE, HIGH, LEFT, TOP] = [94, 40, 110 + 10 * word.length, 74];
const columns = steps.map(({ candidates }) => {
  const cut = candidates.filter(({ fate }) => fate === "cut");
  return candidates.filter((one) => !cut.slice(2).includes(one));
});
const rows = Math.max(...columns.map(({ length }) => length));
const place = (t, row) => ({ x: LEFT + t * WIDE, y: TOP + HIGH * row });
const root = { x: LEFT - 90, y: TOP };
const nodes = columns.flatMap((column, t) => {
  const parentOf = ({ parent }) => columns[t - 1].findIndex(({ beam }) => beam === parent);
  return column.map((one, row) => ({ ...one, t, ...place(t, row), from: t ? place(t - 1, parentOf(one)) : root }));
});

// The way to the best hypothesis, from its end to its beginning.
const way = [];
for (let t = finished[0].step - 1, at; t >= 0; t--) {
  const next = at;
  at = nodes.find(
    (one) =>
      one.t === t && (next ? one.beam === next.parent : one.fate === "finished" && one.parent === finished[0].parent),
  );
  way.push(at);
}

const text = (id) => speak.tokenizer.decode([id], { skip_special_tokens: true }) || "end";
const kind = (one) => (way.includes(one) ? "best" : one.fate);
const why = ({ fate, reason, score }) => `${fate}${reason ? `: ${reason}` : ""}, log-probability ${score.toFixed(2)}`;
const edge = (one) => {
  const { x, y } = one.from;
  const [from, to] = [x + 27, one.x - 27];
  const middle = (from + to) / 2;
  return `<path class="${kind(one)}" stroke-width="${(1 + 5 * Math.exp(one.logprob)).toFixed(1)}" d="M${from} ${y}C${middle} ${y} ${middle} ${one.y} ${to} ${one.y}"/>`;
};
const node = (one) => `<g class="${kind(one)}" transform="translate(${one.x} ${one.y})"><title>${why(one)}</title>
<rect x="-27" y="-13" width="54" height="26" rx="13"/><text y="4">${text(one.token_id)}</text></g>`;
const ends = finished.map(({ token_ids, score }, rank) => {
  const said = speak.tokenizer.decode(token_ids, { skip_special_tokens: true });
  return `<text class="${rank ? "line" : "line first"}" x="40" y="${TOP + HIGH * rows + 22 * rank}">${score.toFixed(2)}  ${said}</text>`;
});
const [width, height] = [LEFT + WIDE * steps.length, TOP + HIGH * rows + 22 * finished.length + 14];
const style = `svg{--paper:#fff;--ink:#1f2430;--faint:#8b93a3;--line:#c3cad6;--node:#eef1f6;--best:#2f6fde;--end:#1a7f4b;font:13px ui-sans-serif,system-ui,sans-serif}
@media(prefers-color-scheme:dark){svg{--paper:#12151c;--ink:#e7eaf0;--faint:#78829a;--line:#3b4456;--node:#1f2531;--best:#6ea8ff;--end:#4cc38a}}
.paper{fill:var(--paper)}text{fill:var(--ink);text-anchor:middle}path{fill:none;stroke:var(--line)}rect{fill:var(--node)}.finished rect{fill:none;stroke:var(--end)}.finished text{fill:var(--end)}
path.cut{stroke-dasharray:2 4}.cut rect{fill:none}.cut text{fill:var(--faint);font-size:11px}path.best{stroke:var(--best)}.best rect{fill:var(--best)}.best text{fill:var(--paper);font-weight:600}
.title{font-size:17px;font-weight:600;text-anchor:end}.line{text-anchor:start;font-family:ui-monospace,monospace;white-space:pre}.first{fill:var(--best)}.hint{text-anchor:start;fill:var(--faint)}`;
await mkdir(dirname(file), { recursive: true });
await writeFile(
  file,
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img"><title>Beams for ${word}</title><style>${style}</style>
<rect class="paper" width="${width}" height="${height}" rx="12"/><text class="hint" x="40" y="32">How g2p-en says “${word}”: four beams, step by step. Dashed: cut.</text>
<text class="title" x="${root.x + 20}" y="${root.y + 5}">${word}</text>
${nodes.map(edge).join("\n")}
${nodes.map(node).join("\n")}
${ends.join("\n")}
</svg>\n`,
);
console.log(`${steps.length} steps, ${finished.length} pronunciations, best ${finished[0].score.toFixed(2)}: ${file}`);
speak.dispose();

// Prints:
// 7 steps, 4 pronunciations, best -0.16: build/beams.svg
