import type { ChildProcess } from "node:child_process";
import type { Queue } from "bullmq";
import { findServer } from "../../apt.mjs";

const NONE = "no Redis and no Valkey is installed: on Debian, apt install redis-tools";

/** What a job asks for. */
export interface Task {
  readonly id: string;
  readonly input: unknown;
}

/** The example beside a server of its own. */
export interface Example {
  /** Starts a program of the example. */
  start(words: readonly string[]): ChildProcess;
  /** Runs one to its end; `printed` are lines of standard output. */
  run(...words: readonly string[]): Promise<{ readonly code: number; readonly printed: readonly string[] }>;
  /** The path of a file in its folder. */
  path(name: string): string;
  /** Sends the server a command of one line. */
  tell(command: string): Promise<void>;
  /** `openQueue`, `work` and `openModel` of the example. */
  readonly queue: (name: string) => Queue<Task>;
  readonly work: (name: string, options: object) => Promise<void>;
  readonly openModel: (model: string, load: object, task: string) => Promise<{ dispose(): void }>;
}

const freePort = async (): Promise<number> => {
  const { createServer } = await import("node:net");
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { readonly port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
};

/**
 * Starts a server with its data in a folder of its own, and the example in the same folder as one that is installed. Returns
 * why there is no server, where there is none.
 */
export async function withExample(body: (example: Example) => Promise<void>): Promise<string | undefined> {
  const { existsSync } = await import("node:fs");
  const server = findServer(process.env.PATH, existsSync);
  if (!server) return NONE;
  const { spawn } = await import("node:child_process");
  const {
    default: { once },
  } = await import("node:events");
  const { cp, mkdir, mkdtemp, rm, symlink } = await import("node:fs/promises");
  const { pathToFileURL } = await import("node:url");
  await mkdir("build", { recursive: true });
  const place = await mkdtemp(`${process.cwd()}/build/bulk.`);
  const url = `redis://127.0.0.1:${await freePort()}`;
  const settings = { port: new URL(url).port, bind: "127.0.0.1", dir: place, save: "", appendonly: "yes" };
  const words = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  const started = spawn(server, words, { argv0: "redis-server", stdio: ["ignore", "pipe", "inherit"] });
  const end = (): boolean => started.kill("SIGKILL");
  process.once("exit", end);
  const children: ChildProcess[] = [];
  try {
    await new Promise<void>((resolve, reject) => {
      started.stdout.on("data", (text) => String(text).includes("eady to accept connections") && resolve());
      started.once("close", (code) => reject(new Error(`the server must start, it ended with ${code}`)));
    });
    await cp("examples/bulk", place, { recursive: true, filter: (path) => !path.includes("node_modules") });
    await mkdir(`${place}/node_modules`, { recursive: true });
    await symlink(process.cwd(), `${place}/node_modules/wgformer`);
    process.env.REDIS_URL = url; // for the modules that are imported next, and for commands
    const from = async <T>(name: string): Promise<T> => (await import(pathToFileURL(`${place}/${name}`).href)) as T;
    const { openQueue } = await from<{ openQueue: Example["queue"] }>("queue.mjs");
    const { work } = await from<{ work: Example["work"] }>("worker.mjs");
    const openModel: Example["openModel"] = async (...given) => {
      const model = await from<Pick<Example, "openModel">>("model.mjs"); // dist/ with it
      return model.openModel(...given);
    };
    const start: Example["start"] = ([name, ...words]) => {
      const child = spawn(process.execPath, [`${place}/${name}.mjs`, ...words], { stdio: ["ignore", "pipe", "pipe"] });
      children.push(child);
      return child;
    };
    const run: Example["run"] = async (...words) => {
      const child = start(words);
      const texts = { printed: "", errors: "" };
      child.stdout?.on("data", (text) => (texts.printed += String(text)));
      child.stderr?.on("data", (text) => (texts.errors += String(text)));
      const [code] = (await once(child, "close")) as [number];
      if (code !== 0) texts.printed += texts.errors;
      return { code, printed: texts.printed.split("\n").filter(Boolean) };
    };
    const tell: Example["tell"] = async (command) => {
      const { connect } = await import("node:net");
      const socket = connect(Number(new URL(url).port), "127.0.0.1", () => socket.write(`${command}\r\n`));
      await once(socket, "data");
      socket.destroy();
    };
    await body({ start, run, tell, path: (name) => `${place}/${name}`, queue: openQueue, work, openModel });
  } finally {
    for (const child of children) child.kill("SIGKILL");
    end();
    process.off("exit", end);
    await once(started, "close");
    await rm(place, { recursive: true, force: true });
  }
  return undefined;
}
