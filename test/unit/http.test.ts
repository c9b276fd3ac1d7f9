import { describe, expect, it, vi } from "vitest";
import { request, requestStream, retryAfter, type Outward, type RequestOptions } from "../../shared/http.ts";
import { deadlineSignal, onAbort } from "../../shared/deadline.ts";
import type { LogEvent } from "../../shared/ports/host.ts";

const NOW = Date.parse("2026-11-23T10:00:00Z");
const codes = { unavailable: "embedder_unavailable", rejected: "embedder_rejected" } as const;

/** A peer that answers from a script; waits are recorded, not waited. */
function scripted(...answers: (Response | Error)[]) {
  const calls: RequestInit[] = [];
  const waits: number[] = [];
  const events: LogEvent[] = [];
  const host: Outward = {
    fetch: (_, init) => {
      calls.push(init ?? {});
      const answer = answers[Math.min(calls.length, answers.length) - 1] ?? new Error("no answer scripted");
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer.clone());
    },
    now: () => NOW,
    log: (event) => void events.push(event),
  };
  const run = (options: Partial<RequestOptions> = {}, signal = new AbortController().signal) =>
    request(
      host,
      "http://peer.test/x",
      { method: "POST", body: "{}", signal },
      {
        peer: "The peer",
        codes,
        random: () => 0.5,
        sleep: (ms) => Promise.resolve(void waits.push(ms)),
        ...options,
      },
    );
  return { host, run, calls, waits, events };
}

function status(code: number, headers: Record<string, string> = {}, body = "vendor secret sk-123"): Response {
  return new Response(body, { status: code, headers });
}

describe("request", () => {
  it("returns the body of a 2xx", async () => {
    expect(await (await scripted(status(200, {}, "hello")).run()).text()).toBe("hello");
    const announced = scripted(status(200, { "content-length": "7" }, '{"a":1}'));
    expect(await (await announced.run()).json()).toEqual({ a: 1 });
  });

  it.each([
    [500, "embedder_unavailable"],
    [503, "embedder_unavailable"],
    [529, "embedder_unavailable"],
    [408, "embedder_unavailable"],
    [429, "rate_limited"],
    [400, "embedder_rejected"],
    [401, "embedder_rejected"],
    [404, "embedder_rejected"],
    [302, "embedder_rejected"],
  ])("makes of status %i the code %s", async (code, expected) => {
    await expect(scripted(status(code)).run()).rejects.toMatchObject({ code: expected });
  });

  it("keeps what the peer said out of the message", async () => {
    await expect(scripted(status(400)).run()).rejects.toThrow(/^((?!sk-123).)*$/);
  });

  it("does not follow redirects", async () => {
    const peer = scripted(status(302, { location: "http://169.254.169.254/" }));
    await peer.run({ retries: 2 }).catch(() => undefined);
    expect(peer.calls.map((c) => c.redirect)).toEqual(["manual"]);
  });

  it("does not retry unless told so", async () => {
    const peer = scripted(status(503), status(200));
    await expect(peer.run()).rejects.toMatchObject({ code: "embedder_unavailable" });
  });

  it("waits with full jitter, doubling up to two seconds", async () => {
    const peer = scripted(new TypeError("refused"));
    await peer.run({ retries: 6 }).catch(() => undefined);
    expect(peer.waits).toEqual([100, 200, 400, 800, 1000, 1000]);
  });

  it("never retries a refusal", async () => {
    const peer = scripted(status(400), status(200));
    await peer.run({ retries: 3 }).catch(() => undefined);
    expect(peer.calls).toHaveLength(1);
  });

  it("waits as long as the peer asks", async () => {
    const peer = scripted(status(429, { "retry-after": "3" }), status(200));
    await peer.run({ retries: 1 });
    expect(peer.waits).toEqual([3000]);
  });

  it("gives up at once when the wait would pass the deadline, and says how long it is", async () => {
    const peer = scripted(status(429, { "retry-after": "3600" }), status(200));
    await expect(peer.run({ retries: 3 })).rejects.toMatchObject({
      code: "rate_limited",
      retryAfterMs: 3_600_000,
    });
    expect(peer.waits).toEqual([]);
  });

  it("tries again when the body breaks off", async () => {
    const cut = new Response(
      new ReadableStream({
        start(controller) {
          controller.enqueue(new TextEncoder().encode('{"a"'));
          controller.error(new TypeError("reset"));
        },
      }),
    );
    const peer = scripted(cut, status(200, {}, "whole"));
    expect(await (await peer.run({ retries: 1 })).text()).toBe("whole");
  });

  it.each([undefined, "500", "2000"])("stops at the cap, announced as %s bytes", async (announced) => {
    const headers = announced === undefined ? {} : { "content-length": announced };
    const peer = scripted(status(200, headers, "x".repeat(2000)));
    await expect(
      peer.run({ maxBytes: 1000, codes: { ...codes, badResponse: "provider_bad_response" } }),
    ).rejects.toMatchObject({ code: "provider_bad_response" });
  });

  it("lets the caller read an error body more closely", async () => {
    const peer = scripted(status(409, {}, '{"code":"run_fenced"}'));
    const { QuaysideError } = await import("../../shared/ports/errors.ts");
    const failure = (_: number, body: string) =>
      body.includes("run_fenced") ? new QuaysideError("run_fenced", "fenced") : undefined;
    await expect(peer.run({ failure, retries: 3 })).rejects.toMatchObject({ code: "run_fenced" });
    expect(peer.calls).toHaveLength(1);
  });

  it("is cancelled by its signal", async () => {
    const controller = new AbortController();
    controller.abort();
    await expect(scripted(status(200)).run({}, controller.signal)).rejects.toMatchObject({
      code: "cancelled",
    });
  });

  it("ends a peer that never answers at the deadline", async () => {
    const host: Outward = {
      fetch: (_, init) =>
        new Promise((_, reject) => {
          init?.signal?.addEventListener("abort", () => reject(new Error("aborted")));
        }),
      now: () => NOW,
      log: () => undefined,
    };
    const call = request(
      host,
      "http://peer.test/",
      { signal: new AbortController().signal },
      { peer: "The peer", codes, deadlineMs: 20, retries: 3 },
    );
    await expect(call).rejects.toMatchObject({ code: "deadline_exceeded" });
  });

  it("logs a retry by code and wait only", async () => {
    const peer = scripted(status(503), status(200));
    await peer.run({ retries: 1 });
    expect(peer.events).toEqual([
      { level: "warn", event: "http-retried", code: "embedder_unavailable", attempt: 1, waitMs: 100 },
    ]);
  });
});

