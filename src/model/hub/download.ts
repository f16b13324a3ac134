import { variable } from "../../runtime/builtin.js";
import { CheckpointError } from "../../runtime/errors.js";
import type { SourceFile } from "../checkpoint/source.js";
import type { Download } from "./cache.js";

/** Bytes of one request, which a cache adds at a time. */
export const PIECE = 2 ** 23;

const AHEAD = 4; // requests at a time
const STALLED = 30; // seconds without a byte, if HF_HUB_DOWNLOAD_TIMEOUT does not say it
const TRIES = 3; // of a piece that stalls

/**
 * Brings the rest of a file into a cache: pieces are requested side by side and added in order, so that what is there is
 * always the file's beginning. `arrived` is told how many bytes have come. Throws what the source and the cache throw, and
 * the signal's reason; the download can then go on later.
 */
export async function downloadFile(
  remote: SourceFile,
  download: Download,
  signal?: AbortSignal,
  arrived?: (bytes: number) => void,
): Promise<SourceFile> {
  const stop = new AbortController();
  const abort = (): void => stop.abort(signal?.reason);
  signal?.addEventListener("abort", abort, { once: true });
  let [next, loaded] = [download.held, download.held];
  const pieces: Promise<Uint8Array<ArrayBuffer>>[] = [];
  const ask = (): void => {
    if (next >= remote.size) return;
    const [start, end] = [next, Math.min(remote.size, next + PIECE)];
    let before = 0;
    next = end;
    const count = (bytes: number): void => {
      loaded += bytes - before;
      before = bytes;
      arrived?.(loaded);
    };
    const piece = readPiece(remote, start, end, stop.signal, count);
    piece.catch(() => {}); // it is awaited later, or not at all
    pieces.push(piece);
  };
  try {
    signal?.throwIfAborted();
    for (let i = 0; i < AHEAD; i++) ask();
    for (let piece; (piece = pieces.shift()); ask()) {
      await download.append(await piece);
      signal?.throwIfAborted();
    }
    return await download.finish();
  } catch (error) {
    stop.abort();
    await Promise.allSettled(pieces);
    await download.leave();
    throw error;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

/** Reads a piece, and asks for it again when nothing comes any more. */
async function readPiece(
  remote: SourceFile,
  start: number,
  end: number,
  signal: AbortSignal,
  count: (bytes: number) => void,
): Promise<Uint8Array<ArrayBuffer>> {
  const wait = 1e3 * (Number(variable("HF_HUB_DOWNLOAD_TIMEOUT")) || STALLED);
  for (let tries = 1; ; tries++) {
    const stall = new AbortController();
    const giveUp = (): void => stall.abort();
    let timer = setTimeout(giveUp, wait);
    try {
      const bytes = await remote.read(start, end, AbortSignal.any([signal, stall.signal]), (arrived) => {
        clearTimeout(timer);
        timer = setTimeout(giveUp, wait);
        count(arrived);
      });
      count(bytes.length);
      return bytes;
    } catch (error) {
      if (signal.aborted || !stall.signal.aborted) throw error;
      if (tries === TRIES)
        throw new CheckpointError(
          `${remote.label}: must be readable, no byte came for ${wait / 1e3} seconds ${TRIES} times; check the connection`,
        );
    } finally {
      clearTimeout(timer);
    }
  }
}
