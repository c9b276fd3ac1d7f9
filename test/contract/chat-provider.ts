import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { ChatEvent, ChatProvider, ChatRequest } from "../../shared/ports/chat-provider.ts";
import type { Evidence } from "../../shared/ports/evidence.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Stub } from "../stubs/stub.ts";

/** A provider under test; `stub` is the service behind it, for providers that have one. */
export interface ChatSubject {
  readonly provider: ChatProvider;
  readonly stub?: Stub;
  /** What must never be seen in a message: keys, for instance. */
  readonly secrets?: readonly string[];
}

const ROW: Evidence = {
  id: "tickets:4711#0",
  row: "tickets:4711",
  table: "tickets",
  key: { id: "4711" },
  title: "Door of the Sandmartin jams",
  text: "Door of the Sandmartin jams\nThe bow door of the Sandmartin jams because a hinge pin is bent — pièce commandée.",
  cells: [
    { column: "id", value: "4711" },
    { column: "status", value: "open" },
  ],
  version: "AAAAAAAAAAAAAAAAAAAAAA",
  classification: "internal",
  rollup: false,
  asOf: "2026-11-23T09:00:00Z",
  changedAt: "2026-11-20T08:00:00Z",
  score: 0.9,
};

const QUESTION = "Why does the bow door of the Sandmartin jam?";

/** A request that the row answers. */
export function chatRequest(change: Partial<ChatRequest> = {}): ChatRequest {
  return {
    model: "test-model",
    system: "Answer from the rows. Cite them by number.",
    messages: [
      { role: "user", content: `rows x\n[1] tickets, id 4711\n${ROW.text}\nend x\n\nQuestion: ${QUESTION}` },
    ],
    maxOutputTokens: 200,
    question: QUESTION,
    evidence: [ROW],
    language: "en",
    today: "2026-11-23",
    ...change,
  };
}

/** What a stream gave before it ended or failed. */
interface Heard {
  readonly events: readonly ChatEvent[];
  readonly text: string;
  readonly error: QuaysideError | undefined;
}

export async function hear(
  provider: ChatProvider,
  request: ChatRequest,
  signal = new AbortController().signal,
): Promise<Heard> {
  const events: ChatEvent[] = [];
  let error: QuaysideError | undefined;
  try {
    for await (const event of provider.stream(request, signal)) events.push(event);
  } catch (thrown) {
    if (!(thrown instanceof QuaysideError)) throw thrown;
    error = thrown;
  }
  const text = events.map((event) => (event.type === "text-delta" ? event.text : "")).join("");
  return { events, text, error };
}

/** What every provider keeps. */
export function chatProviderContract(
  name: string,
  open: () => Promise<ChatSubject>,
  close?: () => Promise<void>,
): void {
  describe(`chat provider: ${name}`, () => {
    let subject: ChatSubject;
    beforeAll(async () => {
      subject = await open();
    });
    afterAll(async () => {
      await close?.();
    });

    it("yields text, then exactly one finish, which is last", async () => {
      const { events, text } = await hear(subject.provider, chatRequest());
      expect(text).not.toBe("");
      expect(events.filter((event) => event.type === "finish")).toHaveLength(1);
      expect(events.at(-1)?.type).toBe("finish");
    });

    it("finishes a whole answer with the reason stop", async () => {
      const { events } = await hear(subject.provider, chatRequest());
      expect(events.at(-1)).toMatchObject({ type: "finish", reason: "stop" });
    });

    it("never yields an empty delta", async () => {
      const { events } = await hear(subject.provider, chatRequest());
      expect(events.filter((event) => event.type === "text-delta" && event.text === "")).toEqual([]);
    });

    it("cites the row that it answers from", async () => {
      expect((await hear(subject.provider, chatRequest())).text).toContain("[1]");
    });

    it("yields nothing for a signal that is aborted already", async () => {
      const { events, error } = await hear(subject.provider, chatRequest(), AbortSignal.abort());
      expect(events).toEqual([]);
      expect(error?.code).toBe("cancelled");
    });

    it("says deadline_exceeded when the signal is a timeout's", async () => {
      const reason = new DOMException("", "TimeoutError");
      const { error } = await hear(subject.provider, chatRequest(), AbortSignal.abort(reason));
      expect(error?.code).toBe("deadline_exceeded");
    });

    it("can be left after the first event", async () => {
      let first: ChatEvent | undefined;
      for await (const event of subject.provider.stream(chatRequest(), new AbortController().signal)) {
        first = event;
        break;
      }
      expect(first?.type).toBe("text-delta");
    });

    it("serves two streams at once", async () => {
      const both = await Promise.all([
        hear(subject.provider, chatRequest()),
        hear(subject.provider, chatRequest()),
      ]);
      expect(both[0]?.text).toBe(both[1]?.text);
    });
  });
}