describe("requestStream", () => {
  it("hands on the body unread and never retries", async () => {
    const peer = scripted(status(503), status(200));
    const open = requestStream(
      peer.host,
      "http://peer.test/",
      { signal: new AbortController().signal },
      { peer: "The peer", codes },
    );
    await expect(open).rejects.toMatchObject({ code: "embedder_unavailable" });
    expect(peer.calls).toHaveLength(1);
  });
});

describe("onAbort", () => {
  it("tells whoever still waits, once, with one listener for all", () => {
    const controller = new AbortController();
    const listeners = vi.spyOn(controller.signal, "addEventListener");
    const told: string[] = [];
    onAbort(controller.signal, () => told.push("first"));
    onAbort(controller.signal, () => told.push("second"))();
    onAbort(controller.signal, () => told.push("third"));
    controller.abort();
    controller.abort();
    expect(told).toEqual(["first", "third"]);
    expect(listeners).toHaveBeenCalledOnce();
  });

  it.each([
    ["the outer signal", (outer: AbortController) => outer.abort("left")],
    ["abort", (_: AbortController, deadline: { abort(): void }) => deadline.abort()],
  ])("tells whoever waits for a deadline's signal that %s ended", (_, end) => {
    const outer = new AbortController();
    const deadline = deadlineSignal(outer.signal, 60_000);
    const told: boolean[] = [];
    onAbort(deadline.signal, () => told.push(deadline.signal.aborted));
    end(outer, deadline);
    end(outer, deadline);
    deadline.clear();
    expect(told).toEqual([true]);
  });

  it("tells whoever waits for a deadline's signal that the time is up", () => {
    vi.useFakeTimers();
    const deadline = deadlineSignal(new AbortController().signal, 1000);
    const told: unknown[] = [];
    onAbort(deadline.signal, () => told.push(deadline.signal.reason));
    vi.advanceTimersByTime(1000);
    vi.useRealTimers();
    expect(told).toMatchObject([{ name: "TimeoutError" }]);
  });

  it("says nothing of a deadline that was cleared", () => {
    const outer = new AbortController();
    const deadline = deadlineSignal(outer.signal, 60_000);
    const told: string[] = [];
    onAbort(deadline.signal, () => told.push("ended"));
    deadline.clear();
    outer.abort();
    expect(told).toEqual([]);
  });
});

describe("retryAfter", () => {
  it.each([
    [{ "retry-after": "1" }, 1000],
    [{ "retry-after": "0.25" }, 250],
    [{ "retry-after-ms": "300" }, 300],
    [{ "retry-after-ms": "300", "retry-after": "9" }, 300],
    [{ "retry-after": "Mon, 23 Nov 2026 10:00:02 GMT" }, 2000],
    [{ "retry-after": "Mon, 23 Nov 2026 09:00:00 GMT" }, 0],
    [{ "retry-after": "-5" }, undefined],
    [{ "retry-after": "soon" }, undefined],
    [{}, undefined],
  ])("reads %j as %s", (headers, expected) => {
    expect(retryAfter(new Headers(headers as Record<string, string>), NOW)).toBe(expected);
  });
});
