// The encoders and batches that are compared.
import { randoms } from "../build/random.mjs";

export const V = 30522;
export const SHAPES = {
  tiny: { L: 2, D: 16, H: 4, F: 32, vocab: 97 }, // for the reference in f64
  minilm: { L: 6, D: 384, H: 12, F: 1536, vocab: V },
  "bert-base": { L: 12, D: 768, H: 12, F: 3072, vocab: V },
};

const SHORTEST = 5; // tokens

const full = (B, S) => ({ name: `B=${B} S=${S}`, lengths: Array(B).fill(S), ragged: false });

function ragged(B, S) {
  const random = randoms(17);
  const lengths = Array.from({ length: B }, () => SHORTEST + Math.floor(((random() + 1) / 2) * (S - SHORTEST + 1)));
  return { name: `B=${B} ragged to ${S}`, lengths, ragged: true };
}

/** Batches by where and with what shape they run. */
export const BATCHES = {
  node: {
    minilm: [full(1, 32), full(1, 128), full(8, 32), full(8, 128), ragged(8, 32), ragged(8, 128)],
    "bert-base": [full(1, 32), full(1, 128), ragged(8, 32), ragged(8, 128)],
  },
  chrome: { minilm: [full(1, 32), ragged(4, 32)] },
};
export const TINY = { name: "tiny", lengths: [7, 3, 20], ragged: true };

/** Rows of ids for both sides, padded to the longest, with what is padding. */
export function inputsOf({ lengths }, vocab) {
  const random = randoms(23);
  const S = Math.max(...lengths);
  const rows = (fill) => lengths.map((length) => Array.from({ length: S }, (_, t) => (t < length ? fill() : 0)));
  return { input_ids: rows(() => Math.floor(((random() + 1) / 2) * vocab)), attention_mask: rows(() => 1) };
}

/** Largest difference at tokens. Throws when the hidden states disagree: nothing is timed then. */
export function compare({ dims: [B, S, D], data }, theirs, { lengths }, tolerance) {
  if (theirs.length !== B * S * D) throw new Error(`hidden states must be ${B * S * D} numbers, got ${theirs.length}`);
  let worst = 0;
  lengths.forEach((length, b) => {
    for (let at = b * S * D; at < (b * S + length) * D; at++) {
      const difference = Math.abs(data[at] - theirs[at]);
      if (!(difference <= tolerance)) throw new Error(`hidden state [${at}] is ${theirs[at]} there, ${data[at]} here`);
      worst = Math.max(worst, difference);
    }
  });
  return worst;
}
