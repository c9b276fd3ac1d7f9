import { gzipSync } from "node:zlib";
import { hang, wait, type Call } from "./stub.ts";

/** How events lie on the wire. */
export interface Wire {
  readonly contentType: string;
  /** Of the strings that are events: `latin1` for a binary format, one character a byte. */
  readonly encoding: "utf8" | "latin1";
  /** An event whose data is not what it should be. */
  readonly bad: string;
  /** A megabyte that says nothing. */
  readonly filler: string;
  /** The same events among what a reader has to pass over. */
  readonly noisy: (events: readonly string[]) => string;
}

const SSE: Wire = {
  contentType: "text/event-stream; charset=utf-8",
  encoding: "utf8",
  bad: "data: {oops\n\n",
  filler: `: ${"x".repeat(1 << 20)}\n`,
  noisy(events) {
    const text = events.map((event) => `: keep-alive\n\nretry: 10\n${event}`).join("");
    return `\uFEFF${text.replaceAll("\n", "\r\n")}`;
  },
};

/** A model's answer as a vendor's stream frames it; each string is one whole event. */
export interface Frames {
  readonly head: readonly string[];
  /** One event a token. */
  readonly text: readonly string[];
  /** Finish reason, usage. */
  readonly tail: readonly string[];
  /** The protocol's terminator. */
  readonly end: readonly string[];
  /** An error event. */
  readonly error: string;
}

const MID = 2;

/** Sends a stream, or what a fault makes of it. */
export async function sendStream(call: Call, frames: Frames, wire: Wire = SSE): Promise<void> {
  const { response, fault } = call;
  if (call.is("gzip_bomb")) {
    response.writeHead(200, { "content-type": wire.contentType, "content-encoding": "gzip" });
    response.end(bombOf(wire));
    return;
  }
  response.writeHead(200, { "content-type": wire.contentType, "cache-control": "no-cache" });
  response.flushHeaders();
  const { head, text, tail, end, error } = frames;
  const whole = [...head, ...text, ...tail, ...end];
  const half = [...head, ...text.slice(0, MID)];
  switch (fault?.mode ?? "none") {
    case "headers_then_stall":
      return hang(call);
    case "slow_first_token":
      await wait(fault?.ms ?? 100);
      return finish(call, wire, whole);
    case "stream_error_event_first":
      return finish(call, wire, [error]);
    case "stream_error_event_mid":
      return finish(call, wire, [...half, error]);
    case "stream_reset_first":
      response.socket?.resetAndDestroy();
      return;
    case "stream_reset_mid":
      await write(call, wire, half);
      response.socket?.resetAndDestroy();
      return;
    case "stream_fin_first":
      return finish(call, wire, []);
    case "stream_fin_without_done":
      return finish(call, wire, [...head, ...text, ...tail]);
    case "stream_fin_mid_event":
      return finish(call, wire, [...half, (text[MID] ?? "").slice(0, 12)]);
    case "stream_idle_mid":
      await write(call, wire, half);
      return hang(call);
    case "stream_drip":
      // The first words come as usual: what drips is the rest.
      await write(call, wire, half);
      for (const byte of Buffer.from(whole.slice(half.length).join(""), wire.encoding)) {
        if (response.destroyed) return;
        response.write(Buffer.of(byte));
        await wait(fault?.ms ?? 2000);
      }
      response.end();
      return;
    case "stream_utf8_split":
    case "stream_event_split":
      for (const piece of splinters(Buffer.from(whole.join(""), wire.encoding))) {
        response.write(piece);
        await soon();
      }
      response.end();
      return;
    case "stream_crlf_comments_bom":
      return finish(call, wire, [wire.noisy(whole)]);
    case "stream_dup_chunk":
      return finish(call, wire, [...head, text[0] ?? "", ...text, ...tail, ...end]);
    case "stream_bad_json_first":
      return finish(call, wire, [wire.bad]);
    case "stream_bad_json_line":
      return finish(call, wire, [...half, wire.bad, ...tail, ...end]);
    case "stream_after_done":
      return finish(call, wire, [...whole, ...text]);
    case "json_huge":
      while (!response.destroyed) {
        if (!response.write(wire.filler, wire.encoding)) await Promise.race([drained(call), hang(call)]);
      }
      return;
    case "json_truncated":
      await write(call, wire, [whole.join("").slice(0, 20)]);
      response.socket?.destroy();
      return;
    case "one_write":
      return finish(call, wire, [whole.join("")]);
    default:
      return finish(call, wire, whole);
  }
}

const bombs = new Map<Wire, Buffer>();

/** Made once for each wire: to pack it takes far longer than to send it. */
function bombOf(wire: Wire): Buffer {
  const made = bombs.get(wire) ?? gzipSync(Buffer.from(wire.filler.repeat(12), wire.encoding), { level: 1 });
  bombs.set(wire, made);
  return made;
}

/** Single bytes at first, then seven at a time: what is cut lies anywhere in an event, and takes no seconds. */
function* splinters(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += at < 1500 ? 1 : 7) {
    yield bytes.subarray(at, at + (at < 1500 ? 1 : 7));
  }
}

async function finish(call: Call, wire: Wire, events: readonly string[]): Promise<void> {
  await write(call, wire, events);
  call.response.end();
}

async function write(call: Call, wire: Wire, events: readonly string[]): Promise<void> {
  for (const event of events) {
    if (event !== "") call.response.write(event, wire.encoding);
    await soon();
  }
}

function drained(call: Call): Promise<void> {
  return new Promise((resolve) => {
    call.response.once("drain", resolve);
  });
}

function soon(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
