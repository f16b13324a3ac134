import type { AdapterClass } from "../../runtime/device_class.js";
import type { Plan } from "../../runtime/plan.js";
import type { GenerationDefaults } from "./defaults.js";
import type { DecoderModel } from "../graph/architecture.js";
import { memoryWidth } from "../graph/architecture.js";
import { packInputs, type Source } from "../inputs.js";
import { type Job, sizeOf } from "./batch.js";
import { cacheTensors, CHUNK, encodePlan, promptPlan } from "./cache_plans.js";
import { mergeOptions } from "./option_checks.js";
import type { GenerateOptions } from "./options.js";
import { resolveOptions } from "./resolve.js";
import { searchTensors } from "./search_tensors.js";
import { stepPlan } from "./step_plan.js";

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
  const size = sizeOf(job, g);
  const cache = cacheTensors(architecture, size.capacity);
  const encodes = job.sources && encodePlan(model, cache, packInputs(job.sources, D, memoryWidth(architecture)));
  const read = rows * (ids.length - 1); // the first step reads the last tokens
  const chunks = new Set([Math.min(CHUNK, read), read % CHUNK].filter((N) => N > 0));
  return [
    ...(encodes ? [encodes] : []),
    ...Array.from(chunks, (N) => promptPlan(model, cache, N, g.n * g.W)),
    stepPlan(model, cache, searchTensors(architecture, cache.rows, size, g), g, adapter).plan,
  ];
}

function sourceOf({ architecture }: DecoderModel, length: number): Source {
  if (memoryWidth(architecture) !== architecture.D)
    return { states: new Float32Array(length * memoryWidth(architecture)), length };
  if (architecture.encoder?.stem) return { features: new Float32Array(length * architecture.D), length };
  return { ids: Array<number>(length).fill(0) };
}
