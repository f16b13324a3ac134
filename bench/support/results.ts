import type { Results, Row } from "./measure.js";

/** Results with the time at which they were made, as files in bench/results have them. */
export interface DatedResults extends Results {
  /** ISO 8601. */
  readonly date: string;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const areNumbers = (value: unknown, ...names: string[]): boolean =>
  isObject(value) && names.every((name) => Number.isFinite(value[name]));
const isRow = (row: unknown): row is Row =>
  isObject(row) &&
  typeof row.bench === "string" &&
  typeof row.shape === "string" &&
  areNumbers(row.us, "median", "p10", "p90");

/** Why a value cannot be results; undefined when it is. */
function faultOf(value: unknown): string | undefined {
  if (!isObject(value)) return "must be an object of JSON";
  const { roofs, rows } = value;
  const unnamed = ["date", "runtime", "adapter", "clock", "variants"].find((name) => typeof value[name] !== "string");
  if (unnamed) return `must have a text ${unnamed}`;
  if (!areNumbers(roofs, "gflop_s", "launch_us")) return "must have roofs with gflop_s and launch_us";
  const { copies } = roofs as Record<string, unknown>;
  if (!Array.isArray(copies) || !copies.length || !copies.every((copy) => areNumbers(copy, "bytes", "gb_s")))
    return "must have roofs.copies, a list of { bytes, gb_s }";
  if (!Array.isArray(rows)) return "must have a list of rows";
  const odd = rows.findIndex((row) => !isRow(row));
  return odd < 0 ? undefined : `must have a bench, a shape and us { median, p10, p90 } in each row, row ${odd} has not`;
}

/** Reads the text of a file of results. `label` names it in messages. Throws Error for anything else. */
export function readResults(text: string, label: string): DatedResults {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new Error(`${label}: must be JSON; take a file of bench/results, or what the page saves`, { cause });
  }
  const fault = faultOf(value);
  if (fault) throw new Error(`${label}: results ${fault}; take a file of bench/results, or what the page saves`);
  return value as DatedResults;
}

/** The results as files in bench/results have them. */
export const resultsText = (results: DatedResults): string => `${JSON.stringify(results, null, 1)}\n`;
