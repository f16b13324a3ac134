import type { SourceFile } from "../checkpoint/source.js";
import type { Download } from "./cache.js";

/** Bytes of one request, which a cache adds at a time. */
export const PIECE = 2 ** 23;

const AHEAD = 4; // requests at a time

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
    const piece = remote.read(start, end, stop.signal, count).then((bytes) => {
      count(bytes.length);
      return bytes;
    });
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
