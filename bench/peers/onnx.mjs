// Writes ONNX models (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto): no exporter in JavaScript exists.
export const [FLOAT, INT64] = [1, 7];

const CONTRIB = "com.microsoft"; // operators that onnxruntime adds
const ADDED = new Set(["BiasGelu", "MultiHeadAttention", "SkipLayerNormalization"]);

const utf8 = new TextEncoder();

function varint(value) {
  const bytes = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return Uint8Array.from([...bytes, Number(rest)]);
}

/** One field of a message: whole numbers as varints, texts and bytes behind their length, lists repeated. */
function field(number, value) {
  if (Array.isArray(value)) return Buffer.concat(value.map((item) => field(number, item)));
  if (typeof value === "number") return Buffer.concat([varint(8 * number), varint(value)]);
  const bytes = typeof value === "string" ? utf8.encode(value) : value;
  return Buffer.concat([varint(8 * number + 2), varint(bytes.length), bytes]);
}

const message = (...fields) => Buffer.concat(fields);

/** Numbers that are not whole are floats. */
function attribute(name, value) {
  const typed = (type, number, content) => message(field(1, name), content ?? field(number, value), field(20, type));
  if (Array.isArray(value)) return typed(7, 8);
  if (typeof value === "string") return typed(3, 4);
  if (Number.isInteger(value)) return typed(2, 3);
  return typed(1, 2, Buffer.concat([varint(8 * 2 + 5), Buffer.from(Float32Array.of(value).buffer)]));
}

/** Sizes are numbers, or names where they vary between runs. */
function valueInfo(name, type, dims) {
  const shape = message(
    field(
      1,
      dims.map((dim) => message(field(typeof dim === "number" ? 1 : 2, dim))),
    ),
  );
  return message(field(1, name), field(2, message(field(1, message(field(1, type), field(2, shape))))));
}

export function createGraph(opset) {
  const [nodes, initializers, inputs, outputs] = [[], [], [], []];
  const known = new Set();
  const initializer = (name, type, dims, array) => {
    if (!known.has(name)) {
      const bytes = Buffer.from(array.buffer, array.byteOffset, array.byteLength);
      initializers.push(message(field(1, dims), field(2, type), field(8, name), field(9, bytes)));
      known.add(name);
    }
    return name;
  };
  return {
    /** Appends a node and returns what its result is called: `result`, a list when there are several. */
    op(type, args, attributes = {}, result = `${type}.${nodes.length}`) {
      const list = Object.entries(attributes).map(([key, value]) => attribute(key, value));
      const domain = ADDED.has(type) ? CONTRIB : "";
      nodes.push(
        message(
          field(1, args),
          field(2, [result].flat()),
          field(3, `node.${nodes.length}`),
          field(4, type),
          field(5, list),
          field(7, domain),
        ),
      );
      return result;
    },
    weight: (name, dims, array) => initializer(name, FLOAT, dims, array),
    scalar: (value) => initializer(`f32 ${value}`, FLOAT, [], Float32Array.of(value)),
    ints: (...values) => initializer(`i64 ${values}`, INT64, [values.length], BigInt64Array.from(values, BigInt)),
    input(name, type, dims) {
      inputs.push(valueInfo(name, type, dims));
      return name;
    },
    output: (name, type, dims) => void outputs.push(valueInfo(name, type, dims)),
    bytes() {
      const graph = message(
        field(1, nodes),
        field(2, "graph"),
        field(5, initializers),
        field(11, inputs),
        field(12, outputs),
      );
      const domains = [
        ["", opset],
        [CONTRIB, 1],
      ].map(([name, version]) => message(field(1, name), field(2, version)));
      return message(field(1, 9), field(2, "wgformer-peers"), field(7, graph), field(8, domains));
    },
  };
}
