/** A host of OpenAI's protocol in memory, which misbehaves as the hostile set names it: for runs of thousands of questions. */

export interface MemoryChat {
  readonly fetch: typeof fetch;
  /** Bodies of the calls, in order. */
  readonly sent: readonly string[];
}

/** @param modeOf what is wrong with the n-th call, counted from 0; undefined for nothing. */
export function memoryChat(text: string, modeOf: (call: number) => string | undefined): MemoryChat {
  const sent: string[] = [];
  return {
    sent,
    async fetch(_input, init) {
      const call = sent.length;
      sent.push(typeof init?.body === "string" ? init.body : "");
      const signal = init?.signal ?? new AbortController().signal;
      return respond(text, modeOf(call) ?? "none", call, signal);
    },
  };
}

const HEADERS: Readonly<Record<string, Record<string, string>>> = {
  status_429_retry_after_s: { "retry-after": "1" },
  status_429_retry_after_date: { "retry-after": new Date(Date.now() + 1000).toUTCString() },
  status_429_retry_after_ms: { "retry-after-ms": "300" },
  status_429_far: { "retry-after": "3600" },
  status_429_negative: { "retry-after": "-5" },
  status_429_garbage: { "retry-after": "soon" },
};

async function respond(text: string, mode: string, call: number, signal: AbortSignal): Promise<Response> {
  if (["dns_fail", "connect_refused", "tls_error"].includes(mode)) throw new TypeError("fetch failed");
  if (["connect_blackhole", "headers_never"].includes(mode)) return hang(signal);
  if (mode === "redirect_302")
    return new Response(null, { status: 302, headers: { location: "http://169.254.169.254/" } });
  if (mode === "status_200_html") return new Response("<html>", { headers: { "content-type": "text/html" } });
  const status =
    /^status_(\d{3})/.exec(mode)?.[1] ??
    (mode === "all_down" || (mode === "flap" && call % 2 === 0) ? "503" : undefined);
  if (status !== undefined) {
    const code = mode.endsWith("context_length") ? "context_length_exceeded" : null;
    return Response.json(
      { error: { message: "no", type: "x", code } },
      { status: Number(status), headers: HEADERS[mode] ?? {} },
    );
  }
  return new Response(stream(text, mode, signal), { headers: { "content-type": "text/event-stream" } });
}

function hang<T>(signal: AbortSignal): Promise<T> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(new DOMException("", "AbortError")), { once: true });
  });
}

function stream(text: string, mode: string, signal: AbortSignal): ReadableStream<Uint8Array> {
  const steps = stepsOf(text, mode)[Symbol.iterator]();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = steps.next();
      if (done === true) controller.close();
      else if (typeof value === "string") controller.enqueue(new TextEncoder().encode(value));
      else if (typeof value === "number") await new Promise((resolve) => setTimeout(resolve, value));
      else if (value instanceof Error) controller.error(value);
      else if (value instanceof Uint8Array) controller.enqueue(value);
      else await hang(signal).catch((error: unknown) => controller.error(error));
    },
  });
}

const STALL = Symbol("stall");
type Step = string | number | Error | Uint8Array | typeof STALL;

function chunk(fields: unknown): string {
  return `data: ${JSON.stringify(fields)}\n\n`;
}

/** What goes out, piece by piece: text, a wait in milliseconds, a reset, or nothing ever again. */
function* stepsOf(text: string, mode: string): Generator<Step> {
  const delta = (content: string, finish: string | null = null): string =>
    chunk({
      model: mode === "wrong_model_echo" ? "other" : "m",
      choices: [{ delta: { content }, finish_reason: finish }],
    });
  const words = (text.match(/\s*\S+/g) ?? []).map((word) => delta(word));
  const half = words.slice(0, 5);
  const reason =
    mode === "finish_length" ? "length" : mode === "finish_content_filter" ? "content_filter" : "stop";
  const tokens = mode === "usage_absurd" ? 1e12 : 40;
  const usage =
    mode === "usage_missing"
      ? []
      : [chunk({ choices: [], usage: { prompt_tokens: tokens, completion_tokens: tokens } })];
  const end = [delta("", reason), ...usage, "data: [DONE]\n\n"];
  const error = chunk({ error: { message: "no", type: "server_error", code: null } });
  switch (mode) {
    case "headers_then_stall":
      return yield STALL;
    case "json_truncated":
      yield 'data: {"cho';
      return yield new Error("reset");
    case "json_huge":
    case "gzip_bomb":
      for (let i = 0; i < 9; i++) yield new Uint8Array(1 << 20).fill(58);
      return;
    case "status_200_error_body":
    case "stream_error_event_first":
      return yield error;
    case "empty_choices":
    case "empty_content":
      return yield* end;
    case "tool_call_unexpected":
      return yield* [delta("", "tool_calls"), "data: [DONE]\n\n"];
    case "finish_content_filter":
      return yield* end;
    case "stream_error_event_mid":
      return yield* [...half, error];
    case "stream_reset_mid":
      return yield* [...half, new Error("reset")];
    case "stream_fin_without_done":
      return yield* words;
    case "stream_idle_mid":
      return yield* [...half, STALL];
    case "stream_bad_json_line":
      return yield* [...half, "data: {oops\n\n", ...end];
    case "stream_drip":
      for (const word of [...words, ...end].join("")) yield* [word, 2000];
      return;
    case "stream_utf8_split":
    case "stream_event_split":
      for (const byte of new TextEncoder().encode([...words, ...end].join(""))) yield Uint8Array.of(byte);
      return;
    case "stream_crlf_comments_bom":
      return yield `\uFEFF${[": hi\n\n", ...words, ...end].join("").replaceAll("\n", "\r\n")}`;
    case "stream_dup_chunk":
      return yield* [words[0] ?? "", ...words, ...end];
    case "stream_after_done":
      return yield* [...words, ...end, ...words];
    case "slow_but_ok":
      return yield* [7200, ...words, ...end];
    default:
      return yield* [...words, ...end];
  }
}
