// Makes the Hugging Face checkpoint of Moonshine tiny, English (Jeffries et al. 2024, arXiv:2410.15608) out of the ONNX
// model that the npm package @moonshine-ai/moonshine-js carries under the MIT licence: model.safetensors, its JSON files
// and tokenizer.json, beside this script. Imports only what Node ships; `npm` and `tar` fetch and unpack.
//
// The package has int8 weights with one scale a tensor and a zero point that is hardly ever 128, so that they fit no
// symmetric int8; they are written in f16, which is within 0.05% of each. Norms and biases are f32, as there.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { FILES } from "./files.mjs";
import { floats, INT8, readModel } from "./onnx.mjs";
import { readTokenizer } from "./tokenizer.mjs";

/** @typedef {import("./onnx.mjs").Model} Model */
/** @typedef {import("./onnx.mjs").Tensor} Tensor */
/** @typedef {{ dtype: "F16" | "F32", shape: number[], bytes: Uint8Array }} Stored */

const PACKAGE = "@moonshine-ai/moonshine-js@0.1.29";
const INTEGRITY = "sha512-Gx1B3mJcbM68ihSy/LyJEuEkGq7sYMqTb04zNdcIeidU0URVlSmXP0GyiQOTTAqDZQXlIC7k+bky+FdXk0UPlg==";
const FOLDER = fileURLToPath(new URL(".", import.meta.url));

