import { load } from "wgformer";
import { attention } from "wgformer/kernels";

/** Ids that a model at `url` generates after three, with a kernel's name as the proof that the kernels are there. */
export async function generate(url) {
  const model = await load(url);
  try {
    const { sequences } = await model.generate({ input_ids: [[5, 9, 33]] }, { max_new_tokens: 4, num_beams: 2 });
    return { sequences, kernel: attention.name };
  } finally {
    model.dispose();
  }
}
