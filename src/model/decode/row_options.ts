import { checkObject } from "../../runtime/checks.js";
import { OptionError, show } from "../../runtime/errors.js";
import type { DecoderCore } from "../core.js";
import { decodeTogether } from "../loop/decode.js";
import type { GenerationDefaults } from "./defaults.js";
import { type Call, type CallHooks, type GenerateResult, planCall, resolveCall, runCall } from "./generate.js";
import { longest } from "../inputs.js";
import type { GenerateInputs, Job } from "./job.js";
import { mergeOptions } from "./option_checks.js";
import type { GenerateOptions } from "./options.js";

/** Options of `generate()` and those of single rows, which take precedence (FasterTransformer v5's request arrays). */
export interface RowOptions extends GenerateOptions {
  /**
   * Options of each input, which replace those of the call. The tokens that begin rows, pasts, vectors, alternatives,
   * attentions and a logits_processor belong to the whole call.
   */
  readonly row_options?: readonly GenerateOptions[];
}

/** What the whole call must say, or leave out. */
const WHOLE = [
  "pad_token_id",
  "bos_token_id",
  "decoder_start_token_id",
  "return_alternatives",
  "output_attentions",
  "logits_processor",
] as const satisfies readonly (keyof GenerateOptions)[];

/** The calls of the rows of inputs, each with options of its own. Throws InputError and OptionError. */
export function planRows(
  core: DecoderCore,
  defaults: GenerationDefaults,
  inputs: GenerateInputs | undefined,
  { row_options: own, ...shared }: RowOptions,
): Call[] {
  const { forced_bos_token_id: first, ...others } = shared;
  const whole = planCall(core, defaults, inputs, shared);
  const { job, given } = whole;
  const B = job.prompts.length;
  if (!Array.isArray(own) || own.length !== B)
    throw new OptionError(
      `generate: row_options must be a list of options for each of the ${B} inputs, got ${show(own)}`,
    );
  const stray = [
    [job.past, "past_key_values"],
    [job.vectors, "inputs_embeds"],
    [whole.branching, "return_alternatives"],
    [whole.g.output_attentions, "output_attentions"],
    [whole.g.logits_processor, "logits_processor"],
  ].find(([value]) => value);
  if (stray)
    throw new OptionError(`generate: row_options must be absent with ${String(stray[1])}; generate row by row`);
  return own.map((options: GenerateOptions, b) => {
    checkObject(OptionError, `generate: row_options[${b}]`, options);
    const name = WHOLE.find((one) => options[one] !== undefined);
    if (name) throw new OptionError(`generate: row_options[${b}]: ${name} must be absent; give it for the whole call`);
    const forced = Array.isArray(first) ? (first as readonly number[])[b] : first;
    const merged = { ...others, ...(forced !== undefined && { forced_bos_token_id: forced as number }), ...options };
    const row = { job: jobOf(job, b), given: [given[b]], width: given[b].length };
    return resolveCall(core, row, mergeOptions(merged, defaults, core.architecture.V), merged);
  });
}

const jobOf = ({ prompts, sources, leads }: Job, b: number): Job => ({
  prompts: [prompts[b]],
  ...(sources && { sources: [sources[b]] }),
  ...(leads && { leads: [leads[b]] }),
});

/** Runs the calls of rows together, and arranges their results as those of one call. Throws as `runCall` does. */
export async function runRows(core: DecoderCore, calls: readonly Call[], hooks: CallHooks): Promise<GenerateResult> {
  const { emit, onStep, ...others } = hooks;
  const together = decodeTogether(core, calls);
  let first = 0;
  const run = (call: Call, b: number): Promise<GenerateResult> => {
    const at = first;
    first += call.g.returned;
    return runCall(core, together.decode, call, {
      ...others,
      ...(emit && { emit: (events) => emit(events.map((event) => ({ ...event, row: at + event.row }))) }),
      ...(onStep && {
        onStep: ({ step, sentences }) => onStep({ step, sentences: sentences.map((one) => ({ ...one, row: b })) }),
      }),
    });
  };
  try {
    return joined(calls, await Promise.all(calls.map(run)));
  } finally {
    await together.close();
  }
}

/** The results of rows as those of one call: all prompts end in the same column, and padding follows the end of a row. */
function joined(calls: readonly Call[], rows: readonly GenerateResult[]): GenerateResult {
  const width = Math.max(...calls.map((call) => call.width));
  const pad = calls[0].g.pad;
  const pads = (count: number): number[] => Array<number>(count).fill(pad);
  const texts = rows.flatMap(({ sequences, lengths }, b) =>
    sequences.map((ids, i) => [...pads(width - calls[b].width), ...ids.slice(0, lengths[i])]),
  );
  const length = longest(texts);
  const all = <T>(of: (row: GenerateResult) => readonly T[] | undefined): T[] | undefined =>
    rows.every(of) ? rows.flatMap((row) => of(row) ?? []) : undefined;
  const [sequences_scores, token_scores, top_logprobs] = [
    all((row) => row.sequences_scores),
    all((row) => row.token_scores),
    all((row) => row.top_logprobs),
  ];
  return {
    sequences: texts.map((ids) => [...ids, ...pads(length - ids.length)]),
    ...(sequences_scores && { sequences_scores }),
    ...(token_scores && { token_scores }),
    ...(top_logprobs && { top_logprobs }),
    lengths: texts.map((ids) => ids.length),
    finish_reasons: rows.flatMap((row) => row.finish_reasons),
    rows: [...rows],
    stats: {
      ...rows[0].stats,
      steps: Math.max(...rows.map(({ stats }) => stats.steps)),
      ms: Math.max(...rows.map(({ stats }) => stats.ms)),
      compactions: Math.max(...rows.map(({ stats }) => stats.compactions)),
    },
  };
}
