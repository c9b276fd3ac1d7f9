import { hang, wait, type Call } from "./stub.ts";

/** A model's answer as a vendor's stream frames it; each string is one whole server-sent event. */
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
export async function sendStream(call: Call, frames: Frames): Promise<void> {
  const { response, fault } = call;
  response.writeHead(200, {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache",
  });
  response.flushHeaders();
  const { head, text, tail, end, error } = frames;
  const whole = [...head, ...text, ...tail, ...end];
  const half = [...head, ...text.slice(0, MID)];
  switch (fault?.mode ?? "none") {
    case "headers_then_stall":
      return hang(call);
    case "slow_first_token":
      await wait(fault?.ms ?? 100);
      return finish(call, whole);
    case "stream_error_event_first":
      return finish(call, [error]);
    case "stream_error_event_mid":
      return finish(call, [...half, error]);
    case "stream_reset_first":
      response.socket?.resetAndDestroy();
      return;
    case "stream_reset_mid":
      await write(call, half);
      response.socket?.resetAndDestroy();
      return;
    case "stream_fin_first":
      return finish(call, []);
    case "stream_fin_without_done":
      return finish(call, [...head, ...text, ...tail]);
    case "stream_fin_mid_event":
      return finish(call, [...half, (text[MID] ?? "").slice(0, 12)]);
    case "stream_idle_mid":
      await write(call, half);
      return hang(call);
    case "stream_drip":
      for (const byte of Buffer.from(whole.join(""))) {
        if (response.destroyed) return;
        response.write(Buffer.of(byte));
        await wait(fault?.ms ?? 2000);
      }
      response.end();
      return;
    case "stream_utf8_split":
    case "stream_event_split":
      for (const byte of Buffer.from(whole.join(""))) {
        response.write(Buffer.of(byte));
        await soon();
      }
      response.end();
      return;
    case "stream_crlf_comments_bom": {
      const noisy = whole.map((event) => `: keep-alive\n\nretry: 10\n${event}`).join("");
      return finish(call, [`\uFEFF${noisy.replaceAll("\n", "\r\n")}`]);
    }
    case "stream_dup_chunk":
      return finish(call, [...head, text[0] ?? "", ...text, ...tail, ...end]);
    case "stream_bad_json_first":
      return finish(call, ["data: {oops\n\n"]);
    case "stream_bad_json_line":
      return finish(call, [...half, "data: {oops\n\n", ...tail, ...end]);
    case "stream_after_done":
      return finish(call, [...whole, ...text]);
    case "stream_huge":
      while (!response.destroyed) {
        if (!response.write(`: ${"x".repeat(1 << 20)}\n`)) await Promise.race([drained(call), hang(call)]);
      }
      return;
    case "json_truncated":
      await write(call, [whole.join("").slice(0, 20)]);
      response.socket?.destroy();
      return;
    case "one_write":
      return finish(call, [whole.join("")]);
    default:
      return finish(call, whole);
  }
}

async function finish(call: Call, events: readonly string[]): Promise<void> {
  await write(call, events);
  call.response.end();
}

async function write(call: Call, events: readonly string[]): Promise<void> {
  for (const event of events) {
    if (event !== "") call.response.write(event);
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
