// The activation of a linear layer, with erf by Abramowitz and Stegun 7.1.26 (error 1.5e-7).
// src/kernels/activation.ts has the same codes.
const ACTIVATION: u32 = 0; // one of the codes below, 0 for none
const RELU = 1;
const GELU = 2;            // x * Phi(x)
const GELU_TANH = 3;       // approximated with tanh
const SILU = 4;
const TANH = 5;
const QUICK_GELU = 6;      // x * sigmoid(1.702 x)

fn activate(v: vec4f) -> vec4f { // keeps NaN, which max and clamp may drop; by its bits, as compilers may assume none
  return select(activation(v), v, (bitcast<vec4u>(v) & vec4u(0x7fffffff)) > vec4u(0x7f800000));
}

fn activation(v: vec4f) -> vec4f { // exp and tanh: arguments are clamped where results no longer change
  if (ACTIVATION == RELU) { return max(v, vec4f()); }
  if (ACTIVATION == GELU) {
    let z = abs(v) * 0.70710678;
    let t = 1 / (1 + 0.3275911 * z);
    let p = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
    return 0.5 * v * (1 + sign(v) * (1 - p * exp(-min(z * z, vec4f(80)))));
  }
  if (ACTIVATION == GELU_TANH) {
    return 0.5 * v * (1 + tanh(clamp(0.79788456 * (v + 0.044715 * v * v * v), vec4f(-10), vec4f(10))));
  }
  if (ACTIVATION == SILU) { return v / (1 + exp(clamp(-v, vec4f(-80), vec4f(80)))); }
  if (ACTIVATION == QUICK_GELU) { return v / (1 + exp(clamp(-1.702 * v, vec4f(-80), vec4f(80)))); }
  if (ACTIVATION == TANH) { return tanh(clamp(v, vec4f(-10), vec4f(10))); }
  return v;
}
