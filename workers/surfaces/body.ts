import type * as z from "zod/mini";
import { QuaysideError, type Violation } from "../../shared/ports/errors.ts";

const MAX_DEPTH = 32;

/**
 * Reads a request's body, at most `maxBytes` of it.
 * @throws QuaysideError `unsupported_media_type` (another content type, or a content encoding), `body_too_large`.
 */
export async function readBytes(
  request: Request,
  mediaType: string,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const [type, ...parameters] = (request.headers.get("content-type") ?? "").split(";");
  const charset = parameters.map((p) => p.trim().toLowerCase()).find((p) => p.startsWith("charset="));
  const plain = ["", "identity"].includes(request.headers.get("content-encoding") ?? "");
  const utf8 = charset === undefined || /^charset="?utf-8"?$/.test(charset);
  if (type?.trim().toLowerCase() !== mediaType || !plain || !utf8) {
    throw new QuaysideError("unsupported_media_type", `Send an uncompressed body of type ${mediaType}.`);
  }
  const tooLarge = (): QuaysideError =>
    new QuaysideError("body_too_large", `This route takes at most ${maxBytes} bytes.`);
  if (Number(request.headers.get("content-length") ?? 0) > maxBytes) throw tooLarge();

  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body ?? []) {
    length += chunk.byteLength;
    if (length > maxBytes) throw tooLarge();
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}

/**
 * Reads one JSON value in UTF-8, at most 32 levels deep.
 * @throws QuaysideError as `readBytes`, and `malformed_json`.
 */
export async function readJson(request: Request, maxBytes: number): Promise<unknown> {
  const bytes = await readBytes(request, "application/json", maxBytes);
  try {
    const value: unknown = JSON.parse(
      new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes),
    );
    if (deeperThan(MAX_DEPTH, value)) throw new RangeError("too deep");
    return value;
  } catch (cause) {
    throw new QuaysideError("malformed_json", "The body is not one JSON value.", { cause });
  }
}

/** @throws QuaysideError `invalid_request` with every rule that is broken. Rules never repeat the input. */
export function parseBody<T>(schema: z.ZodMiniType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const violations = result.error.issues.slice(0, 50).map((issue): Violation => ({
    pointer: issue.path.map((part) => `/${escaped(String(part))}`).join(""),
    rule: issue.code,
  }));
  throw new QuaysideError("invalid_request", "The body breaks the rules listed.", { violations });
}

/** RFC 6901, section 3. */
function escaped(part: string): string {
  return part.replaceAll("~", "~0").replaceAll("/", "~1");
}

function deeperThan(limit: number, value: unknown): boolean {
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > limit) return true;
    level = level.flatMap((v) => (typeof v === "object" && v !== null ? Object.values(v) : []));
  }
  return false;
}
