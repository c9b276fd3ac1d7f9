import { describe, expect, it } from "vitest";
import { apiWire } from "../../workers/surfaces/render.ts";
import { streamAnswer, wholeAnswer, type Asking } from "../../workers/surfaces/sse.ts";
import { ADMISSION, CONFIG, makeWorld, PRINCIPAL, QUESTION } from "../fakes/ask-world.ts";
import { scriptedProvider } from "../fakes/scripted-provider.ts";
import { secretHost } from "../fakes/secret-host.ts";

/** Its model says a word and no more, and may be silent for as long as it likes. */
function slow(): { readonly asking: Asking; readonly aborted: () => number } {
  const model = scriptedProvider([{ say: "the berth " }, { hang: true }]);
  const world = makeWorld({ "a/one": model });
  const limits = { firstTokenTimeoutMs: 60_000, idleTimeoutMs: 60_000 };
  world.admission = { ...ADMISSION, config: { ...CONFIG, limits } };
  const request = new Request("http://127.0.0.1/v1/ask");
  return {
    asking: {
      ask: (signal) => world.ask({ ...QUESTION, model: "a/one" }, PRINCIPAL, signal),
      call: { request, url: new URL(request.url), params: {}, requestId: "r" },
      signal: request.signal,
      timeoutMs: 1500,
      closed: () => undefined,
    },
    aborted: model.aborted,
  };
}

describe("an answer that takes longer in all than it may", () => {
  it("is deadline_exceeded where it is wanted whole, and its model is stopped", async () => {
    const { asking, aborted } = slow();
    await expect(wholeAnswer(asking)).rejects.toMatchObject({ code: "deadline_exceeded" });
    expect(aborted()).toBe(1);
  });

  it("ends with that error and without an end of its own where it is streamed", async () => {
    const { asking, aborted } = slow();
    const response = await streamAnswer(asking, apiWire("r"), secretHost({}));
    const text = await response.text();
    expect([...text.matchAll(/^event: (\w+)/gm)].map(([, name]) => name)).toEqual([
      "evidence",
      "delta",
      "error",
    ]);
    expect(text).toContain('"code":"deadline_exceeded"');
    expect(aborted()).toBe(1);
  });
});
