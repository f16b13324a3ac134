import type { SpeechChunk } from "../index.js";

/** A time of a subtitle: hours:minutes:seconds, `point`, milliseconds. */
function clock(seconds: number, point: string): string {
  const whole = Math.round(1000 * seconds);
  const pad = (value: number, width: number): string => String(Math.floor(value)).padStart(width, "0");
  const [hours, minutes] = [whole / 3_600_000, (whole / 60_000) % 60];
  return `${pad(hours, 2)}:${pad(minutes, 2)}:${pad((whole / 1000) % 60, 2)}${point}${pad(whole % 1000, 3)}`;
}

const times = ({ timestamp: [start, end] }: SpeechChunk, point: string): string =>
  `${clock(start, point)} --> ${clock(end, point)}`;

/** Parts of a transcript as SubRip (.srt). */
export const subRip = (chunks: readonly SpeechChunk[]): string =>
  chunks.map((chunk, c) => `${c + 1}\n${times(chunk, ",")}\n${chunk.text.trim()}\n`).join("\n");

/** Parts of a transcript as WebVTT (https://www.w3.org/TR/webvtt1/). */
export const webVtt = (chunks: readonly SpeechChunk[]): string =>
  ["WEBVTT\n", ...chunks.map((chunk) => `${times(chunk, ".")}\n${chunk.text.trim()}\n`)].join("\n");
