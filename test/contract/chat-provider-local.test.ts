import { describe, expect, it } from "vitest";
import type { ChatProvider } from "../../shared/ports/chat-provider.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import { LOCAL_MODELS, localProvider } from "../../workers/providers/local.ts";
import { secretHost } from "../fakes/secret-host.ts";
import { chatProviderContract, chatRequest } from "./chat-provider.ts";

const provider = localProvider({}, secretHost({}));

/** The suite asks for a model of no name; here each is one of ours. */
function named(model: string): ChatProvider {
  return { stream: (request, signal) => provider.stream({ ...request, model }, signal) };
}

for (const model of LOCAL_MODELS) {
  chatProviderContract(`local/${model}`, () => Promise.resolve({ provider: named(model) }));
}

describe("local", () => {
  it("refuses a name that it does not have", async () => {
    let code: unknown;
    try {
      for await (const event of provider.stream(chatRequest(), new AbortController().signal)) void event;
    } catch (error) {
      code = error instanceof QuaysideError ? error.code : error;
    }
    expect(code).toBe("unknown_model");
  });

  it("says that the rows do not answer when there are none", async () => {
    const events = [];
    const request = chatRequest({ model: "local/compose", evidence: [] });
    for await (const event of provider.stream(request, new AbortController().signal)) events.push(event);
    expect(events).toEqual([
      { type: "finish", reason: "no-evidence", usage: { inputTokens: 0, outputTokens: 0 } },
    ]);
  });
});
