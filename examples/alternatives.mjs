// Alternatives after what a user has accepted, each with its own continuation; and the letters that sounds come from.
import { pipeline } from "wgformer";

const pronounce = await pipeline("text2text", "models/g2p-en");
const show = (results) => {
  for (const { generated_text, score } of results) console.log(`  ${score?.toFixed(2)} ${generated_text}`);
};

const options = { return_alternatives: true, num_return_sequences: 4, min_alternative_expansion_prob: 0.01 };
const [best] = await pronounce("record");
const accepted = best.token_ids.slice(1, 2); // R; the start token comes first
const alternatives = await pronounce("record", { ...options, target_prefix: accepted });
console.log("record: R ...");
show(alternatives);

const chosen = alternatives[1].token_ids.slice(1, 5); // the noun, but for its end
console.log("record: R EH1 K ER0 ...");
show(await pronounce("record", { ...options, target_prefix: chosen, num_beams: 4 }));

const word = "boxes";
const [{ alignments }] = await pronounce(word, { num_beams: 4, return_alignments: true });
console.log(alignments?.map(({ token, start, end }) => `${token} < ${word.slice(start, end)}`).join(", "));
pronounce.dispose();

// Prints:
// record: R ...
//   -0.25 R IH0 K AO1 R D
//   -0.31 R EH1 K ER0 D
//   -0.40 R IY0 K AO1 R D
//   -0.61 R IY1 K AO0 R D
// record: R EH1 K ER0 ...
//   -0.08 R EH1 K ER0 D
// B < b, AA1 < o, K < x, S < x, IH0 < e, Z < s
