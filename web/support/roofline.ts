import type { Roofs } from "../../bench/support/roofs.js";
import { svg } from "./dom.js";
import { type LogAxis, logAxis, tickText } from "./plot.js";
import { bytesText, rateText } from "./units.js";

/** Something measured: the least work that it had to do, and how long it took. */
export interface RooflinePoint {
  readonly key: string;
  /** What it is called in a tooltip. */
  readonly title: string;
  readonly bytes: number;
  readonly flops: number;
  readonly us: number;
  /** A colour of the style sheet. */
  readonly colour: string;
  /** Drawn as a ring: of another device. */
  readonly hollow?: boolean;
}

/** What a roofline shows. */
export interface Roofline {
  readonly points: readonly RooflinePoint[];
  readonly roofs: Roofs;
  /** The point that is marked. */
  readonly chosen?: string;
  /** Called with the point that the pointer is on or has pressed. */
  choose?(key: string): void;
}

const [LEFT, RIGHT, TOP, BOTTOM] = [58, 14, 14, 44]; // around the plot
const LEAST = 1 / 64; // FLOP a byte; launches with fewer stand there, at their rate of bytes

/**
 * The roofline model (Williams et al. 2009): GFLOP/s over the FLOP of each byte. A point on a roof could not be faster on
 * this device. Two slanted roofs: copies of the fastest size, and of the largest, which no cache holds.
 */
export function drawRoofline({ points, roofs, chosen, choose }: Roofline, width: number): SVGSVGElement {
  const height = Math.round(Math.min(440, Math.max(280, width * 0.55)));
  const upper = [...points].sort((a, b) => Number(a.key === chosen) - Number(b.key === chosen));
  const placed = upper.map((point) => {
    const intensity = Math.max(LEAST, point.flops / point.bytes);
    return { point, intensity, gflop_s: Math.max((point.bytes * intensity) / point.us / 1e3, 1e-9) };
  });
  const most = Math.max(256, ...placed.map(({ intensity }) => intensity * 2));
  const top = Math.max(roofs.gflop_s, ...placed.map(({ gflop_s }) => gflop_s)) * 2;
  const low = Math.max(1e-4 * top, Math.min(top / 1e3, ...placed.map(({ gflop_s }) => gflop_s / 2)));
  const x = logAxis(LEAST, most, LEFT, width - RIGHT);
  const y = logAxis(low, top, height - BOTTOM, TOP);
  return svg(
    "svg",
    {
      width,
      height,
      viewBox: `0 0 ${width} ${height}`,
      role: "img",
      class: "roofline",
      "aria-label": label(points, roofs),
    },
    ...axes(x, y, width, height),
    ...roofLines(roofs, x, y),
    ...placed.map(({ point, intensity, gflop_s }) =>
      dot(point, x.at(intensity), y.at(gflop_s), point.key === chosen, choose),
    ),
  );
}

const label = (points: readonly RooflinePoint[], { gflop_s, copies }: Roofs): string =>
  `Roofline: ${points.length} points under ${rateText(gflop_s, "FLOP/s")} and ${rateText(fastest(copies).gb_s, "B/s")}; the table has their numbers`;

const fastest = (copies: Roofs["copies"]): Roofs["copies"][number] =>
  copies.reduce((best, copy) => (copy.gb_s > best.gb_s ? copy : best));

function axes(x: LogAxis, y: LogAxis, width: number, height: number): SVGElement[] {
  const across = x.ticks.flatMap((tick) => [
    svg("line", { x1: x.at(tick), x2: x.at(tick), y1: TOP, y2: height - BOTTOM, class: "grid" }),
    svg("text", { x: x.at(tick), y: height - BOTTOM + 16, "text-anchor": "middle" }, tickText(tick)),
  ]);
  const up = y.ticks.flatMap((tick) => [
    svg("line", { x1: LEFT, x2: width - RIGHT, y1: y.at(tick), y2: y.at(tick), class: "grid" }),
    svg("text", { x: LEFT - 6, y: y.at(tick) + 4, "text-anchor": "end" }, tickText(tick)),
  ]);
  const middle = (TOP + height - BOTTOM) / 2;
  return [
    ...across,
    ...up,
    svg("text", { x: (LEFT + width - RIGHT) / 2, y: height - 8, "text-anchor": "middle" }, "FLOP a byte"),
    svg("text", { x: 12, y: middle, "text-anchor": "middle", transform: `rotate(-90 12 ${middle})` }, "GFLOP/s"),
  ];
}

function roofLines({ copies, gflop_s }: Roofs, x: LogAxis, y: LogAxis): SVGElement[] {
  const slanted = [...new Set([fastest(copies), copies[copies.length - 1]])].flatMap(({ bytes, gb_s }, index) => {
    const ridge = gflop_s / gb_s; // FLOP a byte from which on arithmetic is the bound
    const start = Math.max(x.low, y.low / gb_s);
    const [x1, y1, x2, y2] = [x.at(start), y.at(start * gb_s), x.at(ridge), y.at(gflop_s)];
    const angle = (Math.atan2(y2 - y1, x2 - x1) * 180) / Math.PI;
    const name = `${rateText(gb_s, "B/s")}, copy of ${bytesText(bytes)}`;
    const at = { x: x1 + 8, y: y1 + (index ? 15 : -7), transform: `rotate(${angle} ${x1} ${y1})`, class: "roof-name" };
    return [svg("line", { x1, y1, x2, y2, class: index ? "roof far" : "roof" }), svg("text", at, name)];
  });
  const [from, to] = [x.at(gflop_s / fastest(copies).gb_s), x.at(x.high)];
  return [
    ...slanted,
    svg("line", { x1: from, x2: to, y1: y.at(gflop_s), y2: y.at(gflop_s), class: "roof" }),
    svg("text", { x: to, y: y.at(gflop_s) - 7, "text-anchor": "end", class: "roof-name" }, rateText(gflop_s, "FLOP/s")),
  ];
}

function dot(
  { key, title, colour, hollow }: RooflinePoint,
  cx: number,
  cy: number,
  marked: boolean,
  choose: Roofline["choose"],
): SVGElement {
  const look = hollow ? `fill:none;stroke:${colour}` : `fill:${colour}`;
  const circle = svg("circle", { cx, cy, r: marked ? 8 : 5, style: look, class: marked ? "dot pointed" : "dot" });
  circle.append(svg("title", {}, title));
  if (choose) circle.addEventListener("click", () => choose(key));
  return circle;
}

const COLOURS = 8; // --c1 to --c8

/** A colour for each of several names, in their order; the colours repeat. */
export const coloursOf = (names: readonly string[]): ReadonlyMap<string, string> =>
  new Map([...new Set(names)].map((name, index) => [name, `var(--c${(index % COLOURS) + 1})`]));
