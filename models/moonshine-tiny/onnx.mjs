// Reads what the conversion needs of an ONNX model (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto): the tensors
// that are stored in it, and its nodes, those of inner graphs included.

/** @typedef {{ name: string, type: number, dims: number[], bytes: Uint8Array, numbers: number[] }} Tensor */
/** @typedef {{ op: string, inputs: string[], outputs: string[] }} Node */
/** @typedef {{ tensors: Map<string, Tensor>, nodes: Node[] }} Model */

/** ONNX's code of signed bytes. */
export const INT8 = 3;

const utf8 = new TextDecoder();

/**
 * The fields of a protobuf message: whole numbers as numbers, all else as bytes.
 * @param {Uint8Array} message
 * @returns {Generator<[field: number, value: any]>}
 */
function* fields(message) {
  for (let at = 0; at < message.length;) {
    const key = varint(message, at);
    at = key.end;
    const [field, wire] = [key.value >> 3, key.value & 7];
    const number = wire === 0 || wire === 2 ? varint(message, at) : { value: wire === 5 ? 4 : 8, end: at };
    at = number.end;
    if (wire === 0) yield [field, number.value];
    else yield [field, message.subarray(at, (at += number.value))];
  }
}

/**
 * The whole number that begins at a byte, and where it ends.
 * @param {Uint8Array} bytes
 * @param {number} start
 */
function varint(bytes, start) {
  let value = 0;
  for (let at = start, place = 1; ; at++, place *= 128) {
    value += (bytes[at] & 127) * place;
    if (bytes[at] < 128) return { value, end: at + 1 };
  }
}

/**
 * A TensorProto: its numbers are in `bytes`, or, where there are few, in `numbers`.
 * @param {Uint8Array} message
 */
function readTensor(message) {
  /** @type {Tensor} */
  const tensor = { name: "", type: 0, dims: [], bytes: new Uint8Array(), numbers: [] };
  for (const [field, value] of fields(message)) {
    if (field === 1) tensor.dims.push(value);
    if (field === 2) tensor.type = value;
    if (field === 4) tensor.numbers.push(...floats(value));
    if (field === 5) tensor.numbers.push(varint(value, 0).value); // packed; scalars are all that is read from here
    if (field === 8) tensor.name = utf8.decode(value);
    if (field === 9) tensor.bytes = value;
  }
  return tensor;
}

/** @param {Uint8Array} bytes */
export const floats = (bytes) => new Float32Array(Uint8Array.from(bytes).buffer);

/**
 * @param {Uint8Array} message
 * @param {Model} model
 */
function readGraph(message, model) {
  for (const [field, value] of fields(message)) {
    if (field === 1) readNode(value, model);
    if (field !== 5) continue;
    const tensor = readTensor(value);
    model.tensors.set(tensor.name, tensor);
  }
}

/**
 * @param {Uint8Array} message
 * @param {Model} model
 */
function readNode(message, model) {
  /** @type {Node} */
  const node = { op: "", inputs: [], outputs: [] };
  for (const [field, value] of fields(message)) {
    if (field === 1) node.inputs.push(utf8.decode(value));
    if (field === 2) node.outputs.push(utf8.decode(value));
    if (field === 4) node.op = utf8.decode(value);
    if (field === 5) for (const [part, graph] of fields(value)) if (part === 6) readGraph(graph, model);
  }
  model.nodes.push(node);
}

/**
 * The model of a file.
 * @param {Uint8Array} file
 * @returns {Model}
 */
export function readModel(file) {
  const model = { tensors: new Map(), nodes: [] };
  for (const [field, value] of fields(file)) if (field === 7) readGraph(value, model);
  return model;
}
