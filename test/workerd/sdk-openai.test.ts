import { beforeAll, describe, expect, it } from "vitest";
import { openaiEmbedder } from "../../shared/embedders/openai.ts";
import { openai } from "../../workers/providers/openai.ts";
import { ANSWER, cancelsUpstream, collect, eventStream, scripted } from "./sdk-world.ts";

const OPENAI_EVENTS = [
  'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"A hinge"}}]}',
  'data: {"choices":[{"index":0,"delta":{"content":" pin [1]."},"finish_reason":null}]}',
  'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}',
  'data: {"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":5}}',
  "data: [DONE]",
];

describe("openai in workerd", () => {
  // Vite hands the SDK over file by file on first use; a built Worker has it in one.
  beforeAll(async () => {
    await import("../../shared/openai-sdk.ts");
  });

  it("streams, what arrives together as one delta", async () => {
    const { host, sent } = scripted(() => eventStream(OPENAI_EVENTS));
    expect(await collect(openai({}, host))).toEqual(ANSWER);
    expect(sent[0]?.url).toBe("https://api.openai.com/v1/chat/completions");
    expect(sent[0]?.headers.get("authorization")).toBe("Bearer sk-test");
  });

  it("cancels upstream when its reader leaves", async () => {
    expect(await cancelsUpstream((host) => openai({}, host), OPENAI_EVENTS.slice(0, 1))).toBe(true);
  });

  it("embeds", async () => {
    const bytes = new Uint8Array(new Float32Array([0.6, 0.8]).buffer);
    const embedding = btoa(String.fromCharCode(...bytes));
    const { host } = scripted(() =>
      Response.json({ data: [{ index: 0, embedding }], usage: { prompt_tokens: 3 } }),
    );
    const embedder = openaiEmbedder({ dimensions: 2 }, host);
    const { vectors, inputTokens } = await embedder.embed(["hello"], "query", new AbortController().signal);
    expect([...(vectors[0] ?? [])].map((x) => Math.round(x * 10) / 10)).toEqual([0.6, 0.8]);
    expect(inputTokens).toBe(3);
  });
});
