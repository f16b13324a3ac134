import type { Prepared } from "../../runtime/prepare.js";
import { type Plan, record } from "../../runtime/plan.js";
import { prefix, type Tensor, tensor } from "../../runtime/tensor.js";
import type { DecoderCore } from "../core.js";
import { type CrossKeys, decoderPrompt, type PastKeys, sourceKeys } from "../graph/decoder.js";
import { encoder } from "../graph/encoder.js";
import { packRows, packSpans } from "../inputs.js";
import { rotaryTable } from "../graph/positions.js";

/** Sizes of a session: B prompts (and sources), n sentences a prompt, W beams a sentence; M cache slots a row; S packed source rows. */
export interface Capacity {
  readonly B: number;
  readonly n: number;
  readonly W: number;
  readonly M: number;
  readonly S: number;
}

type Sentences = readonly (readonly number[])[];

/** Device memory of B prompts being continued: the source's keys, the caches, and which cache row holds which row's past. */
export interface Session {
  readonly rows: Tensor;
  readonly cache: PastKeys;
  readonly cross: CrossKeys | undefined;
  readonly indirection: Tensor;
  /** Runs the encoder and stores its keys and values for every decoder layer; nothing without an encoder. Returns the plan it ran. */
  encode(sources: Sentences | undefined): Promise<Plan | undefined>;
  /** Runs the decoder over tokens that are given, after `past` tokens a prompt; their keys go to the first row of each prompt. */
  prompt(tokens: Sentences, past: readonly number[]): Promise<void>;
  /** Takes over sentences of another session of the same sizes but for B: sentence i's caches and keys come from place `from[i]`. */
  adopt(other: Session, from: readonly number[], spans: Uint32Array<ArrayBuffer> | undefined): Promise<void>;
  dispose(): void;
}

const PLANS = 16; // shapes of sources and prompts kept prepared
const CHUNK = 2048; // most rows of a prompt plan: bounds its activations

export function createSession(core: DecoderCore, { B, n, W, M, S }: Capacity): Session {
  const { gpu, architecture: a } = core;
  const fan = n * W; // rows of a prompt
  const R = B * fan;
  const { depth, K, E, rotary } = a.decoder;
  const perLayer = (name: string, shape: number[]): Tensor[] =>
    Array.from({ length: depth }, (_, l) => tensor(`decoder.layers.${l}.${name}`, "f32", shape));
  const table = rotary && rotaryTable(rotary, M, E);
  const cache: PastKeys = {
    caches: perLayer("cache", [R, M, 2 * K * E]),
    rotary: table && tensor("rotary", "f32", [M, E]),
  };
  const cross = a.encoder && {
    kv: perLayer("source_keys", [S, 2 * K * E]),
    spans: tensor("cross_spans", "u32", [B * n, 2]),
  };
  const state = {
    rows: tensor("rows", "u32", [R, 4]),
    indirection: tensor("indirection", "u32", [2, R, M]),
    sourceRows: tensor("source_rows", "u32", [S, 4]),
    sourceSpans: tensor("source_spans", "u32", [B, 2]),
    promptRows: tensor("prompt_rows", "u32", [CHUNK, 4]),
    promptSpans: tensor("prompt_spans", "u32", [B, 2]),
  };
  if (table && cache.rotary) gpu.write(cache.rotary, table);
  const plans = new Map<string, Prepared>();
  const prepare = async (key: string, build: () => Plan): Promise<Prepared> => {
    const known = plans.get(key);
    if (known) return known;
    const prepared = await gpu.prepare(build());
    const oldest = plans.entries().next();
    if (plans.size >= PLANS && !oldest.done) {
      oldest.value[1].dispose();
      plans.delete(oldest.value[0]);
    }
    plans.set(key, prepared);
    return prepared;
  };
  const encodePlan = (N: number, kv: readonly Tensor[]): Plan =>
    record("encode", (run) => {
      const encoded = encoder(run, core, { rows: prefix(state.sourceRows, [N, 4]), spans: state.sourceSpans });
      sourceKeys(
        run,
        core,
        encoded,
        kv.map((t) => prefix(t, [N, 2 * K * E])),
      );
    });
  const promptPlan = (N: number): Plan =>
    record("prompt", (run) => {
      decoderPrompt(run, core, {
        rows: prefix(state.promptRows, [N, 4]),
        past: cache,
        spans: state.promptSpans,
        rowsPerPrompt: fan,
        cross: cross && { kv: cross.kv, spans: state.sourceSpans },
      });
    });
  return {
    rows: state.rows,
    indirection: state.indirection,
    cache,
    cross,
    async encode(sources) {
      if (!sources || !cross) return undefined;
      const N = sources.reduce((sum, { length }) => sum + length, 0);
      const prepared = await prepare(`encode ${N}`, () => encodePlan(N, cross.kv));
      const spans = packSpans(sources);
      gpu.write(state.sourceRows, packRows(sources));
      gpu.write(state.sourceSpans, spans);
      gpu.write(
        cross.spans,
        Uint32Array.from({ length: 2 * B * n }, (_, i) => spans[2 * Math.floor(i / 2 / n) + (i % 2)]),
      );
      await prepared.run();
      return prepared.plan;
    },
    async prompt(tokens, past) {
      const rows = packRows(tokens, past);
      gpu.write(
        state.promptSpans,
        Uint32Array.from(tokens.flatMap(({ length }, b) => [b * fan * M, past[b] + length])),
      );
      for (let first = 0; first < rows.length / 4; first += CHUNK) {
        const N = Math.min(CHUNK, rows.length / 4 - first);
        const prepared = await prepare(`prompt ${N}`, () => promptPlan(N));
        gpu.write(state.promptRows, rows.subarray(4 * first, 4 * (first + N)));
        await prepared.run();
      }
    },
    async adopt(other, from, spans) {
      const count = fan * M * 2 * K * E;
      await gpu.copy([
        ...cache.caches.flatMap((to, l) =>
          from.map((place, b) => ({ from: other.cache.caches[l], fromAt: place * count, to, toAt: b * count, count })),
        ),
        ...(cross?.kv ?? []).flatMap((to, l) =>
          other.cross ? [{ from: other.cross.kv[l], fromAt: 0, to, toAt: 0, count: S * 2 * K * E }] : [],
        ),
      ]);
      if (cross && spans) gpu.write(cross.spans, spans);
    },
    dispose() {
      for (const prepared of plans.values()) prepared.dispose();
      const rotary = cache.rotary ? [cache.rotary] : [];
      gpu.memory.free([
        ...Object.values(state),
        ...cache.caches,
        ...rotary,
        ...(cross ? [cross.spans, ...cross.kv] : []),
      ]);
    },
  };
}
