import type { ChatRequest, Usage } from "../../shared/ports/chat-provider.ts";
import { estimateTokens } from "../../shared/tokens.ts";

/** What an answer cost in tokens: what the provider says, as far as it can be believed, else an estimate that is marked as one. */
export interface Settled {
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Whether one of the two is ours: the provider did not say, or said what can't be. */
  readonly estimated: boolean;
}

export interface Spoken {
  readonly request: Pick<ChatRequest, "system" | "messages">;
  /** What the model has said so far. */
  readonly text: string;
  /** Most that it can have read and said. */
  readonly contextTokens: number;
  readonly maxOutputTokens: number;
}

export function settleUsage(usage: Usage, spoken: Spoken): Settled {
  const input = believed(usage.inputTokens, spoken.contextTokens);
  const output = believed(usage.outputTokens, spoken.maxOutputTokens);
  return {
    inputTokens: input ?? inputEstimate(spoken),
    outputTokens: output ?? Math.min(estimateTokens(spoken.text), spoken.maxOutputTokens),
    estimated: input === undefined || output === undefined,
  };
}

/** A count that can be; no budget pays for one that can't. */
function believed(count: number | undefined, most: number): number | undefined {
  return count !== undefined && count <= most ? count : undefined;
}

/** Whether a provider reports more than its model can have read or said. */
export function isAbsurd(usage: Usage, { contextTokens, maxOutputTokens }: Spoken): boolean {
  return (usage.inputTokens ?? 0) > contextTokens || (usage.outputTokens ?? 0) > maxOutputTokens;
}

function inputEstimate({ request }: Spoken): number {
  const turns = request.messages.map(({ content }) => estimateTokens(content));
  return turns.reduce((sum, tokens) => sum + tokens, estimateTokens(request.system));
}
