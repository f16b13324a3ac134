import { InputError, WgformerError } from "../index.js";
import type { Options } from "./arguments.js";
import type { Item } from "./items.js";

/** What became of a line: its result, the reason why there is none, or neither for a blank line. */
export interface Answer {
  readonly item: Item;
  readonly result?: unknown;
  readonly fault?: string;
}

/** Runs inputs together, with the options of their lines. */
export type Run = (inputs: readonly unknown[], options: Options | undefined) => Promise<readonly unknown[]>;

/** The answers to items, `size` lines at a time, in their order. A line that the task refuses stops no other one. */
export async function* answersOf(items: AsyncIterable<Item>, size: number, run: Run): AsyncGenerator<Answer[]> {
  let batch: Item[] = [];
  for await (const item of items) {
    batch.push(item);
    if (batch.length < size) continue;
    yield await answerAll(batch, run);
    batch = [];
  }
  if (batch.length) yield await answerAll(batch, run);
}

/** The answers to items that are run together. */
export async function answerAll(batch: readonly Item[], run: Run): Promise<Answer[]> {
  const found = new Map<Item, Answer>();
  const groups = new Map<string, Item[]>(); // what can be one call: inputs of a kind with the same options
  for (const item of batch) {
    if (item.input === undefined) found.set(item, { item, fault: item.fault });
    else {
      const key = JSON.stringify([item.options, Array.isArray(item.input)]);
      groups.set(key, [...(groups.get(key) ?? []), item]);
    }
  }
  for (const items of groups.values())
    for (const answer of await answerGroup(items, run)) found.set(answer.item, answer);
  return batch.map((item) => found.get(item) as Answer);
}

/** Runs items in one call, without those that it refuses. */
async function answerGroup(items: readonly Item[], run: Run): Promise<Answer[]> {
  if (items.length === 0) return [];
  try {
    const results = await run(
      items.map(({ input }) => input),
      items[0].options,
    );
    return items.map((item, at) => ({ item, result: results[at] }));
  } catch (error) {
    const isOwn = error instanceof InputError || (error instanceof WgformerError && items[0].options !== undefined);
    if (!isOwn) throw error;
    const { message } = error.cause instanceof WgformerError ? error.cause : error;
    if (items.length === 1) return [{ item: items[0], fault: message }];
    if (error instanceof InputError && error.index !== undefined) {
      const bad = items[error.index];
      const others = items.filter((item) => item !== bad);
      return [{ item: bad, fault: message }, ...(await answerGroup(others, run))];
    }
    const answers: Answer[] = [];
    for (const item of items) answers.push(...(await answerGroup([item], run)));
    return answers;
  }
}
