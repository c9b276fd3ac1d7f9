/**
 * The part of Anthropic's SDK that answers need. Loaded as a whole it is three times the bytes, because a bundler can't
 * leave out what hangs on the full client; loaded through this file, the rest is dropped.
 */
export { BaseAnthropic } from "@anthropic-ai/sdk/client";
export { Messages } from "@anthropic-ai/sdk/resources/messages/messages";
