/** Values of the constant ACTIVATION of `matmul` and `matvec`. */
export const ACTIVATION = { none: 0, relu: 1, gelu: 2, gelu_tanh: 3, silu: 4, tanh: 5 } as const;

export type Activation = keyof typeof ACTIVATION;

/** The activation in f64, by its value of ACTIVATION. */
export function activate(activation: number, x: number): number {
  switch (activation) {
    case ACTIVATION.relu:
      return Math.max(0, x);
    case ACTIVATION.gelu:
      return 0.5 * x * (1 + erf(x / Math.SQRT2));
    case ACTIVATION.gelu_tanh:
      return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
    case ACTIVATION.silu:
      return x / (1 + Math.exp(-x));
    case ACTIVATION.tanh:
      return Math.tanh(x);
    default:
      return x;
  }
}

/** Error function to f64 precision: its Taylor series near zero, a continued fraction beyond (Abramowitz and Stegun 7.1.5, 7.1.14). */
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
