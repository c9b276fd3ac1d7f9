import { lazily } from "../../shared/lazily.ts";
import * as z from "zod/mini";
import { QuaysideError, type Violation } from "../../shared/ports/errors.ts";

/** Deepest nesting of a JSON body. */
const MAX_DEPTH = 32;
/** How much of a body that is too large is read and dropped before the connection is given up. */
const MAX_DROPPED = 16 * 1024 * 1024;
/** Most violations that one problem document lists. */
const MAX_VIOLATIONS = 20;

/**
 * Reads a JSON body as hostile input: type, coding, size (while it arrives, never beyond the limit), UTF-8, depth, syntax.
 * @throws QuaysideError `unsupported_media_type`, `body_too_large`, `malformed_json`.
 */
export async function readJson(request: Request, maxBytes: number): Promise<unknown> {
  return parseBytes(await readBytes(request, "application/json", maxBytes));
}

/** A body that was read already, as JSON. @throws QuaysideError `malformed_json`. */
export function parseBytes(bytes: Uint8Array): unknown {
  return parseJson(decode(bytes));
}

/**
 * Reads a body of one media type, uncompressed. @throws QuaysideError `unsupported_media_type`, `body_too_large`.
 * @param mediaType lower case, without parameters.
 */
export async function readBytes(
  request: Request,
  mediaType: string,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  requireType(request.headers, mediaType);
  // Announced to be small enough, it is taken in one piece: no more arrives than was announced, chunk by chunk it costs ten times as much.
  const announced = request.headers.get("content-length");
  if (announced !== null && Number(announced) <= maxBytes) {
    const bytes = new Uint8Array(await request.arrayBuffer());
    if (bytes.byteLength <= maxBytes) return bytes;
    throw new QuaysideError("body_too_large", "The body exceeds the limit.");
  }
  const chunks: Uint8Array[] = [];
  let length = 0;
  // Without an announcement what arrives is what counts. Beyond the limit it is dropped unread, for a while: a connection
  // that is closed while the other side still writes seldom delivers the answer that says why.
  for await (const chunk of request.body ?? []) {
    length += chunk.byteLength;
    if (length > maxBytes + MAX_DROPPED) break;
    if (length <= maxBytes) chunks.push(chunk);
    else chunks.length = 0;
  }
  if (length > maxBytes) throw new QuaysideError("body_too_large", "The body exceeds the limit.");
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}

function requireType(headers: Headers, mediaType: string): void {
  const [type = "", ...parameters] = (headers.get("content-type") ?? "").toLowerCase().split(";");
  const charset = parameters.map((p) => p.trim()).find((p) => p.startsWith("charset="));
  const coding = headers.get("content-encoding");
  const fits =
    type.trim() === mediaType &&
    (charset === undefined || /^charset="?utf-8"?$/.test(charset)) &&
    (coding === null || coding.trim().toLowerCase() === "identity");
  if (!fits) {
    throw new QuaysideError("unsupported_media_type", `The body must be uncompressed ${mediaType}.`);
  }
}

function malformed(cause?: unknown): QuaysideError {
  return new QuaysideError("malformed_json", "The body is not acceptable JSON.", { cause });
}

/** One for all: it keeps nothing of what it has decoded whole, and making one costs more than most bodies do. */
const decoder = lazily(() => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }));

function decode(bytes: Uint8Array): string {
  try {
    return decoder().decode(bytes);
  } catch (cause) {
    throw malformed(cause);
  }
}

/** @throws QuaysideError `malformed_json`. */
export function parseJson(text: string): unknown {
  if (depthOf(text) > MAX_DEPTH) throw malformed();
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw malformed(cause);
  }
}

/** Deepest nesting, brackets in strings apart; for text that is no JSON, some number. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (inString) {
      if (c === 92) i += 1;
      else if (c === 34) inString = false;
    } else if (c === 34) inString = true;
    else if (c === 91 || c === 123) {
      depth += 1;
      if (depth > deepest) deepest = depth;
    } else if (c === 93 || c === 125) depth -= 1;
  }
  return deepest;
}

/**
 * Parses a body. @throws QuaysideError `invalid_request` with everything that is wrong; rules are named, input is not repeated
 * except for the names of unknown fields in their pointers.
 */
export function parseBody<T>(schema: z.ZodMiniType<T>, body: unknown): T {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const violations = result.error.issues.flatMap((issue): Violation[] => {
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) => ({ pointer: pointerOf([...issue.path, key]), rule: "unknown field" }));
    }
    return [{ pointer: pointerOf(issue.path), rule: ruleOf(issue) }];
  });
  throw invalid(violations);
}

export function invalid(violations: readonly Violation[]): QuaysideError {
  return new QuaysideError("invalid_request", "The body breaks the rules of this route.", {
    violations: violations.slice(0, MAX_VIOLATIONS),
  });
}

/** RFC 6901; names that a caller made up are cut. */
function pointerOf(path: readonly PropertyKey[]): string {
  return path
    .map((part) => `/${String(part).slice(0, 64).toWellFormed().replaceAll("~", "~0").replaceAll("/", "~1")}`)
    .join("");
}

/** Fixed words for each kind of issue, so that no library's message, which may quote input, gets out. */
function ruleOf(issue: z.core.$ZodIssue): string {
  if (issue.code === "invalid_type") return `must be ${article(issue.expected)}`;
  if (issue.code === "too_small") return `at least ${String(issue.minimum)}`;
  if (issue.code === "too_big") return `at most ${String(issue.maximum)}`;
  if (issue.code === "invalid_value") return `one of ${issue.values.map(String).join(", ")}`;
  // Our own checks carry our own words.
  return issue.code === "custom" ? issue.message : "not allowed";
}

function article(type: string): string {
  return /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`;
}

/** Text that can be stored and shown: no NUL, no lone surrogate. */
export const text = lazily(() =>
  z
    .string()
    .check(
      z.refine((value) => value.isWellFormed() && !value.includes("\u0000"), "no NUL and no lone surrogate"),
    ),
);

/** Text with something to see in it. */
export const visibleText = lazily(() => text().check(z.refine((value) => !blank().test(value), "not blank")));

/** White space and what is never drawn: controls, zero-width and filler characters. */
const blank = lazily(() => /^[\s\p{Z}\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\u2800]*$/u);
