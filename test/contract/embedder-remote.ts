import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Embedder } from "../../shared/ports/embedder.ts";
import type { Stub } from "../stubs/stub.ts";
import { embedderContract, failureCode } from "./embedder.ts";

/** An embedder over a vendor's stub. */
export interface RemoteEmbedder {
  readonly embedder: Embedder;
  readonly stub: Stub;
}

/** What every embedder behind a network keeps besides `embedderContract`, which it runs too. */
export function remoteEmbedderContract(name: string, open: () => Promise<RemoteEmbedder>): void {
  const opened: Stub[] = [];
  const start = async (): Promise<RemoteEmbedder> => {
    const subject = await open();
    opened.push(subject.stub);
    return subject;
  };
  const close = async (): Promise<void> => {
    for (const stub of opened.splice(0)) await stub[Symbol.asyncDispose]();
  };
  embedderContract(name, async () => (await start()).embedder, close);

  describe(`embedder behind a network: ${name}`, () => {
    const signal = new AbortController().signal;
    let subject: RemoteEmbedder;
    beforeAll(async () => {
      subject = await start();
    });
    afterEach(() => subject.stub.reset());
    afterAll(close);

    it("calls nothing when a text is too long", async () => {
      const long = "a, ".repeat(subject.embedder.maxInputTokens + 1);
      await failureCode(subject.embedder.embed([long], "document", signal));
      expect(subject.stub.exchanges).toHaveLength(0);
    });

    it("sends as many texts in one call as it says, up to 200", async () => {
      const texts = Array.from({ length: Math.min(subject.embedder.maxBatch, 200) }, (_, i) => `text ${i}`);
      const { vectors } = await subject.embedder.embed(texts, "document", signal);
      expect([vectors.length, subject.stub.exchanges.length]).toEqual([texts.length, 1]);
    });

    it.each([
      ["status_400", "input_rejected"],
      ["status_402", "rate_limited"],
      ["status_401", "embedder_rejected"],
      ["status_404", "embedder_rejected"],
      ["redirect_302", "embedder_rejected"],
      ["status_429_far", "rate_limited"],
      ["wrong_dim", "embedder_rejected"],
      ["zero_vector", "input_rejected"],
    ])("%s: %s, after one call", async (mode, code) => {
      subject.stub.fault({ mode });
      expect(await failureCode(subject.embedder.embed(["one", "two"], "document", signal))).toBe(code);
      expect(subject.stub.exchanges).toHaveLength(1);
    });

    it.each(["partial_batch", "nan_vector", "json_garbage"])(
      "%s: asked again, and never taken",
      async (mode) => {
        subject.stub.fault({ mode, calls: 2 });
        expect(await failureCode(subject.embedder.embed(["one", "two"], "document", signal))).toBeUndefined();
        expect(subject.stub.exchanges).toHaveLength(3);
        subject.stub.fault({ mode });
        expect(await failureCode(subject.embedder.embed(["one", "two"], "document", signal))).toBe(
          "embedder_unavailable",
        );
      },
    );

    it("a limit that says how long it lasts is waited for by a question, and told to an ingest", async () => {
      subject.stub.fault({ mode: "status_429_retry_after_ms", calls: 2 });
      expect(await failureCode(subject.embedder.embed(["one"], "document", signal))).toBe("rate_limited");
      expect(await failureCode(subject.embedder.embed(["one"], "query", signal))).toBeUndefined();
      expect(subject.stub.exchanges).toHaveLength(3);
    });

    it("an outage is tried again", async () => {
      subject.stub.fault({ mode: "status_503", calls: 1 });
      expect(await failureCode(subject.embedder.embed(["one"], "document", signal))).toBeUndefined();
      expect(subject.stub.exchanges).toHaveLength(2);
    });

    it("tries a question again only once", async () => {
      subject.stub.fault({ mode: "status_503" });
      expect(await failureCode(subject.embedder.embed(["one"], "query", signal))).toBe(
        "embedder_unavailable",
      );
      expect(subject.stub.exchanges).toHaveLength(2);
    });

    it("cancels upstream", async () => {
      subject.stub.fault({ mode: "headers_never" });
      const controller = new AbortController();
      const call = failureCode(subject.embedder.embed(["one"], "document", controller.signal));
      while (subject.stub.exchanges.length === 0) {
        await new Promise((resolve) => {
          setImmediate(resolve);
        });
      }
      controller.abort();
      expect(await call).toBe("cancelled");
      await subject.stub.left();
    });

    it("keeps key and vendor text out of the message", async () => {
      subject.stub.fault({ mode: "status_400" });
      const call = subject.embedder.embed(["one"], "document", signal);
      await expect(call).rejects.toThrow(/^((?!Stubbed|test).)*$/);
    });
  });
}
