import { beforeAll, describe, expect, it } from "vitest";
import { anthropic } from "../../workers/providers/anthropic.ts";
import { ANSWER, cancelsUpstream, collect, eventStream, scripted } from "./sdk-world.ts";

const ANTHROPIC_EVENTS = [
  'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":12}}}',
  'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"type":"text_delta","text":"A hinge pin [1]."}}',
  'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5}}',
  'event: message_stop\ndata: {"type":"message_stop"}',
];

describe("anthropic in workerd", () => {
  // Vite hands the SDK over file by file on first use; a built Worker has it in one.
  beforeAll(async () => {
    await import("../../workers/providers/anthropic-sdk.ts");
  });

  it("streams, what arrives together as one delta", async () => {
    const { host, sent } = scripted(() => eventStream(ANTHROPIC_EVENTS));
    expect(await collect(anthropic({}, host))).toEqual(ANSWER);
    expect(sent[0]?.url).toBe("https://api.anthropic.com/v1/messages");
  });

  it("cancels upstream when its reader leaves", async () => {
    expect(await cancelsUpstream((host) => anthropic({}, host), ANTHROPIC_EVENTS.slice(0, 2))).toBe(true);
  });
});
