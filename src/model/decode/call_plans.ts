import type { AdapterClass } from "../../runtime/device_class.js";
import type { Plan } from "../../runtime/plan.js";
import type { GenerationDefaults } from "./defaults.js";
import type { DecoderModel } from "../graph/architecture.js";
import { memoryWidth } from "../graph/architecture.js";
import { packInputs, type Source } from "../inputs.js";
import type { Job } from "./job.js";
import { sizeOf } from "../loop/sizes.js";
import { loopTensors } from "../loop/tensors.js";
import { mergeOptions } from "./option_checks.js";
import type { GenerateOptions } from "./options.js";
import { CHUNK, promptPlan, promptTensors, roundRows } from "../loop/prompts.js";
import { resolveOptions } from "./resolve.js";
import { encodePlan, sourceTensors } from "../loop/source_keys.js";
import { kindOf, stepPlan } from "../loop/step_plan.js";

/** A call of `generate()` by its sizes. */
export interface CallSizes {
  /** Number of inputs. */
  readonly rows: number;
  /** Tokens of each. */
  readonly length: number;
  readonly options: GenerateOptions;
  /** What the device computes on. */
  readonly adapter: AdapterClass;
}

/** The plans that a call of `generate()` runs. Throws OptionError as it does. */
export function callPlans(
  model: DecoderModel,
  defaults: GenerationDefaults,
  { rows, length, options: call, adapter }: CallSizes,
): Plan[] {
  const { architecture } = model;
  const { encoder, decoder, D, V } = architecture;
  const ids = Array<number>(encoder ? 1 : length).fill(0);
  const job: Job = {
    prompts: Array.from({ length: rows }, () => ids),
    ...(encoder && { sources: Array.from({ length: rows }, () => sourceOf(model, length)) }),
  };
  const context = { call, B: rows, P: decoder.P, width: ids.length, longest: ids.length };
  const g = resolveOptions(mergeOptions(call, defaults, V), context);
  const sizes = sizeOf(job, g);
  const held = loopTensors(architecture, sizes);
  const { pool, cross, vectors } = held;
  const kv = cross?.kv ?? [];
  const sources = sourceTensors(architecture, { B: sizes.prompts, S: sizes.S });
  const encodes = job.sources && encodePlan(model, sources, kv, packInputs(job.sources, D, memoryWidth(architecture)));
  const read = rows * (ids.length - 1); // the first step reads the last tokens
  const chunks = new Set([Math.min(CHUNK, read), read % CHUNK].filter((N) => N > 0).map(roundRows));
  const prompts = promptTensors({ B: sizes.prompts, U: sizes.U });
  return [
    ...(encodes ? [encodes] : []),
    ...Array.from(chunks, (N) => promptPlan(model, { pool, cross: cross && kv, vectors }, prompts, N)),
    stepPlan(model, held, sizes, kindOf([g], sizes.R, V, adapter), adapter).plan,
  ];
}

function sourceOf({ architecture }: DecoderModel, length: number): Source {
  if (memoryWidth(architecture) !== architecture.D)
    return { states: new Float32Array(length * memoryWidth(architecture)), length };
  if (architecture.encoder?.stem) return { features: new Float32Array(length * architecture.D), length };
  return { ids: Array<number>(length).fill(0) };
}
