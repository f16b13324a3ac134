import { CheckpointError } from "../../runtime/errors.js";

/** How to persist. */
interface Patience {
  /** Counts progress. */
  readonly made?: () => number;
  /** Without progress. Default: 5. */
  readonly tries?: number;
}

const FIRST_WAIT = 0.25; // seconds; doubled each time
const LONGEST_WAIT = 60; // seconds that a server may ask for

/**
 * Does what may fail for a while, such as a request, up to `tries` times, with pauses of 0.25 to 2 seconds or as long as
 * the error asks for (`seconds`); progress, as `made` counts it, gives new tries. Throws the signal's reason,
 * CheckpointErrors as they come, and a CheckpointError with the URL and the last reason when nothing helps.
 */
export async function persist<T>(
  url: string,
  signal: AbortSignal | undefined,
  attempt: () => Promise<T>,
  { made = () => 0, tries: most = 5 }: Patience = {},
): Promise<T> {
  for (let [tries, before] = [1, made()]; ; tries++) {
    try {
      return await attempt();
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof CheckpointError) throw error;
      if (made() > before) [tries, before] = [1, made()];
      const { seconds = NaN } = error as { seconds?: number };
      if (tries === most || seconds > LONGEST_WAIT) {
        const times = tries > 1 ? ` ${tries} times` : "";
        const asked = seconds > LONGEST_WAIT ? ` and asks for ${Math.ceil(seconds)} seconds` : "";
        throw new CheckpointError(
          `${url}: must be readable, ${reasonOf(error)}${times}${asked}; check the address and the connection`,
          { cause: error },
        );
      }
      await pause(seconds >= 0 ? seconds : FIRST_WAIT * 2 ** (tries - 1), signal);
    }
  }
}

/** What an error and its cause say: that of `fetch` itself says little. */
export function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  const inner = cause as { code?: string; message?: string } | undefined;
  return [message, inner?.code ?? inner?.message].filter(Boolean).join(", ");
}

/** Waits, or rejects with the reason of the signal. */
export function pause(seconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, seconds * 1e3);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
