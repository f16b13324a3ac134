// How the drivers of Mesa print machine code: what a line is, and what its instruction does.

/**
 * What an instruction does, as far as it matters here: multiplies and adds, computes another vector, uses workgroup
 * memory, loads or stores elsewhere, computes for all lanes at once, waits, or jumps.
 * @typedef {"fma" | "valu" | "lds" | "load" | "store" | "scalar" | "wait" | "barrier" | "branch"} Kind
 */

/**
 * What is read of a line: an instruction, or a place to which others jump.
 * @typedef {object} Read
 * @property {string} name Of the instruction, by which it has its kind.
 * @property {number} [count] How many operations it is. Default 1; 0 for a place.
 * @property {string} [label] The name of this place.
 * @property {string} [target] The place to which it may jump.
 * @property {readonly string[]} [waits] Loads that must have come before it: their tokens, or "*" for all.
 * @property {number} [most] Loads that may still be under way after it.
 * @property {string} [token] By which others wait for this load.
 */

/** @typedef {Read & { readonly kind: Kind, readonly count: number, readonly waits: readonly string[] }} Instruction */

/**
 * @typedef {object} InstructionSet
 * @property {(line: string) => Read[]} read
 * @property {readonly (readonly [kind: Kind, name: RegExp])[]} kinds The first that fits; "valu" where none does.
 */

const place = (/** @type {string} */ label) => [{ name: "branch", count: 0, label }];

/**
 * AMD, as ACO prints it. Two operations of one instruction stand beside each other; loads come back in order.
 * @type {InstructionSet}
 */
const amd = {
  read(line) {
    const [, label, name] = line.match(/^(BB\d+):|^\t([a-z]\w+)/) ?? [];
    if (label) return place(label);
    if (!name) return [];
    if (/^s_c?branch/.test(name)) return [{ name, target: line.match(/BB\d+/)?.[0] }];
    const [, number, counted] = line.match(/vmcnt\((\d+)\)|^\ts_wait_loadcnt(?:_dscnt)? (0x[\da-f]+)/) ?? [];
    if (counted) return [{ name, most: name.endsWith("dscnt") ? Number(counted) >> 8 : Number(counted) }];
    if (number) return [{ name, most: Number(number) }];
    const both = line.split(";")[0].match(/v_dual_\w+/g);
    return both ? both.map((one) => ({ name: one })) : [{ name }];
  },
  kinds: [
    ["branch", /^(branch|s_c?branch)/],
    ["wait", /^s_wait/],
    ["barrier", /^s_barrier/],
    ["scalar", /^s_/],
    ["lds", /^ds_/],
    ["load", /^(buffer|global|flat|scratch)_(load|atomic)/],
    ["store", /^(buffer|global|flat|scratch)_store/],
    ["fma", /fma|_mac_|_mad_[^iu]|dot\d|wmma/],
  ],
};

/**
 * Intel, as brw prints it: a load has a token, as `$3`, and what waits for it names it, as `$3.dst`.
 * @type {InstructionSet}
 */
const intel = {
  read(line) {
    const label = line.match(/^(L\d+):/)?.[1];
    if (label) return place(label);
    const [, name, width] = line.match(/^(?:\([^)]*\))?\s*([a-z][\w.]*) \((\d+)\)/) ?? [];
    if (!name) return [];
    const waits = [...line.matchAll(/(\$\d+)\.dst/g)].map(([, token]) => token);
    const target = name === "while" ? line.match(/\bL\d+/)?.[0] : undefined;
    const [, message = ""] = line.split("//");
    const memory = /slm|bti\(254\)/.test(line) ? "local" : /store|write/.test(message) ? "store" : "load";
    const kind = /fence|barrier_msg/.test(message) ? "barrier" : /\bopen\b|EOT/.test(line) ? "end" : memory;
    if (name.startsWith("send")) return [{ name: `send ${kind}`, waits, token: line.match(/(\$\d+)(?!\.?\w)/)?.[1] }];
    return [{ name: width === "1" ? `${name} scalar` : name, waits, target }];
  },
  kinds: [
    ["branch", /^(branch|while|if|else|endif|break|cont|halt|goto|join|brd|brc|send end)\b/],
    ["barrier", /^(sync\.bar|send barrier)/],
    ["wait", /^sync/],
    ["lds", /^send local/],
    ["load", /^send load/],
    ["store", /^send store/],
    ["fma", /^(mad|dp4a|dpas|mac)\b/],
    ["scalar", / scalar$/],
  ],
};

