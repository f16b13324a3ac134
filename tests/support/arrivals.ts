// Requests of every kind, drawn at random, and what each must give: what `model.generate` gives for it alone.
import type { GenerateInputs, GenerateResult, Model, StreamEvent } from "../../src/index.js";
import type { CallOptions } from "../../src/model/model.js";
import type { Dice } from "./campaign.js";
import { assert } from "./harness.js";

/** An engine of a model, and a request that it has taken. */
export type Engine = Awaited<ReturnType<Model["engine"]>>;
export type Submitted = ReturnType<Engine["submit"]>;

/** A model whose requests are drawn. */
export interface Family {
  readonly path: string;
  /** Ids from 1 up to this one are drawn. */
  readonly V: number;
  /** Most tokens of an input. */
  readonly longest: number;
  /** Whether it has an encoder. */
  readonly encoder?: boolean;
  /** Texts that may stop a row; none where the checkpoint has no tokenizer. */
  readonly stops?: readonly string[];
}

/** A request, and how its caller follows it. */
export interface Arrival {
  readonly inputs: GenerateInputs;
  readonly options: CallOptions;
  readonly priority: number;
  /** Whether the caller reads the stream too. */
  readonly reads: boolean;
  /** The caller gives up after this many events, or turns where it does not read. */
  readonly leaves?: number;
}

const MOST_NEW = 12;

type Draw = (dice: Dice, family: Family) => CallOptions;
const beams = ({ whole }: Dice) => {
  const num_beams = whole(2, 8);
  return { num_beams, num_return_sequences: whole(1, num_beams) };
};

const SEARCHES: readonly Draw[] = [
  () => ({ num_beams: 1 }),
  ({ whole, pick, random, chance }) => ({
    num_beams: 1,
    do_sample: true,
    seed: whole(0, 2 ** 32 - 1),
    num_return_sequences: whole(1, 3),
    temperature: 0.5 + random(),
    top_k: pick([0, 3, 50]),
    ...(chance(0.5) && { top_p: 0.5 + random() / 2 }),
    ...(chance(0.3) && { min_p: random() / 5 }),
  }),
  (dice) => ({
    ...beams(dice),
    length_penalty: dice.pick([-1, 0, 1, 2]),
    early_stopping: dice.pick([true, false, "never"] as const),
    ...(dice.chance(0.3) && { patience: dice.pick([0.5, 2]) }),
  }),
  ({ whole, random }) => {
    const [groups, each] = [whole(2, 3), whole(1, 2)];
    const sizes = { num_beams: groups * each, num_return_sequences: whole(1, groups * each) };
    return { ...sizes, num_beam_groups: groups, diversity_penalty: random() };
  },
  (dice, { encoder }) => ({
    ...beams(dice),
    search: "opennmt",
    length_penalty: dice.random(),
    ...(encoder && dice.chance(0.5) && { coverage_penalty: dice.random() }),
  }),
];

/** Rules on scores and lengths: each is there in some requests. */
function drawRules({ whole, pick, chance, random }: Dice, { V, encoder }: Family): CallOptions {
  const id = (): number => whole(1, V - 1);
  const max_new_tokens = whole(1, MOST_NEW);
  const words = (): number[] => Array.from({ length: whole(1, 2) }, id);
  return {
    max_new_tokens,
    ...(chance(0.3) && { min_new_tokens: whole(0, max_new_tokens) }),
    ...(chance(0.2) && { repetition_penalty: pick([0.8, 1.3, 2]) }),
    ...(chance(0.2) && { presence_penalty: 2 * random() - 1 }),
    ...(chance(0.2) && { no_repeat_ngram_size: whole(1, 3) }),
    ...(chance(0.2) && { bad_words_ids: Array.from({ length: whole(1, 3) }, words) }),
    ...(chance(0.2) && { suppress_tokens: words() }),
    ...(chance(0.2) && { begin_suppress_tokens: words() }),
    ...(encoder && chance(0.3) && { forced_bos_token_id: id() }),
    ...(chance(0.2) && { forced_eos_token_id: id() }),
    ...(chance(0.3) && { eos_token_id: Array.from({ length: whole(1, 20) }, id) }),
    ...(chance(0.2) && { renormalize_logits: true }),
    ...(chance(0.3) && { output_scores: true }),
    ...(chance(0.2) && { top_logprobs: whole(1, 4) }),
  };
}

/** One or two rows of any lengths; where there is no encoder, many begin with a part of what is shared. */
function drawInputs({ whole, pick, chance }: Dice, family: Family, shared: readonly number[][]): GenerateInputs {
  const row = (): number[] => {
    const own = Array.from({ length: whole(1, family.longest / 2) }, () => whole(1, family.V - 1));
    const common = pick(shared);
    return chance(0.5) ? [...common.slice(0, whole(1, common.length)), ...own] : own;
  };
  return { input_ids: Array.from({ length: chance(0.2) ? 2 : 1 }, row) };
}

