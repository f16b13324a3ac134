import type { Gpu, Tasks } from "../../src/index.js";
import type { Shared } from "./tabs.js";
import type { BundledModel, BundledTask } from "./view.js";

const library = () => import("../../src/index.js");
const MB = 1e6;

/** Keeps what `make` gives for each key; what fails is made again when it is next asked for. */
function kept<T>(make: (key: string) => Promise<T>): (key: string) => Promise<T> {
  const all = new Map<string, Promise<T>>();
  return (key) => {
    const found = all.get(key) ?? make(key);
    all.set(key, found);
    found.catch(() => all.delete(key));
    return found;
  };
}

/** The device, the bundled models and the words at the foot of the page, which all views share. */
export function createContext(status: HTMLElement, deviceLine: HTMLElement): Shared {
  const describe = ({ info, use }: Gpu): void => {
    const bytes = Object.values(use()).reduce((sum, value) => sum + value, 0);
    deviceLine.textContent = `${info.description} · ${(bytes / MB).toFixed(0)} MB on the device`;
  };

  let opened: Gpu | undefined;
  const say = (text: string): void => {
    status.textContent = text;
    if (opened) describe(opened);
  };

  const devices = kept(async () => {
    const { gpu: open } = await library();
    const gpu = await open();
    gpu.listen({
      onDeviceLost({ reason, message }) {
        say(`The device was lost (${reason}: ${message}). Opening another ...`);
        gpu.ready()?.then(
          () => say("The device was lost, and another is open. The next run reads the weights again."),
          (error: Error) => say(error.message),
        );
      },
      onFallback: ({ kernel, from, to }) => say(`The compiler refused ${kernel}.${from}, and ${kernel}.${to} runs.`),
    });
    opened = gpu;
    describe(gpu);
    return gpu;
  });
  const gpu = (): Promise<Gpu> => devices("");

  const tasks = kept(async (key) => {
    const [name, model] = key.split(" ") as [BundledTask, BundledModel];
    const [{ pipeline }, shared] = await Promise.all([library(), gpu()]);
    const task = await pipeline(name, new URL(`models/${model}/`, document.baseURI).href, {
      gpu: shared,
      progress: (event) => {
        const { status, loaded = 0, total = 0 } = event;
        if (status === "progress")
          say(`Reading ${model}: ${(loaded / MB).toFixed(1)} of ${(total / MB).toFixed(1)} MB`);
      },
    });
    say(`${model} is ready.`);
    return task;
  });
  const task = async <N extends BundledTask>(name: N, model: BundledModel): Promise<Tasks[N]> =>
    (await tasks(`${name} ${model}`)) as Tasks[N];

  return { gpu, task, say };
}
