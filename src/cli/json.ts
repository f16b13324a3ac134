import { type HostTensor, WgformerError } from "../index.js";

/** A value for JSON: typed arrays are lists, of no more digits than their type has. */
function plain(value: unknown): unknown {
  if (value instanceof Float32Array) return Array.from(value, (number) => Number(number.toPrecision(9)));
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<number>);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, plain(item)]));
}

/** A value as a line of JSON. Throws WgformerError where it holds a number that JSON would turn into null. */
export function jsonLine(place: string, value: unknown): string {
  const all = plain(value);
  checkFinite(place, all);
  return JSON.stringify(all);
}

/** A tensor for JSON. */
export const tensorJson = ({ dims, data }: HostTensor): unknown => ({ dims, data });

function checkFinite(place: string, value: unknown): void {
  if (typeof value === "number" && !Number.isFinite(value))
    throw new WgformerError(`${place} must be a finite number, is ${value}; JSON has no such number`);
  if (typeof value !== "object" || value === null || (Array.isArray(value) && value.every(Number.isFinite))) return;
  for (const [key, item] of Object.entries(value)) checkFinite(`${place}.${key}`, item);
}
