import type { ChatRequest, Usage } from "../../shared/ports/chat-provider.ts";
import { estimateTokens, mostTokens } from "../../shared/tokens.ts";

/** What an answer cost in tokens: what the provider says, as far as it can be believed, else an estimate that is marked as one. */
export interface Settled {
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Whether one of the two is ours: the provider did not say, or said what can't be. */
  readonly estimated: boolean;
}

/** A provider has not said what was used. */
export const UNTOLD: Usage = { inputTokens: undefined, outputTokens: undefined };

export interface Spoken {
  readonly request: Pick<ChatRequest, "system" | "messages">;
  /** What the model has said so far. */
  readonly text: string;
  /** Most that it can have read and said. */
  readonly contextTokens: number;
  readonly maxOutputTokens: number;
}

export function settleUsage(usage: Usage, spoken: Spoken): Settled {
  const input = believed(usage.inputTokens, Math.min(spoken.contextTokens, mostInput(spoken.request)));
  const output = believed(usage.outputTokens, spoken.maxOutputTokens);
  return {
    inputTokens: input ?? Math.min(inputEstimate(spoken.request), spoken.contextTokens),
    outputTokens: output ?? Math.min(estimateTokens(spoken.text), spoken.maxOutputTokens),
    estimated: input === undefined || output === undefined,
  };
}

/** A count that can be; no budget pays for one that can't. */
function believed(count: number | undefined, most: number): number | undefined {
  return count !== undefined && count <= most ? count : undefined;
}

/** Whether a provider reports more than its model can have read or said. */
export function isAbsurd(usage: Usage, { request, contextTokens, maxOutputTokens }: Spoken): boolean {
  const input = usage.inputTokens ?? 0;
  return input > Math.min(contextTokens, mostInput(request)) || (usage.outputTokens ?? 0) > maxOutputTokens;
}

/** The most tokens that any model can be billed for reading this: a bound, not an estimate, so that what is held pays for it. */
export function mostInput({ system, messages }: Spoken["request"]): number {
  return mostTokens([system, ...messages.map(({ content }) => content)]);
}

function inputEstimate({ system, messages }: Spoken["request"]): number {
  return messages.reduce((sum, { content }) => sum + estimateTokens(content), estimateTokens(system));
}
