import type { DecoderCore } from "../core.js";
import type { Batch, Job } from "./batch.js";
import type { StepReports } from "./reports.js";
import type { Generation } from "./resolve.js";
import { acquireSearch } from "./search.js";
import { type LedStart, NO_LEAD } from "./search_tensors.js";

const SMALL = 16; // up to this many rows, a smaller batch is hardly faster
const WORTH = 16; // a compaction costs about one step, and pays when at least this many may be left

/** Counts of a batch: open sentences, all sentences, and steps that may be left. */
interface BatchCounts {
  readonly open: number;
  readonly sentences: number;
  readonly left: number;
}

/**
 * Whether to go on with the open sentences alone. Never when sampling, because a draw depends on the place of its row,
 * nor with a logits_processor, which sees all rows, nor with a coverage penalty, whose sums stay where they are.
 */
export function shouldCompact({ open, sentences, left }: BatchCounts, g: Generation): boolean {
  return (
    open > 0 &&
    4 * open <= sentences &&
    sentences * g.W > SMALL &&
    left >= WORTH &&
    g.beamStep.groups === 1 &&
    !g.sampling &&
    !g.logits_processor &&
    !g.beamStep.coverage_penalty
  );
}

/** A smaller batch with the open sentences only, which continues after the last report. */
export async function compactBatch(core: DecoderCore, { job, g, search, places, reports }: Batch): Promise<Batch> {
  const open = places.flatMap((place, b) => (place >= 0 && !reports.latest(b).done ? [b] : []));
  const size = { capacity: { ...search.cache.capacity, B: open.length }, lead: search.lead, covered: 0 };
  const next = await acquireSearch(core, size, g, async (cache) => {
    const from = open.map((b) => places[b]);
    await cache.adopt(search.cache, from);
    return open.map((b, place) => resumed(job, reports, b, place));
  });
  return { job, g, search: next, places: places.map((_, b) => open.indexOf(b)), reports };
}

/** Sentence b after its last report, in another place of a batch. */
function resumed({ prompts, leads }: Job, reports: StepReports, b: number, place: number): LedStart {
  const { length, start, limit, beams, slots } = reports.latest(b);
  const given = prompts[b].slice(0, -1).map(() => 0);
  return {
    length,
    start,
    limit,
    finished: slots,
    lead: leads?.[b] ?? NO_LEAD,
    beams: beams.map(({ id, score }, w) => {
      const links = reports.backtrace(b, w);
      // The beam that holds each token: the first for the prompt but its last token; then the parent of the next token.
      const held = [...given, ...links.map(({ parent }) => parent)];
      const tokens = [...prompts[b], ...links.slice(0, -1).map((link) => link.id)];
      return { id, score, tokens, past: held.map((beam) => place * beams.length + beam) };
    }),
  };
}
