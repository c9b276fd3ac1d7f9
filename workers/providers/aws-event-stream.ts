import { aborted } from "../../shared/http.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Pieces, SseEvent } from "../../shared/sse.ts";

/**
 * The binary framing of AWS's streams (`application/vnd.amazon.eventstream`). A message, all numbers big-endian: 4 bytes
 * length of the whole, 4 bytes length of its headers, CRC-32 of these 8 bytes, headers, payload, CRC-32 of all before. A
 * header: length of its name (1 byte), name, type (1 byte), value. Facts: AWS, "Event stream encoding" (Amazon Lex V2
 * Developer Guide), read 2026-11-23.
 */

const PRELUDE = 12;
const OVERHEAD = 16;

/** Bytes of a value of each type, the length prefix of `bytes` (6) and `string` (7) not counted. */
const VALUE_BYTES: Readonly<Record<number, number>> = { 0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16 };
const BYTES_TYPE = 6;
const STRING_TYPE = 7;

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc >>> 0;
});

/**
 * Reads messages as events: `name` is the event's type, for an exception `exception`; `data` the payload, which for an
 * exception is `{"type": …}` and nothing of its text. Otherwise as `readEvents` of `shared/sse.ts`: what arrives together
 * is handed over together, leaving early cancels the body. A message that the stream ends in the middle of is not.
 * @param maxBytes of the whole stream.
 * @throws SyntaxError for a message that breaks the format or a checksum; QuaysideError `provider_bad_response` beyond
 * `maxBytes`, `cancelled` or `deadline_exceeded` once `signal` aborts; whatever the body's own reader throws.
 */
export async function* readMessages(
  body: Pieces,
  maxBytes: number,
  signal: AbortSignal,
): AsyncGenerator<readonly SseEvent[], void, undefined> {
  const reader = body.getReader();
  const parse = messageParser();
  let length = 0;
  let ended = false;
  // Nobody waits for the other side to take note that we left.
  const leave = (): void => void reader.cancel().catch(() => undefined);
  signal.addEventListener("abort", leave, { once: true });
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (signal.aborted) throw aborted(signal);
      if (done) break;
      length += value.byteLength;
      if (length > maxBytes) {
        throw new QuaysideError("provider_bad_response", `The stream is longer than ${maxBytes} bytes.`);
      }
      yield* together(parse(value));
    }
    ended = true;
  } finally {
    signal.removeEventListener("abort", leave);
    if (!ended) leave();
  }
}

/** What one read completed, before what is wrong with the message after it. */
function* together(parsed: Parsed): Generator<readonly SseEvent[], void, undefined> {
  if (parsed.events.length > 0) yield parsed.events;
  if (parsed.malformed) throw new SyntaxError("Malformed message in an AWS event stream.");
}

interface Parsed {
  readonly events: readonly SseEvent[];
  readonly malformed: boolean;
}

function messageParser(): (bytes: Uint8Array) => Parsed {
  let buffer = new Uint8Array(4096);
  let filled = 0;
  const append = (bytes: Uint8Array): void => {
    if (filled + bytes.byteLength > buffer.byteLength) {
      // Doubled, so that a message that arrives in small pieces is not copied for each.
      const larger = new Uint8Array(Math.max(2 * buffer.byteLength, filled + bytes.byteLength));
      larger.set(buffer.subarray(0, filled));
      buffer = larger;
    }
    buffer.set(bytes, filled);
    filled += bytes.byteLength;
  };
  return (bytes) => {
    append(bytes);
    const events: SseEvent[] = [];
    const view = new DataView(buffer.buffer);
    let at = 0;
    while (filled - at >= PRELUDE) {
      const total = view.getUint32(at);
      // The lengths have a checksum of their own, so that a broken one is not waited for.
      const sound = total >= OVERHEAD && crc32(buffer.subarray(at, at + 8)) === view.getUint32(at + 8);
      if (!sound) return { events, malformed: true };
      if (filled - at < total) break;
      const event = readMessage(buffer.subarray(at, at + total));
      if (!event) return { events, malformed: true };
      events.push(event);
      at += total;
    }
    buffer.copyWithin(0, at, filled);
    filled -= at;
    return { events, malformed: false };
  };
}

/** A whole message; undefined when it is malformed. */
function readMessage(message: Uint8Array): SseEvent | undefined {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  const end = message.byteLength - 4;
  const payloadAt = PRELUDE + view.getUint32(4);
  if (payloadAt > end || crc32(message.subarray(0, end)) !== view.getUint32(end)) return undefined;
  const headers = readHeaders(message.subarray(PRELUDE, payloadAt));
  if (!headers) return undefined;
  const kind = headers.get(":message-type");
  if (kind === "event") {
    const data = new TextDecoder().decode(message.subarray(payloadAt, end));
    return { name: headers.get(":event-type"), data };
  }
  const type = headers.get(":exception-type") ?? headers.get(":error-code") ?? "";
  return { name: "exception", data: JSON.stringify({ type }) };
}

/** The headers whose value is a string; undefined when they are malformed. */
function readHeaders(bytes: Uint8Array): ReadonlyMap<string, string> | undefined {
  const decoder = new TextDecoder();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headers = new Map<string, string>();
  let at = 0;
  while (at < bytes.byteLength) {
    const typeAt = at + 1 + view.getUint8(at);
    if (typeAt >= bytes.byteLength) return undefined;
    const name = decoder.decode(bytes.subarray(at + 1, typeAt));
    const type = view.getUint8(typeAt);
    const prefixed = type === BYTES_TYPE || type === STRING_TYPE;
    if (prefixed && typeAt + 3 > bytes.byteLength) return undefined;
    const valueAt = typeAt + (prefixed ? 3 : 1);
    const length = prefixed ? view.getUint16(typeAt + 1) : VALUE_BYTES[type];
    if (length === undefined || valueAt + length > bytes.byteLength) return undefined;
    if (type === STRING_TYPE) headers.set(name, decoder.decode(bytes.subarray(valueAt, valueAt + length)));
    at = valueAt + length;
  }
  return headers;
}

/** As gzip has it (RFC 1952). */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ (CRC_TABLE[(crc ^ byte) & 0xff] ?? 0);
  return (crc ^ 0xffffffff) >>> 0;
}
