import type { DecoderCore } from "../core.js";
import type { Job } from "./loop.js";
import { packSpans } from "../inputs.js";
import { ancestors, latest, type Report } from "./reports.js";
import type { Generation } from "./options.js";
import { type Lease, lease } from "./search.js";

const SMALL = 16; // rows below which a smaller batch is hardly faster
const WORTH = 16; // steps that may be left, for a compaction (which costs about one) to pay

/** Whether to go on with the open sentences alone. Draws depend on a row's place, and a host's logits_processor on all rows. */
export function pays(open: number, sentences: number, left: number, g: Generation): boolean {
  return (
    open > 0 &&
    4 * open <= sentences &&
    sentences * g.W > SMALL &&
    left >= WORTH &&
    g.groups === 1 &&
    !g.sampling &&
    !g.logits_processor
  );
}

/** A smaller search that goes on with the sentences `live`, where the reports end. */
export async function compacted(
  core: DecoderCore,
  { search: old, capacity }: Lease,
  { prompts, sources, pads }: Job,
  places: readonly number[],
  live: readonly number[],
  g: Generation,
  reports: readonly Report[],
): Promise<Lease> {
  const next = await lease(core, { ...capacity, B: live.length }, g);
  try {
    const spans = sources && packSpans(sources);
    await next.search.session.adopt(
      old.session,
      live.map((b) => places[b]),
      spans && Uint32Array.from(live.flatMap((b) => [...spans.subarray(2 * b, 2 * b + 2)])),
    );
    next.search.start(
      live.map((b, at) => {
        const { length, prompt, limit, rows, finished } = latest(reports, b, g.W);
        const chosen = rows.map((_, w) => ancestors(reports, b, w, g.W));
        // Which beam holds which token: the prompt's first; the prompt's last token and each chosen one, the parent of the next.
        const past = chosen.map((links) => [
          ...prompts[b].slice(0, -1).map(() => 0),
          ...links.map(({ parent }) => parent),
        ]);
        const beams = rows.map(({ id, score }, w) => ({ id, score, past: past[w].map((beam) => at * g.W + beam) }));
        const tokens = chosen.map((links) => [...prompts[b], ...links.slice(0, -1).map(({ id }) => id)]);
        return { length, prompt, limit, beams, tokens, finished, pads: pads?.[b] ?? [] };
      }),
    );
  } catch (error) {
    next.release();
    throw error;
  }
  return next;
}