/** Fault of the service, and the code that it must have. None of these yielded a token. */
const BEFORE_FIRST_TOKEN: readonly (readonly [mode: string, code: string])[] = [
  ["status_400_context_length", "context_too_long"],
  ["status_401", "provider_misconfigured"],
  ["status_402_quota", "provider_misconfigured"],
  ["status_403", "provider_misconfigured"],
  ["status_404_model", "provider_misconfigured"],
  ["status_408", "no_provider_available"],
  ["status_413", "prompt_too_large"],
  ["status_422", "provider_rejected"],
  ["status_429_retry_after_s", "rate_limited"],
  ["status_429_garbage", "rate_limited"],
  ["status_500", "no_provider_available"],
  ["status_502_html", "no_provider_available"],
  ["status_503", "no_provider_available"],
  ["status_529_overloaded", "no_provider_available"],
  ["status_200_error_body", "provider_reported_error"],
  ["status_200_html", "provider_reported_error"],
  ["redirect_302", "provider_misconfigured"],
  ["reset", "provider_unreachable"],
  ["stream_reset_first", "no_provider_available"],
  ["stream_fin_first", "provider_bad_response"],
  ["stream_error_event_first", "provider_reported_error"],
  ["stream_bad_json_first", "provider_bad_response"],
  ["empty_choices", "provider_bad_response"],
  ["empty_content", "provider_bad_response"],
  ["tool_call_unexpected", "provider_bad_response"],
  ["json_truncated", "no_provider_available"],
  ["json_huge", "provider_bad_response"],
  ["gzip_bomb", "provider_bad_response"],
];

const AFTER_FIRST_TOKEN = [
  "stream_error_event_mid",
  "stream_reset_mid",
  "stream_fin_without_done",
  "stream_fin_mid_event",
  "stream_bad_json_line",
] as const;

const HARMLESS = [
  "one_write",
  "slow_first_token",
  "slow_headers",
  "stream_utf8_split",
  "stream_crlf_comments_bom",
  "stream_after_done",
] as const;

