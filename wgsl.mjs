// Makes shaders small: comments and spaces go, and names that nothing outside of the shaders reads become short. What the
// runtime reads of a text (src/runtime/wgsl.ts) keeps its name: bindings, constants that can be specialised, `struct
// Params` and its fields, `main`.

const TOKEN =
  /(?:\s|\/\/.*|\/\*[^]*?\*\/)+|[A-Za-z_]\w*|0[xX][\w.]+(?:(?<=[pP])[+-]\d+)?|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[iufh]?|<<=|>>=|->|&&|\|\||\+\+|--|<<|[-+*/%&|^!=<>]=|[^]/g;
const KEPT = /^(?:const (\w+): u32 = \d+u?;|@group\(0\).*> (\w+):)/gm;
const LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".split("");

/**
 * A token: its text, whether space stands before it, and whether it is a name that could be another one: no member, no
 * attribute, no extension.
 * @typedef {{ readonly text: string, readonly spaced: boolean, readonly name: boolean }} Token
 */

/**
 * @param {string} wgsl
 * @returns {Token[]}
 */
function tokensOf(wgsl) {
  /** @type {Token[]} */
  const tokens = [];
  let spaced = false;
  for (const [text] of wgsl.matchAll(TOKEN)) {
    if (/^\s|^\/[/*]/.test(text)) {
      spaced = true;
      continue;
    }
    const before = tokens.at(-1)?.text ?? "";
    const argument = before === "(" && tokens.at(-2)?.text === "builtin";
    tokens.push({ text, spaced, name: /^[A-Za-z_]/.test(text) && !argument && ![".", "@", "enable"].includes(before) });
    spaced = false;
  }
  return tokens;
}

/**
 * The declarations of a text: functions, structs and lines that end in a semicolon.
 * @param {readonly Token[]} tokens
 */
function declarationsOf(tokens) {
  const found = [];
  let depth = 0;
  let start = 0;
  for (const [at, { text }] of tokens.entries()) {
    if (text === "{") depth++;
    if (text === "}") depth--;
    if (depth > 0 || (text !== ";" && text !== "}")) continue;
    found.push(tokens.slice(start, at + 1));
    start = at + 1;
  }
  return found;
}

/** The name that a declaration declares; undefined where it declares none. */
const declared = (/** @type {readonly Token[]} */ tokens) => {
  const at = tokens.findIndex(({ text, name }) => name && /^(?:fn|struct|alias|const|var)$/.test(text));
  const start = tokens[at + 1]?.text === "<" ? tokens.findIndex(({ text }) => text === ">") : at;
  return at < 0 ? undefined : tokens[start + 1].text;
};

/** Names of the parameters and of the variables of a function; of other declarations none. */
const localsOf = (/** @type {readonly Token[]} */ tokens) => {
  if (!tokens.some(({ text }) => text === "fn")) return [];
  const body = tokens.findIndex(({ text }) => text === "{");
  return tokens.flatMap(({ text, name }, at) => {
    const parameter = at < body && tokens[at + 1].text === ":";
    return name && (parameter || (at > body && /^(?:let|var|const)$/.test(tokens[at - 1].text))) ? [text] : [];
  });
};

/**
 * Short names for what the shaders declare outside of functions, the commonest first: the same in all of them, because
 * they are joined with their parts.
 * @param {readonly string[]} shaders
 * @returns {ReadonlyMap<string, string>}
 */
export function shortNames(shaders) {
  const read = shaders.flatMap((wgsl) =>
    [...wgsl.matchAll(KEPT)].flatMap(([, constant, binding]) => constant ?? binding),
  );
  const kept = new Set(["main", "Params", "params", ...read]);
  const all = shaders.map(tokensOf);
  const names = new Set(all.flatMap((tokens) => declarationsOf(tokens).map(declared)));
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const { text, name } of all.flat())
    if (name && names.has(text) && !kept.has(text)) counts.set(text, (counts.get(text) ?? 0) + 1);
  const sorted = [...counts.keys()].sort((a, b) => (counts.get(b) ?? 0) - (counts.get(a) ?? 0));
  return new Map(sorted.map((name, index) => [name, `${LETTERS[index % 52]}${Math.floor(index / 52)}`]));
}

/**
 * A shader, or a part of one, made small; `globals` has the short names of all shaders.
 * @param {string} wgsl
 * @param {ReadonlyMap<string, string>} globals
 */
export function minifyShader(wgsl, globals) {
  return declarationsOf(tokensOf(wgsl))
    .map((tokens) => printed(tokens, namesIn(tokens, globals)) + "\n")
    .join("");
}

/**
 * The names of a declaration: those of `globals`, and for what a function declares letters that it does not use, the
 * first of the name if it is free. Every name becomes one of its own, wherever it stands, so that it means what it meant.
 * @param {readonly Token[]} tokens
 * @param {ReadonlyMap<string, string>} globals
 */
function namesIn(tokens, globals) {
  const locals = new Set(localsOf(tokens).filter((name) => !globals.has(name)));
  const used = new Set(
    tokens.flatMap(({ text, name }) => (name && !locals.has(text) ? [globals.get(text) ?? text] : [])),
  );
  const free = [...LETTERS, ...LETTERS.map((letter) => `${letter}_`)].filter((letter) => !used.has(letter));
  const names = new Map(globals);
  for (const name of [...locals].sort((a, b) => Number(a.length > 1) - Number(b.length > 1))) {
    const wanted = [name[0], name[0].toUpperCase(), ...free].find((letter) => free.includes(letter)) ?? name;
    names.set(name, wanted);
    free.splice(free.indexOf(wanted), 1);
  }
  return names;
}

/** The text of tokens, with space only between words and between signs that would be another one together. */
function printed(/** @type {readonly Token[]} */ tokens, /** @type {ReadonlyMap<string, string>} */ names) {
  let out = "";
  const inStruct = tokens[0].text === "struct";
  for (const [at, { text, name, spaced }] of tokens.entries()) {
    const before = tokens[at - 1]?.text ?? "";
    const field = inStruct && tokens[at + 1]?.text === ":";
    const words = /\w$/.test(before) && /^\w/.test(text);
    const signs = spaced && /[-+*/%&|^!=<>]$/.test(before) && /^[-+*/%&|^!=<>]/.test(text);
    out += (words || signs ? " " : "") + ((name && !field ? names.get(text) : undefined) ?? text);
  }
  return out;
}
