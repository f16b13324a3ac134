import { f32, u32Rows } from "./support/launch.js";

type Size = Readonly<Record<string, number>>;

/** Arguments of `log_mel`, for tests and benches: bands of 1 to `wide` bins, each beginning in the one before. */
export const args = ({ N, X, C, wide = 5, gain = 1 }: Size, random: () => number) => ({
  spectrum: f32([N, 2 * X], () => gain * random()),
  filters: f32([C, X], () => (1 + random()) / 2),
  bands: u32Rows(
    Array.from({ length: C }, (_, c) => {
      const first = Math.floor((c * X) / C);
      return [first, Math.min(X - first, 1 + (c % wide))];
    }),
  ),
});

/** Scalars of `log_mel`. */
export const values = ({ floor = 1e-10 }: Size) => ({ floor });
