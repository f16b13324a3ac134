import { NO_ID } from "../src/kernels/constants.js";
import { FORMATS } from "../src/kernels/formats.js";
import { bf16, f16, f32, quantised, statusOf, u32Rows } from "./support/launch.js";

type Size = Readonly<Record<string, number>>;

/** Values of `format`. */
export const [full, half, brain, i8, i4] = FORMATS.map((_, code) => code);

const tables: readonly (typeof f32)[] = [
  f32,
  f16,
  bf16,
  (shape, value) => quantised("i8", shape, value),
  (shape, value) => quantised("i4", shape, value),
];

/**
 * Arguments of `embed`, for tests and benches. Ids, positions and segments go from the last one down, so that both ends of all tables
 * are read; `scattered` ids are random. The table begins at id `first`; `parted` ids before it are of another part. Ids
 * go up to `beyond` past the table's end, segments up to `afar` past theirs.
 */
export const args = (size: Size, random: () => number) => {
  const { N, D, V = 11, P = 9, U = 2, format = full, positions = 1, segments = 0, norm = 0, beta = norm } = size;
  const { shift = 0, offset = 0, first = 0, parted = 0, scattered = 0, beyond = 0, afar = 0, late = 0, status } = size;
  const value = (): number => random() + offset;
  const id = (n: number): number =>
    scattered ? Math.floor(((random() + 1) / 2) * V) : V - 1 + beyond - (n % (V + beyond));
  const row = (n: number): number[] => [
    first - parted + id(n),
    P - 1 - shift + late - (n % (P - shift)),
    7,
    U - 1 + afar - (n % U),
  ];
  return {
    rows: u32Rows(Array.from({ length: N }, (_, n) => row(n))),
    weight: tables[format]([V, D], value),
    positions: positions ? f32([P, D], value) : undefined,
    segments: segments ? f32([U, D], value) : undefined,
    gamma: norm ? f32([D], () => 1 + random()) : undefined,
    beta: beta ? f32([D], random) : undefined,
    out: f32([N, D], (i) => i), // rows of other parts stay
    status: status === undefined ? undefined : statusOf(status),
  };
};

/** Scalars and constants of `embed`. */
export const values = ({ scale = 1, shift = 0, first = 0, unplaced = NO_ID }: Size) => ({
  scale,
  shift,
  first,
  unplaced,
  eps: 1e-12,
});
