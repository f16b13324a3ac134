interface Definition {
  /** Its value of the constant ACTIVATION, as in shaders/parts/activation.wgsl. */
  readonly code: number;
  /** Its names in configs of Transformers (activations.py). */
  readonly names: readonly string[];
  /** The function in f64. */
  readonly value: (x: number) => number;
}

const tanhGelu = (x: number): number => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));

/** The activations of linear layers, except for their WGSL. */
export const ACTIVATIONS = {
  none: { code: 0, names: ["linear"], value: (x) => x },
  relu: { code: 1, names: ["relu"], value: (x) => Math.max(0, x) },
  gelu: { code: 2, names: ["gelu", "gelu_python"], value: (x) => 0.5 * x * (1 + erf(x / Math.SQRT2)) },
  gelu_tanh: {
    code: 3,
    names: ["gelu_new", "gelu_pytorch_tanh", "gelu_python_tanh", "gelu_fast", "gelu_accurate"],
    value: tanhGelu,
  },
  silu: { code: 4, names: ["silu", "swish"], value: (x) => x / (1 + Math.exp(-x)) },
  tanh: { code: 5, names: ["tanh"], value: Math.tanh },
  quick_gelu: { code: 6, names: ["quick_gelu"], value: (x) => x / (1 + Math.exp(-1.702 * x)) },
} as const satisfies Readonly<Record<string, Definition>>;

/** The name of an activation. */
export type Activation = keyof typeof ACTIVATIONS;

const BY_CODE: readonly Definition[] = Object.values(ACTIVATIONS);

/** An activation in f64, by its code. */
export const activate = (code: number, x: number): number => BY_CODE[code].value(x);

/**
 * The error function in f64: a Taylor series near zero, a continued fraction beyond (Abramowitz and Stegun 7.1.5,
 * 7.1.14).
 */
function erf(x: number): number {
  const z = Math.abs(x);
  if (z > 6) return Math.sign(x);
  if (z < 3) {
    let sum = 0;
    let term = x;
    for (let n = 0; n < 100; n++) {
      sum += term / (2 * n + 1);
      term *= -(x * x) / (n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = 0;
  for (let n = 60; n > 0; n--) fraction = n / 2 / (z + fraction);
  return Math.sign(x) * (1 - Math.exp(-z * z) / Math.sqrt(Math.PI) / (z + fraction));
}