/** The files of the package. The archive's hash is checked. */
function fetchPackage() {
  const folder = mkdtempSync(join(tmpdir(), "moonshine-"));
  const run = (/** @type {string} */ command, /** @type {string[]} */ args) => {
    const { status, stdout, stderr, error } = spawnSync(command, args, {
      cwd: folder,
      encoding: "utf8",
      shell: process.platform === "win32",
    });
    if (status !== 0) throw new Error(`\`${command} ${args.join(" ")}\` failed: ${error?.message ?? stderr}`);
    return stdout.trim();
  };
  try {
    const archive = run("npm", ["pack", PACKAGE, "--silent"]);
    const hash = `sha512-${createHash("sha512")
      .update(readFileSync(join(folder, archive)))
      .digest("base64")}`;
    if (hash !== INTEGRITY) throw new Error(`${PACKAGE} must have the hash ${INTEGRITY}, got ${hash}`);
    run("tar", ["-xzf", archive]);
    const read = (/** @type {string} */ path) => readFileSync(join(folder, "package/dist", path));
    return {
      encoder: readModel(read("model/tiny/quantized/encoder_model.onnx")),
      decoder: readModel(read("model/tiny/quantized/decoder_model_merged.onnx")),
      bundle: read("moonshine.min.js").toString("utf8"),
      license: readFileSync(join(folder, "package/LICENSE"), "utf8"),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The bits of the f16 nearest to a number below 65520, ties to even. */
function half(/** @type {number} */ value) {
  const [sign, size] = [value < 0 || Object.is(value, -0) ? 0x8000 : 0, Math.abs(value)];
  const exponent = Math.max(Math.floor(Math.log2(size)), -14); // below 2^-14 the steps are equal
  const steps = size / 2 ** (exponent - 10);
  const below = Math.floor(steps);
  const up = steps - below > 0.5 || (steps - below === 0.5 && below % 2 === 1) ? 1 : 0;
  return sign + (exponent + 14) * 1024 + below + up; // a carry reaches the exponent by itself
}

/**
 * A quantised weight in f16, [in,out] as [out,in]: 256 values, looked up. `base` names it without its suffix.
 * @param {Model} model
 * @param {string} base
 * @returns {Stored}
 */
function dequantise({ tensors }, base, transpose = false) {
  const [stored, scale, zero] = ["quantized", "scale", "zero_point"].map(
    (part) => /** @type {Tensor} */ (tensors.get(`${base}_${part}`)),
  );
  const number = (/** @type {Tensor} */ { bytes, numbers }) => numbers[0] ?? floats(bytes)[0];
  const values = Array.from({ length: 256 }, (_, byte) =>
    stored.type === INT8
      ? Math.fround(Math.fround(((byte << 24) >> 24) * number(scale)) + number(zero)) // the zero point comes after scaling
      : Math.fround((byte - number(zero)) * number(scale)),
  );
  const table = Uint16Array.from(values, half);
  const [I, O] = stored.dims;
  const out = new Uint16Array(stored.bytes.length);
  if (transpose)
    for (let o = 0; o < O; o++) for (let i = 0; i < I; i++) out[o * I + i] = table[stored.bytes[i * O + o]];
  else out.forEach((_, i) => (out[i] = table[stored.bytes[i]]));
  return { dtype: "F16", shape: transpose ? [O, I] : stored.dims, bytes: new Uint8Array(out.buffer) };
}

/** The name of a module in Transformers. */
const moduleName = (/** @type {string} */ name) =>
  name.replace(".dense", ".o_proj").replace(".up_proj", ".fc1").replace(".down_proj", ".fc2");

/**
 * The tensors of a model, whose modules are in `inside` there.
 * @param {Model} model
 * @param {string} inside
 * @returns {[name: string, Stored][]}
 */
function convertModel(model, inside) {
  const place = (/** @type {string} */ name) => moduleName(name.startsWith("model.") ? name : `${inside}.${name}`);
  const vector = ({ dims, bytes } = /** @type {Tensor} */ ({})) =>
    /** @type {Stored} */ ({ dtype: "F32", shape: dims.slice(0, 1), bytes });
  /** @type {[string, Stored][]} */
  const found = [];
  for (const { op, inputs, outputs } of model.nodes) {
    if (op !== "MatMulInteger") continue;
    const module = outputs[0].slice(1, outputs[0].indexOf("/MatMul")).replaceAll("/", ".");
    found.push([`${place(module)}.weight`, dequantise(model, inputs[1].replace(/_quantized$/, ""), true)]);
  }
  for (const tensor of model.tensors.values()) {
    const name = tensor.name.replace(/_merged_0/, "");
    if (/^(conv\d|model.decoder.embed_tokens).weight_quantized$/.test(name))
      found.push([place(name.replace(/_quantized$/, "")), dequantise(model, tensor.name.replace(/_quantized$/, ""))]);
    if (/(norm\.weight|\.bias)$/.test(name)) found.push([place(name), vector(tensor)]);
  }
  const affine = model.nodes.filter(({ outputs }) => /^\/groupnorm\/(Mul|Add)_output_0$/.test(outputs[0]));
  for (const { op, inputs } of affine)
    found.push([place(`groupnorm.${op === "Mul" ? "weight" : "bias"}`), vector(model.tensors.get(inputs[1]))]);
  return found;
}

/** @param {ReadonlyMap<string, Stored>} tensors */
function safetensors(tensors) {
  let end = 0;
  const header = Object.fromEntries(
    Array.from(tensors, ([name, { dtype, shape, bytes }]) => [
      name,
      { dtype, shape, data_offsets: [end, (end += bytes.length)] },
    ]),
  );
  const text = Buffer.from(JSON.stringify({ __metadata__: { format: "pt" }, ...header }));
  const padding = Buffer.alloc((8 - (text.length % 8)) % 8, " ");
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(text.length + padding.length));
  return Buffer.concat([size, text, padding, ...Array.from(tensors.values(), ({ bytes }) => bytes)]);
}

/** Whether the checkpoint is there. */
export const hasModel = () => existsSync(`${FOLDER}model.safetensors`);

/** Makes the checkpoint. Throws when the package cannot be had. */
export function makeModel() {
  const { encoder, decoder, bundle, license } = fetchPackage();
  const tensors = new Map([...convertModel(encoder, "model.encoder"), ...convertModel(decoder, "model.decoder")]);
  const write = (/** @type {string} */ name, /** @type {string | Uint8Array} */ content) =>
    writeFileSync(`${FOLDER}${name}`, content);
  for (const [name, json] of Object.entries(FILES)) write(name, `${JSON.stringify(json, null, 2)}\n`);
  write("tokenizer.json", JSON.stringify(readTokenizer(bundle)));
  write("LICENSE", license);
  write("model.safetensors", safetensors(tensors)); // last: it says that all is there
}

if (process.argv[1] === fileURLToPath(import.meta.url)) makeModel();
