import type { Tensor } from "../runtime/tensor.js";
import type { HostTensor } from "./core.js";
import type { Sequences } from "./sequences.js";

/**
 * A result of a plan: f32[N,...columns] with a row for each token, or f32[B,...columns] with a row for each sequence, or for
 * each group of tokens that is pooled.
 */
export interface Output {
  readonly per: "token" | "sequence";
  readonly data: Tensor;
}

/** The results of one sequence by name (`logits`, `hidden_states.3`): a row for each token, or a single row. */
export type SequenceResults = Readonly<Record<string, Float32Array>>;

/**
 * Splits all outputs, whose `values` are packed, into those of each sequence: of so many tokens (`lengths`), and so many
 * groups of them that are pooled.
 */
export function sequencesOf(
  outputs: readonly Output[],
  values: readonly Float32Array[],
  lengths: readonly number[],
  groups: readonly number[] = lengths.map(() => 1),
): SequenceResults[] {
  let first = 0; // of the sequence's tokens
  let group = 0;
  return lengths.map((length, b) => {
    const own = outputs.map(({ per, data }, index) => {
      const columns = values[index].length / data.shape[0];
      const [from, count] = per === "token" ? [first, length] : [group, groups[b]];
      return [data.name, values[index].slice(from * columns, (from + count) * columns)] as const;
    });
    first += length;
    group += groups[b];
    return Object.fromEntries(own);
  });
}

/** Where the tokens of the caller's rows are. */
export type Places = Pick<Sequences, "columns" | "width">;

/** Arranges a result with a row for each token as [B,S,columns], with zeros at padding. */
export function byToken(
  results: readonly SequenceResults[],
  name: string,
  { columns: places, width }: Places,
): HostTensor {
  const columns = results[0][name].length / places[0].length;
  const data = new Float32Array(places.length * width * columns);
  results.forEach((own, b) =>
    places[b].forEach((place, t) => {
      data.set(own[name].subarray(t * columns, (t + 1) * columns), (b * width + place) * columns);
    }),
  );
  return { dims: [places.length, width, columns], data };
}

/** Arranges a result with a row for each sequence as [B,columns]. */
export function bySequence(results: readonly SequenceResults[], name: string): HostTensor {
  const columns = results[0][name].length;
  const data = new Float32Array(results.length * columns);
  results.forEach((own, b) => data.set(own[name], b * columns));
  return { dims: [results.length, columns], data };
}

/**
 * Arranges attention weights [query,head,key] (with as many keys as the longest sequence of the batch, at least) as
 * [B,H,T,S], T queries and S keys, with zeros at padding.
 */
export function byHead(
  results: readonly SequenceResults[],
  name: string,
  queries: Places,
  keys: Places,
  H: number,
): HostTensor {
  const [T, S] = [queries.width, keys.width];
  const data = new Float32Array(results.length * H * T * S);
  results.forEach((own, b) => {
    const count = own[name].length / queries.columns[b].length / H;
    queries.columns[b].forEach((query, q) => {
      for (let h = 0; h < H; h++) {
        const to = ((b * H + h) * T + query) * S;
        keys.columns[b].forEach((key, k) => (data[to + key] = own[name][(q * H + h) * count + k]));
      }
    });
  });
  return { dims: [results.length, H, T, S], data };
}
