const ZERO_CROSSINGS = 6; // of the sinc, on either side
const ROLL_OFF = 0.99; // where the low pass ends, as a part of the lower Nyquist frequency

/**
 * Samples at another rate: each is a sum over the given samples around it, weighted by a sinc under a Hann window, which
 * lets no frequency pass that the lower of the two rates cannot hold. Beyond the ends there is silence. Rates are whole
 * numbers. Source: J. O. Smith, Digital Audio Resampling (2002), with the window, width and lengths of `resample` in
 * torchaudio, which Transformers' pipelines use.
 */
export function resample(samples: Float32Array, from: number, to: number): Float32Array<ArrayBuffer> {
  if (from === to) return Float32Array.from(samples);
  const common = gcd(from, to);
  const [step, phases] = [from / common, to / common]; // `phases` results take `step` samples
  const band = (Math.min(step, phases) * ROLL_OFF) / step; // of the low pass, in sinc lobes a sample
  const reach = Math.ceil(ZERO_CROSSINGS / band);
  const kernels = Array.from({ length: phases }, (_, phase) => kernel((phase * step) / phases, reach, band));
  const resampled = new Float32Array(Math.ceil((samples.length * phases) / step));
  for (let i = 0; i < resampled.length; i++) {
    const { first, weights } = kernels[i % phases];
    const at = Math.floor(i / phases) * step + first;
    let sum = 0;
    for (let k = Math.max(0, -at); k < weights.length && at + k < samples.length; k++)
      sum += weights[k] * samples[at + k];
    resampled[i] = sum;
  }
  return resampled;
}

const gcd = (a: number, b: number): number => (b ? gcd(b, a % b) : a);

/** The weights of the samples within reach of a place between them, from the sample `first` on. */
function kernel(
  place: number,
  reach: number,
  band: number,
): { readonly first: number; readonly weights: Float64Array } {
  const first = Math.ceil(place - reach);
  const weights = Float64Array.from({ length: 2 * reach + 1 }, (_, k) => {
    const t = (first + k - place) * band;
    if (Math.abs(t) >= ZERO_CROSSINGS) return 0;
    const sinc = t === 0 ? 1 : Math.sin(Math.PI * t) / (Math.PI * t);
    return band * sinc * Math.cos((Math.PI * t) / ZERO_CROSSINGS / 2) ** 2;
  });
  return { first, weights };
}
