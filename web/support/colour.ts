import { type Scheme, scheme } from "./scheme.js";

type Rgb = readonly [number, number, number];

// Lightness alone says the value, so that every kind of sight reads it; the hue goes along. The lowest is nearly the paper.
const STOPS: Readonly<Record<Scheme, readonly Rgb[]>> = {
  light: [
    [247, 245, 238],
    [208, 224, 219],
    [139, 188, 197],
    [62, 138, 166],
    [27, 84, 128],
    [20, 36, 78],
  ],
  dark: [
    [27, 30, 35],
    [32, 55, 84],
    [38, 98, 128],
    [84, 147, 142],
    [170, 192, 130],
    [252, 235, 150],
  ],
};

/** The colour of a value from 0 to 1, as bytes of red, green and blue; others are those of the nearer end. */
export function colourAt(value: number, which: Scheme = scheme()): Rgb {
  const stops = STOPS[which];
  const place = Math.min(1, Math.max(0, value || 0)) * (stops.length - 1);
  const low = Math.min(stops.length - 2, Math.floor(place));
  const mix = (i: 0 | 1 | 2): number => Math.round(stops[low][i] + (place - low) * (stops[low + 1][i] - stops[low][i]));
  return [mix(0), mix(1), mix(2)];
}

/** `colourAt` for style sheets. */
export const cssColour = (value: number, which?: Scheme): string => `rgb(${colourAt(value, which).join(" ")})`;

/** Black or white: what can be read on the colour of a value. */
export function inkOn(value: number, which?: Scheme): string {
  const [r, g, b] = colourAt(value, which);
  return 0.299 * r + 0.587 * g + 0.114 * b > 140 ? "#14161a" : "#ffffff";
}

/** The whole scale, lowest on the left, as a background image. */
export const scaleGradient = (which?: Scheme): string =>
  `linear-gradient(to right, ${[0, 0.2, 0.4, 0.6, 0.8, 1].map((value) => cssColour(value, which)).join(", ")})`;
