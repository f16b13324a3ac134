import type { TunedChoices } from "../runtime/variants.js";
import { record } from "../runtime/plan.js";
import { tensor } from "../runtime/tensor.js";
import { tune, type TuneHooks } from "../runtime/tune.js";
import type { Core } from "./core.js";
import { layers } from "./graph/layers.js";

export interface TuneOptions extends TuneHooks {
  /** Numbers of rows: of tokens in a batch, of beams in a step. Default: powers of two to 512. */
  readonly rows?: readonly number[];
}

const ROWS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

/** Measures the linear layers and norms of a model on its device. Throws as `tune` does. */
export async function tuneModel(core: Core, { rows = ROWS, ...hooks }: TuneOptions): Promise<TunedChoices> {
  const { gpu, architecture: a, weights: w } = core;
  const names = [...w.tensors]
    .map(({ name }) => name.match(/^(.*)\.weight$/)?.[1])
    .filter((name) => name !== undefined);
  const plans = rows.map((N) =>
    record("tune", (run) => {
      const { linear, norm } = layers(run, core, a.encoder ? "encoder" : "decoder");
      for (const name of names) {
        const [weight] = w.parts(`${name}.weight`);
        const width = weight.shape[weight.shape.length - 1];
        const x = tensor("x", "f32", [N, width]);
        if (name.endsWith("_norm") || name.endsWith(".norm")) norm(name, x);
        else if (/\.embed_|classifier$|^pooler$/.test(name)) continue;
        else
          linear(name, x, {
            gated: a.gated && name.endsWith(".fc1"),
            activation: name.endsWith(".fc1") ? a.activation : "none",
          });
      }
    }),
  );
  return tune(gpu, plans, hooks);
}
