import { ApiError } from "./errors.js";

/** The bytes of a body. Throws ApiError for more than `most`, as soon as they are known. */
async function readBytes(request: Request, most: number): Promise<Uint8Array<ArrayBuffer>> {
  const tooLong = (): ApiError =>
    new ApiError(`the body must have at most ${most} bytes`, { status: 413, code: "request_too_large" });
  if (Number(request.headers.get("content-length") ?? 0) > most) throw tooLong();
  const pieces: Uint8Array[] = [];
  let length = 0;
  const reader = request.body?.getReader();
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true };
    if (done) break;
    length += value.length;
    if (length > most) {
      void reader?.cancel();
      throw tooLong();
    }
    pieces.push(value);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/** Throws ApiError unless a request says that its body is of this type: what a page of any origin may send is not. */
function checkType(request: Request, type: string): void {
  const given = request.headers.get("content-type")?.split(";")[0].trim().toLowerCase();
  if (given !== type)
    throw new ApiError(`content-type must be ${type}, got ${given ?? "none"}`, {
      status: 415,
      code: "unsupported_media_type",
    });
}

/** The JSON of a body of at most so many bytes. Throws ApiError. */
export async function readJson(request: Request, most: number): Promise<unknown> {
  checkType(request, "application/json");
  const text = new TextDecoder().decode(await readBytes(request, most));
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new ApiError(`the body must be JSON: ${(error as Error).message}`, { status: 400, code: "invalid_json" });
  }
}

/** The form of a body of at most so many bytes. Throws ApiError. */
export async function readForm(request: Request, most: number): Promise<FormData> {
  checkType(request, "multipart/form-data");
  const headers = { "content-type": request.headers.get("content-type") ?? "" };
  const bytes = await readBytes(request, most);
  try {
    return await new Response(bytes, { headers }).formData();
  } catch (error) {
    throw new ApiError(`the body must be a form: ${(error as Error).message}`, { status: 400, code: "invalid_form" });
  }
}
