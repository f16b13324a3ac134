import { writeSync } from "node:fs";
import * as kernels from "../../src/kernels/index.js";
import { type Connection, connect } from "../../src/runtime/connection.js";
import type { Dims, Kernel } from "../../src/runtime/kernel.js";
import { candidates, type Choice, choiceOf } from "../../src/runtime/variants.js";
import { type RealLaunch, realLaunches } from "./launches.js";

/** What to compile. */
export interface Request {
  /** The name of a kernel; all when absent. */
  readonly kernel?: string;
  /** The name of a variant; the one that the device chooses when absent. */
  readonly variant?: string;
  /** Whether to compile the other variants too, each once with the same constants but for flags. */
  readonly others?: boolean;
  /** Whether to compile every variant of every launch. */
  readonly all?: boolean;
  /** Sizes, scalars and constants of one launch of a kernel, in place of those of models. */
  readonly dims?: Dims;
  /** Constants that replace those of a variant. */
  readonly constants?: Dims;
  /** A regular expression that the place of a launch in its model must match. */
  readonly only?: string;
}

const ALL = Object.values<object>(kernels).filter((one): one is Kernel => "variants" in one);
// What changes a few instructions at the ends of a shader, not its loops: of the device's own choice, and of other variants.
const MINOR = /^HAS_STATUS$/;
const FLAG = /^(HAS_\w+|ACTIVATION|NORM)$/;

/** A line on standard error, written at once: before and after all that the driver prints meanwhile. */
const tell = (word: string, said: unknown = {}): void =>
  void writeSync(2, `\n@@wgformer ${word} ${JSON.stringify(said)}\n`);

/** Compiles launches one at a time for the GPU of this process, and says on standard error which one is next. */
export async function compileAll(request: Request): Promise<void> {
  const hooks = { gone: new WeakMap<never, never>(), onLost() {}, onFallback() {}, onCompile() {} };
  const connection = await connect({ tuned: false, adapter: "gpu", unroll: true }, hooks);
  const { device, info, pipelines } = connection;
  let compiled = false;
  const create = device.createShaderModule.bind(device);
  device.createShaderModule = (descriptor) => {
    compiled = true;
    return create(descriptor);
  };
  tell("device", info.description);
  const done = new Set<string>();
  const compile = async ({ kernel, from }: RealLaunch, choice: Choice, minor: RegExp): Promise<void> => {
    const declared = Object.keys(pipelines.shader(kernel, choice).constants);
    const constants = Object.entries(choice.dims).filter(([name]) => declared.includes(name));
    const known = constants.filter(([name]) => !minor.test(name));
    const key = `${kernel.name} ${choice.variant.name} ${JSON.stringify(known)}`;
    if (done.has(key)) return;
    done.add(key);
    tell("begin", {
      kernel: kernel.name,
      variant: choice.variant.name,
      constants: Object.fromEntries(constants),
      from,
    });
    compiled = false;
    try {
      await pipelines.get(kernel, choice);
      tell(compiled ? "end" : "same");
    } catch (error) {
      tell("error", (error as Error).message);
    }
  };
  const launches = await launchesOf(request);
  for (const launch of launches)
    for (const choice of chosen(launch, request, connection)) await compile(launch, choice, MINOR);
  if (request.others)
    for (const launch of launches)
      for (const choice of everyVariant(launch, request, connection))
        if (choice.variant !== connection.choose(launch.kernel, launch.dims).variant)
          await compile(launch, choice, FLAG);
}

/** How a launch is asked to run: in the variant of the device's choice, or those that the request names. */
function chosen({ kernel, dims }: RealLaunch, request: Request, connection: Connection): Choice[] {
  if (request.variant !== undefined || request.all) return everyVariant({ kernel, dims }, request, connection);
  const { variant, dims: sizes } = connection.choose(kernel, dims);
  return [{ variant, dims: { ...sizes, ...request.constants } }];
}

/** A launch in each variant that the request allows and the device can run, with the constants that it takes there. */
function everyVariant(
  { kernel, dims }: Pick<RealLaunch, "kernel" | "dims">,
  { variant, constants = {} }: Request,
  { class: kind }: Connection,
): Choice[] {
  const names = new Set(candidates(kernel, dims, kind).map(({ variant: name }) => name));
  return [...names]
    .filter((name) => variant === undefined || name === variant)
    .map((name) => choiceOf(kernel, dims, { variant: name, constants }, kind));
}

/** The launches of models, or the one whose sizes are given. Throws Error for an unknown kernel. */
async function launchesOf({ kernel: name, dims, only = "" }: Request): Promise<readonly RealLaunch[]> {
  const kernel = ALL.find((one) => one.name === name);
  if (name !== undefined && !kernel)
    throw new Error(`kernel must be one of ${ALL.map((one) => one.name).join(", ")}, got ${name}`);
  if (dims && kernel) {
    const absent = Object.keys({ ...kernel.reads, ...kernel.writes }).map((key) => [`HAS_${key.toUpperCase()}`, 0]);
    return [{ kernel, dims: { ...Object.fromEntries(absent), ...dims }, from: "as given" }];
  }
  const pattern = new RegExp(only);
  const all = await realLaunches();
  return all.filter((launch) => (!kernel || launch.kernel === kernel) && pattern.test(launch.from));
}