/**
 * Adreno, as ir3 prints it: (sy) waits for all loads.
 * @type {InstructionSet}
 */
const adreno = {
  read(line) {
    const label = line.match(/^(l\d+):/)?.[1];
    if (label) return place(label);
    const name = line.match(/^(?:\([^)]*\) ?)*([a-z][\w.]*)/)?.[1];
    if (!name) return [];
    const count = 1 + Number(line.match(/\(rpt(\d)\)/)?.[1] ?? 0);
    const waits = line.includes("(sy)") ? ["*"] : [];
    return [{ name, count, waits, target: line.match(/#(l\d+)/)?.[1], token: "any" }];
  },
  kinds: [
    ["branch", /^(br|jump|bal|ball|bany|shp|get|pred|kill|end|ch)/],
    ["barrier", /^(bar|fence)\b/],
    ["wait", /^nop/],
    ["lds", /^(ldl|stl|atomic\.\w+\.l)/],
    ["load", /^(ldib|ldg|ldp|isam|sam|atomic)/],
    ["store", /^(stib|stg|stp)/],
    ["scalar", /^(ldc|stc|resinfo|mova|alias)/],
    ["fma", /^(mad|dp\d)/],
  ],
};

/**
 * NVIDIA, as NAK prints it: loads write a barrier (wr:3), and others wait for it (wt=001000).
 * @type {InstructionSet}
 */
const nvidia = {
  read(line) {
    const label = line.match(/^block(?:\.u)? \d+ (L\d+) /)?.[1];
    if (label) return place(label);
    const [, text, more] = line.match(/^\s*(?:@!?u?p\d+\s+)?(.*?)\s*\/\/ delay=(.*)$/) ?? [];
    if (!text) return [];
    const name = text.replace(/^.*? = /, "");
    const bits = [...(more.match(/wt=([01]+)/)?.[1] ?? "")].reverse();
    const waits = bits.flatMap((bit, index) => (bit === "1" ? [`${index}`] : []));
    const uniform = /^u[rp]\d+\b/.test(text) ? "uniform " : "";
    const target = name.startsWith("bra ") ? name.match(/\bL\d+/)?.[0] : undefined;
    return [{ name: uniform + name, waits, target, token: more.match(/wr:(\d)/)?.[1] }];
  },
  kinds: [
    ["branch", /^(branch|bra|exit|bssy|bsync|bclear|break|warpsync|brx)\b/],
    ["barrier", /^bar\b/],
    ["wait", /^nop/],
    ["scalar", /^(uniform |ldc|s2u?r|r2ur|cs2r)/],
    ["lds", /^(ld|st|atom)s?\.(shared|\w+\.shared)|^(lds|sts|atoms)\b/],
    ["load", /^(ld|atom|red)\b/],
    ["store", /^st\b/],
    ["fma", /^(ffma|hfma2|hmma|imma|idp4?a?|dp4a)\b/],
  ],
};

/**
 * Apple's G13, as Mesa's disassembler prints it: an address, the bytes, and the instruction; jumps are relative.
 * @type {InstructionSet}
 */
const apple = {
  read(line) {
    const [, at, text] = line.match(/^\s*([\da-f]+): [\da-f]+\s+(.*)$/) ?? [];
    if (!text) return [];
    const address = parseInt(at, 16);
    const name = text.split(/[\s.]/)[0];
    const [last] = text.split(/[\s,]+/).slice(-1);
    const jump = name.startsWith("jmp_") ? `${address + Number(last)}` : undefined;
    return [{ name, label: `${address}`, target: jump, token: last, ...(name === "wait" && { waits: [last] }) }];
  },
  kinds: [
    ["branch", /^(jmp_|if|else|while|pop_exec|push_exec|stop|trap|begin|break)/],
    ["wait", /^wait/],
    ["barrier", /barrier/],
    ["lds", /^l(load|store|atomic)/],
    ["load", /^(load|atomic)/],
    ["store", /^store/],
    ["fma", /^(ffma|hfma|simd_matrix)/],
  ],
};

/** @type {Readonly<Record<import("./statistics.mjs").Maker, InstructionSet>>} */
export const INSTRUCTION_SETS = { amd, intel, adreno, nvidia, apple };
