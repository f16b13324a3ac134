import type { Checkpoint } from "../../src/model/checkpoint/checkpoint.js";
import type { LogitsFormat, WeightFormat } from "../../src/model/checkpoint/weight_formats.js";
import { CHUNK } from "../../src/model/loop/prompts.js";
import type { GenerateOptions } from "../../src/model/decode/options.js";
import type { CacheFormat } from "../../src/model/graph/architecture.js";
import { planModel } from "../../src/model/memory_plan.js";
import type { Figures } from "./devices.js";
import { type Expected, expectPlan, planTime } from "./expected.js";

/** What a call is predicted for. */
export interface CallSizes {
  readonly dtype?: WeightFormat;
  /** Storage of the matrix that makes logits, where it is another. */
  readonly lm_head_dtype?: LogitsFormat;
  /** Storage of keys and values of the past. */
  readonly cache?: CacheFormat;
  /** Inputs that are run together. */
  readonly rows?: number;
  /** Tokens of each. */
  readonly input_length?: number;
  /** Options of `generate()`, where the model generates. */
  readonly options?: GenerateOptions;
}

/** What a plan of a call is expected to take. */
export interface Prediction {
  /** `encode`, `prompt` or `step`. */
  readonly name: string;
  readonly launches: readonly Expected[];
  /** How often it runs before the first step; of a step 1. */
  readonly count: number;
  /** Microseconds, once. */
  readonly us: number;
  /** Whether the host takes longer to record it than the device to run it. */
  readonly host: boolean;
}

/** The plans of a call, and what each is expected to take on a device. Throws as the call does. */
export async function predict(checkpoint: Checkpoint, call: CallSizes, figures: Figures): Promise<Prediction[]> {
  const { rows = 1, options = {} } = call;
  const place = { adapter: figures.class.adapter, weightLimit: Infinity };
  const { plans } = await planModel(checkpoint, { ...call, options }, place);
  return plans.map((plan) => {
    const launches = expectPlan(plan, figures);
    const whole = plan.launches.some(({ dims }) => dims.N === CHUNK);
    const count = plan.name === "prompt" && whole ? Math.floor((rows * ((call.input_length ?? 64) - 1)) / CHUNK) : 1;
    return { name: plan.name, launches, count, ...planTime(launches, figures) };
  });
}
