import { CheckpointError } from "../../runtime/errors.js";
import type { Json } from "../checkpoint/checkpoint.js";
import { type Letter, type Letters, replaced, respelled } from "./letters.js";
import { type NormalForm, normalForm } from "./normal_forms.js";
import { patternOf, spellBytes } from "./patterns.js";
import { createPrecompiled } from "./precompiled.js";

/** Changes a text before it is cut into words, and follows where its characters come from. */
export type Normalizer = (letters: Letters) => Letters;

const keep = (letters: Letters, test: (char: string) => boolean): Letters => letters.filter(({ char }) => test(char));

const isSpace = (char: string): boolean => /^\p{White_Space}$/u.test(char);

const lowered: Normalizer = (letters) => respelled(letters, (char) => char.toLowerCase());

/** The normaliser that `tokenizer.json` describes. Throws CheckpointError for a type that is unknown. */
export function createNormalizer(definition: Json): Normalizer {
  const create = NORMALIZERS[definition.type as string];
  if (!create) throw new CheckpointError(`normalizer ${String(definition.type)} is not supported`);
  return create(definition);
}

const form =
  (name: NormalForm): (() => Normalizer) =>
  () =>
  (letters) =>
    normalForm(letters, name);

const NORMALIZERS: Readonly<Record<string, (definition: Json) => Normalizer>> = {
  NFC: form("NFC"),
  NFD: form("NFD"),
  NFKC: form("NFKC"),
  NFKD: form("NFKD"),
  Lowercase: () => lowered,
  StripAccents: () => (letters) => keep(letters, (char) => !/^\p{M}$/u.test(char)),
  Strip: ({ strip_left = true, strip_right = true }) => {
    return (letters) => strip(letters, Boolean(strip_left), Boolean(strip_right));
  },
  Prepend: ({ prepend }) => {
    return (letters) => [
      ...(letters.length ? Array.from(String(prepend), (char): Letter => ({ ...letters[0], char })) : []),
      ...letters,
    ];
  },
  Replace({ pattern, content }) {
    const found = patternOf(pattern);
    return (letters) => replaced(letters, found, String(content));
  },
  Precompiled: ({ precompiled_charsmap }) => createPrecompiled(String(precompiled_charsmap ?? "")),
  ByteLevel: () => (letters) => respelled(letters, spellBytes),
  Nmt: () => (letters) =>
    respelled(
      // eslint-disable-next-line no-control-regex -- these are what it removes
      keep(letters, (char) => !/[\x01-\x08\x0b\x0e-\x1f\x7f\x8f\x9f]/.test(char)),
      (char) => (/[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]/.test(char) ? " " : char),
    ),
  BertNormalizer: bert,
  Sequence({ normalizers }) {
    const all = (normalizers as Json[]).map(createNormalizer);
    return (letters) => all.reduce((text, normalize) => normalize(text), letters);
  },
};

function strip(letters: Letters, left: boolean, right: boolean): Letters {
  let [from, to] = [0, letters.length];
  while (left && from < to && isSpace(letters[from].char)) from++;
  while (right && to > from && isSpace(letters[to - 1].char)) to--;
  return letters.slice(from, to);
}

const CHINESE =
  /^[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b820}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]$/u;

/** Cleans as BERT does: no controls, spaces around Chinese characters, no accents, lower case. */
function bert(definition: Json): Normalizer {
  const { clean_text = true, handle_chinese_chars = true, lowercase = true } = definition;
  const strip_accents = definition.strip_accents ?? lowercase;
  const isLost = (char: string): boolean => /^[\0\ufffd\p{Cc}\p{Cf}\p{Co}]$/u.test(char) && !/[\t\n\r]/.test(char);
  return (given) => {
    let letters = given;
    if (clean_text)
      letters = respelled(
        keep(letters, (char) => !isLost(char)),
        (char) => (isSpace(char) ? " " : char),
      );
    if (handle_chinese_chars) letters = respelled(letters, (char) => (CHINESE.test(char) ? ` ${char} ` : char));
    if (strip_accents) letters = keep(normalForm(letters, "NFD"), (char) => !/^\p{Mn}$/u.test(char));
    return lowercase ? lowered(letters) : letters;
  };
}
