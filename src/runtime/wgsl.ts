/** What a shader declares, read from its text so that nothing is said twice. */
export interface ShaderText {
  /** Fields of `struct Params`, four bytes each, in order. */
  readonly params: readonly { readonly name: string; readonly type: "u32" | "i32" | "f32" }[];
  /** Storage bindings in binding order (the uniform is binding 0). */
  readonly bindings: readonly { readonly name: string; readonly access: "read" | "write" }[];
  /** Constants that can be specialised, with their defaults: top-level lines `const NAME: u32 = value;`. */
  readonly constants: Readonly<Record<string, number>>;
}

/**
 * Joins a shader and the parts that its header names. Declarations at module scope may come in any order in WGSL; only
 * `enable` must come first, and so the shader does.
 */
export const joinShader = (...texts: readonly string[]): string => texts.join("\n");

const CONSTANT = /^const ([A-Z][A-Z0-9_]*): ?u32 ?= ?(\d+)u?;/gm;
const BINDING = /^@group\(0\) ?@binding\((\d+)\) ?var<storage, ?(read|read_write)> ?(\w+):/gm;

/**
 * Reads the parameters, bindings and constants of a shader. Throws Error when the text breaks the house rules for
 * shaders.
 */
export function readShader(name: string, wgsl: string): ShaderText {
  const struct = wgsl.match(/struct Params ?\{([^}]*)\}/)?.[1];
  if (struct === undefined) throw new Error(`${name}.wgsl: must declare \`struct Params\``);
  const params = [...struct.replace(/\/\/.*/g, "").matchAll(/(\w+)\s*:\s*(\w+)/g)].map(([, field, type]) => {
    if (type !== "u32" && type !== "i32" && type !== "f32")
      throw new Error(`${name}.wgsl: Params.${field} must be a scalar, got ${type}`);
    return { name: field, type } as const;
  });
  const found = [...wgsl.matchAll(BINDING)].sort(([, a], [, b]) => Number(a) - Number(b));
  const bindings = found.map(([, index, mode, field], position) => {
    if (Number(index) !== position + 1)
      throw new Error(`${name}.wgsl: binding of ${field} must be ${position + 1}, got ${index}`);
    return { name: field, access: mode === "read" ? "read" : "write" } as const;
  });
  const constants = Object.fromEntries([...wgsl.matchAll(CONSTANT)].map(([, key, value]) => [key, Number(value)]));
  return { params, bindings, constants };
}

/** The text with new values for some of its constants. Throws Error for a constant that the text does not declare. */
export function specialise(name: string, wgsl: string, values: Readonly<Record<string, number>>): string {
  const unknown = new Set(Object.keys(values));
  const text = wgsl.replace(CONSTANT, (line, key: string) =>
    unknown.delete(key) ? `const ${key}: u32 = ${values[key]};` : line,
  );
  if (unknown.size) throw new Error(`${name}.wgsl: has no constant ${[...unknown].join(", ")}`);
  return text;
}

/**
 * The text, compiled for subgroups of `size` invocations. A workgroup whose written size is no multiple of that stays as
 * it is.
 */
export function withSubgroupSize(wgsl: string, size: number): string {
  const [, written] = wgsl.match(/@workgroup_size\((\d+)\)/) ?? [];
  if (written && Number(written) % size) return wgsl;
  const enables = ["subgroups", "subgroup_size_control"].map((name) => `enable ${name};`);
  const body = wgsl.replace(/^enable subgroups;\n/m, "").replace("@compute", `@compute @subgroup_size(${size})`);
  return [...enables, body].join("\n");
}

/** The bytes of `struct Params`, every field looked up by name in `values`. Throws Error for one that is missing. */
export function packParams(
  name: string,
  params: ShaderText["params"],
  values: Readonly<Record<string, number>>,
): ArrayBuffer {
  const view = new DataView(new ArrayBuffer(Math.max(16, Math.ceil(params.length / 4) * 16)));
  params.forEach((field, index) => {
    const value = values[field.name];
    if (!Number.isFinite(value)) throw new Error(`${name}: Params.${field.name} must be a finite number, got ${value}`);
    if (field.type === "f32") view.setFloat32(4 * index, value, true);
    else if (field.type === "i32") view.setInt32(4 * index, value, true);
    else view.setUint32(4 * index, value, true);
  });
  return view.buffer;
}
