import { f32, statusOf } from "./support/launch.js";

type Size = Readonly<Record<string, number>>;

/** Arguments of `layernorm_residual`, for tests and benches. The second row begins with `special`, if given. */
export const args = (size: Size, random: () => number) => {
  const {
    N,
    D,
    gain = 1,
    offset = 0,
    outlier = 0,
    residual = 1,
    bias = residual,
    rms = 0,
    beta = 1 - rms,
    status,
    special,
  } = size;
  const x = f32([N, D], (i) => gain * random() + offset + (i % D === 5 ? outlier : 0));
  if (special !== undefined) x.data[D] = special;
  return {
    x,
    bias: bias ? f32([D], () => gain * random()) : undefined,
    residual: residual ? f32([N, D], () => gain * random()) : undefined,
    gamma: f32([D], random),
    beta: beta ? f32([D], random) : undefined,
    status: status === undefined ? undefined : statusOf(status),
  };
};

/** Scalars and constants of `layernorm_residual`. */
export const values = ({ eps = 1e-5, rms = 0 }: Size) => ({ eps, CENTRED: 1 - rms });