/** What a provider that calls a service over HTTP keeps besides. */
export function remoteChatProviderContract(
  name: string,
  open: () => Promise<ChatSubject & { readonly stub: Stub }>,
  close: () => Promise<void>,
): void {
  describe(`remote chat provider: ${name}`, () => {
    let subject: ChatSubject & { readonly stub: Stub };
    beforeAll(async () => {
      subject = await open();
    });
    afterEach(() => {
      subject.stub.reset();
    });
    afterAll(close);

    it.each(BEFORE_FIRST_TOKEN)("%s before the first token: %s, after one call", async (mode, code) => {
      subject.stub.fault({ mode });
      const { events, error } = await hear(subject.provider, chatRequest());
      expect(error?.code).toBe(code);
      expect(events).toEqual([]);
      expect(subject.stub.exchanges).toHaveLength(1);
    });

    it.each(AFTER_FIRST_TOKEN)(
      "%s after the first token: provider_stream_interrupted, never retried",
      async (mode) => {
        subject.stub.fault({ mode });
        const { events, text, error } = await hear(subject.provider, chatRequest());
        expect(error?.code).toBe("provider_stream_interrupted");
        expect(text).not.toBe("");
        expect(events.some((event) => event.type === "finish")).toBe(false);
        expect(subject.stub.exchanges).toHaveLength(1);
      },
    );

    it.each(HARMLESS)("%s changes nothing", async (mode) => {
      const { text } = await hear(subject.provider, chatRequest());
      subject.stub.fault({ mode, ms: 5 });
      const other = await hear(subject.provider, chatRequest());
      expect(other.error).toBeUndefined();
      expect(other.text).toBe(text);
      expect(other.events.at(-1)).toMatchObject({ type: "finish", reason: "stop" });
    });

    it.each([
      "status_400",
      "status_401",
      "status_429",
      "status_500",
      "stream_error_event_first",
      "stream_error_event_mid",
    ])("%s: neither key nor vendor text in the message", async (mode) => {
      subject.stub.fault({ mode });
      const { error } = await hear(subject.provider, chatRequest());
      for (const secret of [...(subject.secrets ?? []), "Stubbed", "server had an error", "Overloaded"]) {
        expect(error?.message).not.toContain(secret);
      }
    });

    it.each([
      ["status_429_retry_after_s", 1000],
      ["status_429_retry_after_ms", 300],
      ["status_429_far", 3_600_000],
      ["status_429_negative", undefined],
      ["status_429_garbage", undefined],
    ])("%s: retryAfterMs %s", async (mode, expected) => {
      subject.stub.fault({ mode });
      expect((await hear(subject.provider, chatRequest())).error?.retryAfterMs).toBe(expected);
    });

    it.each(["headers_never", "headers_then_stall", "stream_idle_mid"])(
      "%s: aborting cancels upstream",
      async (mode) => {
        subject.stub.fault({ mode });
        const controller = new AbortController();
        const heard = hear(subject.provider, chatRequest(), controller.signal);
        // Abort only once the call is under way: the stub has it.
        await waitFor(() => subject.stub.exchanges.length === 1);
        controller.abort();
        expect((await heard).error?.code).toBe("cancelled");
        await subject.stub.left();
      },
    );

    it.each([
      ["headers_never", 0],
      ["headers_then_stall", 1],
    ])("%s: says %i times that the service answers", async (mode, times) => {
      subject.stub.fault({ mode });
      const controller = new AbortController();
      let answering = 0;
      const request = chatRequest({ answering: () => void (answering += 1) });
      const heard = hear(subject.provider, request, controller.signal);
      await waitFor(() => subject.stub.exchanges.length === 1 && answering >= times);
      controller.abort();
      expect((await heard).error?.code).toBe("cancelled");
      expect(answering).toBe(times);
    });

    it("cancels upstream when its reader leaves", async () => {
      subject.stub.fault({ mode: "stream_idle_mid" });
      for await (const event of subject.provider.stream(chatRequest(), new AbortController().signal)) {
        expect(event.type).toBe("text-delta");
        break;
      }
      await subject.stub.left();
    });

    it("reports tokens as billed", async () => {
      const { events } = await hear(subject.provider, chatRequest());
      const last = events.at(-1);
      expect(last?.type === "finish" && (last.usage.inputTokens ?? 0) > 10).toBe(true);
      expect(last?.type === "finish" && (last.usage.outputTokens ?? 0) > 5).toBe(true);
    });

    it("tells no usage when the service tells none", async () => {
      subject.stub.fault({ mode: "usage_missing" });
      const { events } = await hear(subject.provider, chatRequest());
      expect(events.at(-1)).toMatchObject({ usage: { inputTokens: undefined, outputTokens: undefined } });
    });

    it("tells usage as it is told, however absurd", async () => {
      subject.stub.fault({ mode: "usage_absurd" });
      const { events } = await hear(subject.provider, chatRequest());
      expect(events.at(-1)).toMatchObject({ usage: { inputTokens: 1e12, outputTokens: 1e12 } });
    });

    it("counts a piece that came twice, and passes both on", async () => {
      const { text } = await hear(subject.provider, chatRequest());
      subject.stub.fault({ mode: "stream_dup_chunk" });
      const twice = await hear(subject.provider, chatRequest());
      expect(twice.text.length).toBeGreaterThan(text.length);
      expect(twice.text.endsWith(text)).toBe(true);
      expect(twice.events.at(-1)).toMatchObject({ repeated: 1 });
    });

    it("says when the answer was cut at the limit", async () => {
      subject.stub.fault({ mode: "finish_length" });
      const { events } = await hear(subject.provider, chatRequest());
      expect(events.at(-1)).toMatchObject({ reason: "length" });
    });

    it("says when the provider's filter stopped the answer", async () => {
      subject.stub.fault({ mode: "finish_content_filter" });
      const { events, error } = await hear(subject.provider, chatRequest());
      expect(error).toBeUndefined();
      expect(events).toMatchObject([{ type: "finish", reason: "content-filter" }]);
    });

    it("calls a port where nothing listens provider_unreachable", async () => {
      await close();
      const { error } = await hear(subject.provider, chatRequest());
      subject = await open();
      expect(error?.code).toBe("provider_unreachable");
    });
  });
}

/** Polls a condition that another process or socket brings about. */
async function waitFor(condition: () => boolean): Promise<void> {
  while (!condition()) {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}