/** Prompts with which many of a session begin. */
export const drawShared = ({ whole }: Dice, { V, longest }: Family): number[][] =>
  [1, 2].map(() => Array.from({ length: Math.floor(longest / 2) }, () => whole(1, V - 1)));

/** A request of any kind. */
export function drawArrival(dice: Dice, family: Family, shared: readonly number[][]): Arrival {
  const search = dice.pick(SEARCHES)(dice, family);
  const stops = search.num_beams === 1 && family.stops && dice.chance(0.3) && { stop_strings: family.stops };
  return {
    inputs: drawInputs(dice, family, shared),
    options: { ...search, ...drawRules(dice, family), ...stops },
    priority: dice.chance(0.2) ? dice.whole(0, 2) : 0,
    reads: !search.num_beam_groups && dice.chance(0.5), // groups share no beginning
    ...(dice.chance(0.15) && { leaves: dice.whole(0, 8) }),
  };
}

/** The result of a request, or the error with which it ended. */
export type Outcome = { readonly result: GenerateResult } | { readonly error: Error };

/** What `model.generate` gives for a request alone. */
export const alone = (model: Model, { inputs, options }: Pick<Arrival, "inputs" | "options">): Promise<Outcome> =>
  model.generate(inputs, options).then(
    (result) => ({ result }),
    (error: Error) => ({ error }),
  );

/** Asserts that a request gave what it gives alone, to the bit; how long it took and in how many launches is its own. */
export function sameResult(got: GenerateResult, want: GenerateResult, told = ""): void {
  const [{ stats: own, ...found }, { stats, ...wanted }] = [got, want];
  assert.is(own.seed, stats.seed, told);
  assert.equal(Object.keys(found), Object.keys(wanted), told);
  for (const key of Object.keys(wanted) as (keyof typeof wanted)[]) {
    const [one, other] = [JSON.stringify(found[key]), JSON.stringify(wanted[key])];
    const at = Math.max(0, [...other].findIndex((letter, i) => letter !== one[i]) - 60);
    const part = (text: string): string => text.slice(at, at + 160);
    assert.ok(one === other, `${told}: ${key} must be ${part(other)}, got ${part(one)}`);
  }
}

/** The same of an outcome: a request that fails alone fails with the same words. */
export function sameOutcome(got: Outcome, want: Outcome, told = ""): void {
  if ("result" in got && "result" in want) return sameResult(got.result, want.result, told);
  const said = (outcome: Outcome): string => ("error" in outcome ? String(outcome.error) : "a result");
  assert.is(said(got), said(want), told);
}

/** Asserts that events together are the tokens of the rows after `width` given columns. */
function sameEvents(events: readonly StreamEvent[], result: GenerateResult, width: number, told: string): void {
  result.sequences.forEach((tokens, r) => {
    const ids = events.flatMap(({ row, token_ids }) => (row === r ? token_ids : []));
    assert.equal(ids, tokens.slice(width, result.lengths[r]), `${told}: events of row ${r}`);
  });
}

/** A turn of the event loop, in which reports arrive. */
export const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

/**
 * Submits a request, follows it as its caller does, and asserts that it gave what it gives alone; or, where the caller
 * left, the caller's reason. Returns what became of it.
 */
export async function follow(
  engine: Engine,
  { encoder }: Family,
  arrival: Arrival,
  want: Outcome,
  told: string,
): Promise<string> {
  const { inputs, options, priority, reads, leaves } = arrival;
  const reason = new Error(`${told} left`);
  let request: Submitted;
  try {
    request = engine.submit({ inputs, options, priority });
  } catch (error) {
    sameOutcome({ error: error as Error }, want, told);
    return "refused";
  }
  const ended: Promise<Outcome> = request.result.then(
    (result) => ({ result }),
    (error: Error) => ({ error }),
  );
  const events: StreamEvent[] = [];
  if (reads) {
    const reading = async (): Promise<void> => {
      if (leaves === 0) request.cancel(reason);
      for await (const event of request.stream) if (events.push(event) === leaves) request.cancel(reason);
    };
    const end = await reading().then(
      () => undefined,
      (error: unknown) => error,
    );
    const outcome = await ended;
    assert.is(end, "error" in outcome ? outcome.error : undefined, `${told}: its stream and its result end alike`);
  } else if (leaves !== undefined) {
    for (let count = 0; count < leaves; count++) await turn();
    request.cancel(reason);
  }
  const outcome = await ended;
  if (leaves !== undefined && "error" in outcome && outcome.error === reason) return "left";
  sameOutcome(outcome, want, told);
  const width = encoder ? 1 : Math.max(...(inputs.input_ids ?? []).map(({ length }) => length));
  if (reads && "result" in outcome) sameEvents(events, outcome.result, width, told);
  return "error" in outcome ? outcome.error.name : "right";
}
