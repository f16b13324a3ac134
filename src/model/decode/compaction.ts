import type { DecoderCore } from "../core.js";
import type { Batch, Job } from "./batch.js";
import type { StepReports } from "./reports.js";
import type { Generation } from "./resolve.js";
import { acquireSearch, type PaddedStart } from "./search.js";

const SMALL = 16; // rows below which a smaller batch is hardly faster
const WORTH = 16; // steps that may be left, for a compaction (which costs about one) to pay

/** Counts of a batch: open sentences of all its sentences, and steps that may be left. */
interface BatchCounts {
  readonly open: number;
  readonly sentences: number;
  readonly left: number;
}

/** Whether to go on with the open sentences alone. Draws depend on a row's place, and a host's logits_processor on all rows. */
export function shouldCompact({ open, sentences, left }: BatchCounts, g: Generation): boolean {
  return (
    open > 0 &&
    4 * open <= sentences &&
    sentences * g.W > SMALL &&
    left >= WORTH &&
    g.beamStep.groups === 1 &&
    !g.sampling &&
    !g.logits_processor
  );
}

/** A smaller batch that goes on with the open sentences, where the reports end. */
export async function compactBatch(core: DecoderCore, { job, g, search, places, reports }: Batch): Promise<Batch> {
  const open = places.flatMap((place, b) => (place >= 0 && !reports.latest(b).done ? [b] : []));
  const capacity = { ...search.cache.capacity, B: open.length };
  const next = await acquireSearch(core, capacity, g, async (cache) => {
    const from = open.map((b) => places[b]);
    await cache.adopt(search.cache, from);
    return open.map((b, place) => resumed(job, reports, b, place));
  });
  return { job, g, search: next, places: places.map((_, b) => open.indexOf(b)), reports };
}

/** Sentence b as it is after its last report, in another place of a batch. */
function resumed({ prompts, padding }: Job, reports: StepReports, b: number, place: number): PaddedStart {
  const { length, start, limit, beams, finished } = reports.latest(b);
  const given = prompts[b].slice(0, -1).map(() => 0);
  return {
    length,
    start,
    limit,
    finished,
    padding: padding?.[b] ?? [],
    beams: beams.map(({ id, score }, w) => {
      const links = reports.backtrace(b, w);
      // The beam that holds each token: the first for the prompt's; for the prompt's last and each chosen one, the parent of the next.
      const held = [...given, ...links.map(({ parent }) => parent)];
      const tokens = [...prompts[b], ...links.slice(0, -1).map((link) => link.id)];
      return { id, score, tokens, past: held.map((beam) => place * beams.length + beam) };
    }),
  };
}
